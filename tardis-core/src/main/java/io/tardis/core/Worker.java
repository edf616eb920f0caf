package io.tardis.core;

import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread of the daemon: its name, how it is woken, and its end within a bounded time. Nobody
 * interrupts it: a socket of ZeroMQ's or a file that is being written would not survive that.
 */
public final class Worker implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Worker.class);

    private static final Duration STOP_PATIENCE = Duration.ofSeconds(2);

    /** What the thread does. To return soon after {@link #isStopping} has become true. */
    public interface Work {
        /** An interrupted wait ends the thread. */
        void run() throws InterruptedException;
    }

    private final Thread thread;
    private final Runnable onWake;
    private final Semaphore wakes = new Semaphore(0);
    private volatile boolean stopping;

    /** A thread that does not run yet, and waits by {@link #await} only. */
    public Worker(String name, Work work) {
        this(name, work, () -> {});
    }

    /**
     * A thread that does not run yet.
     *
     * @param name of the thread
     * @param onWake ends a wait other than {@link #await}; called by who wakes the thread
     */
    public Worker(String name, Work work, Runnable onWake) {
        this.onWake = onWake;
        this.thread =
                new Thread(
                        () -> {
                            try {
                                work.run();
                            } catch (InterruptedException e) {
                                Thread.currentThread().interrupt();
                            }
                        },
                        name);
    }

    /** Receives what the work throws, instead of the process's own handler. Before the start. */
    public void onDeath(Consumer<Throwable> handler) {
        thread.setUncaughtExceptionHandler((_, cause) -> handler.accept(cause));
    }

    /** Starts the thread. */
    public void start() {
        thread.start();
    }

    /** Whether {@link #start} was called. */
    public boolean wasStarted() {
        return thread.getState() != Thread.State.NEW;
    }

    /** Whether the thread runs. */
    public boolean isAlive() {
        return thread.isAlive();
    }

    /** Whether the work is to end. */
    public boolean isStopping() {
        return stopping;
    }

    /** Ends the wait that is going on, or the next one. From any thread. */
    public void wake() {
        wakes.release();
        onWake.run();
    }

    /** Waits until somebody wakes the thread. For the work. */
    public void await() throws InterruptedException {
        wakes.acquire();
        wakes.drainPermits();
    }

    /**
     * Waits until somebody wakes the thread, for a time at most. For the work.
     *
     * @return whether somebody did
     */
    public boolean await(Duration longest) throws InterruptedException {
        boolean woken = wakes.tryAcquire(longest.toNanos(), TimeUnit.NANOSECONDS);
        wakes.drainPermits();
        return woken;
    }

    /**
     * Has the work end and waits for that, also if the caller was interrupted before. A thread that
     * does not end within 2 s is logged. Safe twice and from any thread.
     */
    @Override
    public void close() {
        close(STOP_PATIENCE);
    }

    /** As {@link #close()}, with another limit of the wait. */
    public void close(Duration patience) {
        boolean interrupted = Thread.interrupted();
        boolean first = !stopping;
        stopping = true;
        // Once: what a wake needs may be closed after the thread has ended.
        if (first && wasStarted()) {
            wake();
        }
        try {
            if (wasStarted() && thread != Thread.currentThread() && !thread.join(patience)) {
                LOG.error("the thread {} did not stop", thread.getName());
            }
        } catch (InterruptedException _) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
