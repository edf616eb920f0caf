package io.tardis.store;

import io.tardis.core.event.TaskExit;
import io.tardis.core.wire.Answer.Backlog;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * The exits that are not on disk yet, oldest first. Bounded: while the disk cannot be written, an
 * exit that ends no life whose code is kept goes first, since it could only be replayed; where all
 * of them end one, the oldest goes, whose container is most likely to be deleted already. Of what
 * went nothing is told any more: such a life is lost.
 *
 * <p>Belongs to the recorder's thread, but for {@link #backlog}.
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
    void add(Recorded recorded) {
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

    int size() {
        return ends.size() + others.size();
    }

    /** The oldest ones, in order. */
    List<Recorded> oldest(int limit) {
        List<Recorded> oldest = new ArrayList<>();
        var nextEnds = ends.iterator();
        var nextOthers = others.iterator();
        Recorded end = nextEnds.hasNext() ? nextEnds.next() : null;
        Recorded other = nextOthers.hasNext() ? nextOthers.next() : null;
        while (oldest.size() < limit && (end != null || other != null)) {
            if (other == null || (end != null && end.event().seq() < other.event().seq())) {
                oldest.add(end);
                end = nextEnds.hasNext() ? nextEnds.next() : null;
            } else {
                oldest.add(other);
                other = nextOthers.hasNext() ? nextOthers.next() : null;
            }
        }
        return oldest;
    }

    /** These, which {@link #oldest} gave, are on disk. */
    void written(List<Recorded> recorded) {
        for (Recorded each : recorded) {
            (each.end().isPresent() ? ends : others).remove();
            bytes -= bytesOf(each);
        }
        failing = false;
        refresh();
    }

    /** The disk could not be written, or was not tried because of that. */
    void notWritten() {
        failing = true;
        refresh();
    }

    /** Gives one up if there are too many; empty if there are not. */
    Optional<Recorded> dropOverLimit() {
        if (size() <= max && bytes <= maxBytes) {
            return Optional.empty();
        }
        Recorded given = others.isEmpty() ? ends.remove() : others.remove();
        bytes -= bytesOf(given);
        dropped++;
        return Optional.of(given);
    }

    boolean isFailing() {
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
