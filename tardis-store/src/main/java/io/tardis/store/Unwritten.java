package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Answer.Backlog;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * What is not on disk yet, oldest first. Bounded: while the disk cannot be written, an exit that
 * ends no life whose code is kept goes first, since it could only be replayed; where all of them
 * concern one, the oldest goes, whose container is most likely to be deleted already. Such a life
 * is lost.
 *
 * <p>Changed by the recorder's thread, and read by any.
 */
final class Unwritten {

    /** What one takes in memory without its strings, and with its places here and in the cache. */
    private static final int OBJECT_BYTES = 600;

    private final int max;
    private final long maxBytes;

    /** By their numbers, in order. */
    private final SequencedMap<Long, Recorded> all = new LinkedHashMap<>();

    /** Those of them that concern no life. */
    private final SequencedMap<Long, Recorded> others = new LinkedHashMap<>();

    private int exits;
    private long bytes;
    private long lastSeq;
    private boolean failing;
    private long dropped;
    private volatile Backlog backlog = Backlog.NONE;

    /**
     * Nothing yet.
     *
     * @param max how many exits there may be
     * @param maxBytes how much memory they may take, by and large: the names of containers are
     *     chosen by others
     */
    Unwritten(int max, long maxBytes) {
        this.max = max;
        this.maxBytes = maxBytes;
    }

    /** Adds what was published after all that is here. */
    synchronized void add(Recorded recorded) {
        all.put(recorded.number(), recorded);
        if (recorded.state().isEmpty()) {
            others.put(recorded.number(), recorded);
        }
        count(recorded, 1);
    }

    private void remove(Recorded recorded) {
        all.remove(recorded.number());
        others.remove(recorded.number());
        count(recorded, -1);
    }

    private void count(Recorded recorded, int sign) {
        exits += recorded.event().isPresent() ? sign : 0;
        lastSeq = Math.max(lastSeq, recorded.event().map(ExitEvent::seq).orElse(0L));
        bytes += sign * bytesOf(recorded);
    }

    private static long bytesOf(Recorded recorded) {
        return OBJECT_BYTES
                + recorded.event().map(Unwritten::lengthOf).orElse(0L)
                + recorded.state()
                        .map(it -> (long) it.lifeId().length() + lengthOf(it.container()))
                        .orElse(0L);
    }

    private static long lengthOf(ExitEvent event) {
        return lengthOf(event.exit().container())
                + event.exit().id().length()
                + event.details().about().length();
    }

    private static long lengthOf(ContainerKey container) {
        return (long) container.namespace().length() + container.id().length();
    }

    synchronized boolean isEmpty() {
        return all.isEmpty();
    }

    /** How many exits there are. */
    synchronized int exits() {
        return exits;
    }

    /** The oldest ones, in order. */
    synchronized List<Recorded> oldest(int limit) {
        return all.values().stream().limit(limit).toList();
    }

    /**
     * While the disk cannot be written, the exits after {@code seq}, oldest first; else none, since
     * they will be in the log at once.
     */
    synchronized List<ExitEvent> eventsAfter(long seq, int limit) {
        return (failing ? all.values() : List.<Recorded>of())
                .stream()
                        .flatMap(it -> it.event().stream())
                        .filter(it -> it.seq() > seq)
                        .limit(limit)
                        .toList();
    }

    /** While the disk cannot be written, the number of the newest one; else 0, as for none. */
    synchronized long lastSeq() {
        return failing ? lastSeq : 0;
    }

    /** These, which {@link #oldest} gave, are on disk. */
    synchronized void written(List<Recorded> recorded) {
        recorded.forEach(this::remove);
        failing = false;
        refresh();
    }

    /** The disk could not be written, or was not tried because of that. */
    synchronized void notWritten() {
        failing = true;
        refresh();
    }

    /** Gives up what is too much, and returns it. */
    synchronized List<Recorded> dropOverLimit() {
        List<Recorded> given = new ArrayList<>();
        while (exits > max || bytes > maxBytes) {
            Recorded next = (others.isEmpty() ? all : others).firstEntry().getValue();
            remove(next);
            dropped += next.event().isPresent() ? 1 : 0;
            given.add(next);
        }
        return given;
    }

    synchronized boolean isFailing() {
        return failing;
    }

    /** What a ping is answered. From any thread. */
    Backlog backlog() {
        return backlog;
    }

    private void refresh() {
        backlog = new Backlog(!failing, failing ? exits : 0, dropped);
    }
}
