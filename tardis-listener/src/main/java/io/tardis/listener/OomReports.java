package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.LifeDetails;
import java.time.Duration;

/**
 * containerd's reports that the kernel killed a process of a container for memory, which come
 * before anything else is known of the life, or after its exit was published. They count only where
 * the kernel's own counter could not be read. For the thread of {@link Lives}.
 */
final class OomReports {

    /**
     * containerd's report comes within some 100 ms of the end; later, where {@code ctr} is slow.
     */
    private static final Duration LATE = Duration.ofMinutes(1);

    /**
     * A life that has ended.
     *
     * @param details published with its end
     * @param until when a report is another life's, by the monotonic clock
     */
    private record Uncounted(LifeDetails details, long until) {}

    private final BoundedMap<ContainerKey, Boolean> early = new BoundedMap<>(KnownLives.REMEMBERED);

    /** By the lives' ids, the one first that ended first. */
    private final BoundedMap<String, Uncounted> uncounted = new BoundedMap<>(KnownLives.REMEMBERED);

    /** A report came, and no life is known that it can be about. */
    void early(ContainerKey container) {
        early.put(container, true);
    }

    /** Whether there was an early report; it is taken. */
    boolean takeEarly(ContainerKey container) {
        return early.remove(container) != null;
    }

    /** The end of a life is reported, and the kernel has not counted; for the first time counts. */
    void reported(TrackedLife life, long nanoTime) {
        uncounted.values().removeIf(it -> it.until() - nanoTime < 0);
        if (life.fate.known().isEmpty()) {
            uncounted.put(life.life.id(), new Uncounted(life.details, nanoTime + LATE.toNanos()));
        }
    }

    /**
     * Whether a report that comes now can be about this life, which has ended. Then it has again
     * what was published with its end.
     */
    boolean reopen(TrackedLife life, long nanoTime) {
        Uncounted ended = uncounted.remove(life.life.id());
        if (ended == null || ended.until() - nanoTime < 0) {
            return false;
        }
        life.details = ended.details();
        return true;
    }
}
