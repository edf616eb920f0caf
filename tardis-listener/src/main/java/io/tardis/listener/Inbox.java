package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.Life;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
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

        /** A registered life was started. Its process may be gone, and not known. */
        record Started(Life life) implements Signal {}

        /**
         * The shim begins a life.
         *
         * @param isRegistered whether the registry has it
         */
        record Begun(Life life, boolean isRegistered) implements Signal {}

        /**
         * The shim makes up for a create that it did not see.
         *
         * @param at when the container was created
         * @param until when it was deleted, or created again; the end of time if it was not
         * @param life receives the life that is to be registered
         */
        record Keep(
                ContainerKey container,
                Path bundle,
                Instant at,
                Instant until,
                CompletableFuture<Life> life)
                implements Signal {}

        /** A life that is over, in a registry of a version that kept such. */
        record Former(Life life) implements Signal {}

        /** A life was deleted. */
        record Deleted(Life life) implements Signal {}

        /** The process of a life is gone, and nobody reported its end in time. */
        record Lost(Life life) implements Signal {}

        /** Events may have been missed since {@code from}. */
        record Missed(Instant from, String reason) implements Signal {}

        /** Publish what came before this, and end. */
        record Stop() implements Signal {}
    }

    private static final int LENGTH = 10_000;

    private final BlockingQueue<Signal> signals = new ArrayBlockingQueue<>(LENGTH);

    /** An empty inbox. */
    public Inbox() {}

    /** Adds a signal, and waits while the inbox is full. An interrupted thread adds nothing. */
    void put(Signal signal) {
        try {
            signals.put(signal);
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
        return signals.offer(signal, patience.toNanos(), TimeUnit.NANOSECONDS);
    }

    /**
     * Takes the oldest signal.
     *
     * @param nanos the longest wait
     * @return null if there was none
     */
    @Nullable Signal poll(long nanos) throws InterruptedException {
        return signals.poll(nanos, TimeUnit.NANOSECONDS);
    }
}
