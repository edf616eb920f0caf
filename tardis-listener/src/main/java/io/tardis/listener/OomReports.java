package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeDetails;
import java.time.Duration;
import java.util.function.ToLongFunction;

/**
 * containerd's reports that the kernel killed a process of a container for memory, which come
 * before anything else is known of the life, or after its exit was published. They count only where
 * the kernel's own counter could not be read. They name the container only: what is remembered for
 * them is forgotten after a minute, and where events were missed. For the thread of {@link Lives}.
 */
final class OomReports {

    /**
     * containerd's report comes within some 100 ms of the end; later, where {@code ctr} is slow.
     */
    private static final Duration LATE = Duration.ofMinutes(1);

    /**
     * A life whose end was reported.
     *
     * @param details published with its end
     * @param until when a report is another life's, by the monotonic clock
     */
    private record Recent(LifeDetails details, long until) {}

    /** Until when they count, the first one first. */
    private final BoundedMap<ContainerKey, Long> early = new BoundedMap<>(KnownLives.REMEMBERED);

    /** By the lives' ids, the one first that ended first. */
    private final BoundedMap<String, Recent> recent = new BoundedMap<>(KnownLives.REMEMBERED);

    /** A report came, and no life is known that it can be about. */
    void early(ContainerKey container, long nanoTime) {
        early.remove(container); // to be the last one
        early.put(container, nanoTime + LATE.toNanos());
    }

    /** Whether there was an early report; it is taken. */
    boolean takeEarly(ContainerKey container, long nanoTime) {
        forgetOld(early, Long::longValue, nanoTime);
        return early.remove(container) != null;
    }

    /** Another life began: an early report was not about it. */
    void forgetEarly(ContainerKey container) {
        early.remove(container);
    }

    /** The end of a life is reported, and not published yet. */
    void reported(TrackedLife life, long nanoTime) {
        forgetOld(recent, Recent::until, nanoTime);
        if (life.fate instanceof Fate.Lost) {
            early.remove(life.life.container()); // it was about this one, which notes it
        }
        if (life.fate.known().filter(it -> !isAssumed(it)).isEmpty()) {
            String id = life.life.id();
            recent.remove(id);
            recent.put(id, new Recent(life.details, nanoTime + LATE.toNanos()));
        }
    }

    /**
     * Takes a report.
     *
     * @param newest the container's newest life, which notes it if it is about that one
     * @return whether its end was published, and was without that; it has again what was published
     *     with it
     */
    boolean changes(TrackedLife newest, long nanoTime) {
        forgetOld(recent, Recent::until, nanoTime);
        Recent ended = recent.get(newest.life.id());
        if (newest.isUnpublished()) {
            newest.oomKilled = true;
        } else if (ended == null) {
            newest.oomKilled |= newest.fate instanceof Fate.Lost; // its end may come after all
            early(newest.life.container(), nanoTime);
        } else if (newest.fate.known().filter(OomReports::isAssumed).isPresent()) {
            newest.oomKilled = true;
            // The count was read too early.
            newest.details = ended.details().withUsage(ended.details().usage().withoutOomKills());
        } else if (!newest.oomKilled && ended.details().usage().oomKills().isEmpty()) {
            newest.oomKilled = true;
            newest.details = ended.details();
            return true;
        }
        return false;
    }

    private static boolean isAssumed(Fate.End end) {
        return end.source() == ExitSource.ASSUMED;
    }

    /** Events were missed: a container of one of these names may have another life by now. */
    void forgetAll() {
        early.clear();
        recent.clear();
    }

    private static <K, V> void forgetOld(
            BoundedMap<K, V> map, ToLongFunction<V> until, long nanoTime) {
        var values = map.values().iterator();
        while (values.hasNext() && until.applyAsLong(values.next()) - nanoTime < 0) {
            values.remove();
        }
    }
}
