package io.tardis.listener;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What the parts of the listener have reported, in this order, until the publisher takes it. It is
 * bounded: a burst slows its source down and nothing is dropped (containerd keeps what {@code ctr}
 * has not read). It can be filled before there is a {@link Listener}. From any thread.
 */
public final class Inbox {

    /** One report. */
    sealed interface Signal {
        /** The event source printed a line. */
        record Read(CtrEvent event) implements Signal {}

        /** A watched process was reaped: {@link Witness#take} says which, and how it ended. */
        record Reaped(long number) implements Signal {}

        /** The shim, or a check of all lives, reports what became of one. */
        record OfLife(Consumer<Lives> report) implements Signal {}

        /** Events may have been missed since {@code from}. */
        record Missed(Instant from, String reason) implements Signal {}

        /** Publish what came before this, and end. */
        record Stop() implements Signal {}
    }

    private static final int LENGTH = 10_000;

    /** A signal, and when it was reported, by the monotonic clock. */
    private record Entry(Signal signal, long nanoTime) {}

    private final BlockingQueue<Entry> signals = new ArrayBlockingQueue<>(LENGTH);

    /** Belongs to the thread that polls. */
    private long reported = System.nanoTime();

    /** An empty inbox. */
    public Inbox() {}

    /** Adds a signal, and waits while the inbox is full. An interrupted thread adds nothing. */
    void put(Signal signal) {
        try {
            signals.put(new Entry(signal, System.nanoTime()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Adds a signal.
     *
     * @param patience the longest wait while the inbox is full
     * @return false if it was full all the time
     */
    boolean offer(Signal signal, Duration patience) throws InterruptedException {
        return signals.offer(
                new Entry(signal, System.nanoTime()), patience.toNanos(), TimeUnit.NANOSECONDS);
    }

    /**
     * Takes the oldest signal.
     *
     * @param nanos the longest wait
     * @return null if there was none
     */
    @Nullable Signal poll(long nanos) throws InterruptedException {
        Entry oldest = signals.poll(nanos, TimeUnit.NANOSECONDS);
        if (oldest == null) {
            return null;
        }
        reported = oldest.nanoTime();
        return oldest.signal();
    }

    /** How many signals wait. */
    int size() {
        return signals.size();
    }

    /**
     * When the signal was put that {@link #poll} gave last, by {@link System#nanoTime}; a wait for
     * room comes after that. For the thread that polls.
     */
    long reported() {
        return reported;
    }
}
