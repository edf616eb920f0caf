package io.tardis.store;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.TaskExit;
import io.tardis.core.wire.Answer.Backlog;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The exits that are not on disk yet, oldest first. Bounded: while the disk cannot be written, an
 * exit that ends no life whose code is kept goes first, since it could only be replayed; where all
 * of them end one, the oldest goes, whose container is most likely to be deleted already. Of what
 * went nothing is told any more: such a life is lost.
 *
 * <p>Changed by the recorder's thread, and read by any.
 */
final class Unwritten {

    /** What one takes in memory without its strings, and with its places here and in the cache. */
    private static final int OBJECT_BYTES = 600;

    private final int max;
    private final long maxBytes;

    /** In the order of their numbers, as they were published. */
    private final Deque<Recorded> ends = new ArrayDeque<>();

    private final Deque<Recorded> others = new ArrayDeque<>();
    private long bytes;
    private boolean failing;
    private long dropped;
    private volatile Backlog backlog = Backlog.NONE;

    /**
     * Nothing yet.
     *
     * @param max how many there may be
     * @param maxBytes how much memory they may take, by and large: the names of containers are
     *     chosen by others
     */
    Unwritten(int max, long maxBytes) {
        this.max = max;
        this.maxBytes = maxBytes;
    }

    /** Adds what was published after all that is here. */
    synchronized void add(Recorded recorded) {
        (recorded.end().isPresent() ? ends : others).add(recorded);
        bytes += bytesOf(recorded);
    }

    private static long bytesOf(Recorded recorded) {
        TaskExit exit = recorded.event().exit();
        return (long) OBJECT_BYTES
                + exit.container().namespace().length()
                + exit.container().id().length()
                + exit.id().length()
                + recorded.end().map(it -> it.lifeId().length()).orElse(0);
    }

    synchronized int size() {
        return ends.size() + others.size();
    }

    /** The oldest ones, in order. */
    List<Recorded> oldest(int limit) {
        return oldestAfter(0, limit);
    }

    private synchronized List<Recorded> oldestAfter(long seq, int limit) {
        // Each of the two is in order.
        return Stream.of(ends, others)
                .flatMap(it -> it.stream().filter(each -> each.event().seq() > seq).limit(limit))
                .sorted(Comparator.comparingLong(it -> it.event().seq()))
                .limit(limit)
                .toList();
    }

    /**
     * While the disk cannot be written, the exits after {@code seq}, oldest first; else none, since
     * they will be in the log at once.
     */
    synchronized List<ExitEvent> eventsAfter(long seq, int limit) {
        return failing ? oldestAfter(seq, limit).stream().map(Recorded::event).toList() : List.of();
    }

    /** While the disk cannot be written, the number of the newest one; else 0, as for none. */
    synchronized long lastSeq() {
        return !failing
                ? 0
                : Stream.of(ends.peekLast(), others.peekLast())
                        .filter(Objects::nonNull)
                        .mapToLong(it -> it.event().seq())
                        .max()
                        .orElse(0);
    }

    /** These, which {@link #oldest} gave, are on disk. */
    synchronized void written(List<Recorded> recorded) {
        for (Recorded each : recorded) {
            (each.end().isPresent() ? ends : others).remove();
            bytes -= bytesOf(each);
        }
        failing = false;
        refresh();
    }

    /** The disk could not be written, or was not tried because of that. */
    synchronized void notWritten() {
        failing = true;
        refresh();
    }

    /** Gives one up if there are too many; empty if there are not. */
    synchronized Optional<Recorded> dropOverLimit() {
        if (size() <= max && bytes <= maxBytes) {
            return Optional.empty();
        }
        Recorded given = others.isEmpty() ? ends.remove() : others.remove();
        bytes -= bytesOf(given);
        dropped++;
        return Optional.of(given);
    }

    synchronized boolean isFailing() {
        return failing;
    }

    /** What others are told. From any thread. */
    Backlog backlog() {
        return backlog;
    }

    private void refresh() {
        backlog = new Backlog(!failing, failing ? size() : 0, dropped);
    }
}
