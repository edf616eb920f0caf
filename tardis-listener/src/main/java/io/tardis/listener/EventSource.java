package io.tardis.listener;

import io.tardis.core.config.Settings;
import io.tardis.core.event.CtrEvent;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Health;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Hears {@code ctr events}, and keeps what it says until a {@link Listener} publishes it: in a
 * bounded queue, so that a burst slows the source down and is never dropped (containerd keeps what
 * {@code ctr} has not read). It can be started before the listener has its state directory: a
 * daemon that takes over from another one hears while the other one still does.
 */
public final class EventSource implements AutoCloseable {

    private static final int QUEUE_LENGTH = 10_000;

    private final BlockingQueue<ExitPublisher.Signal> signals =
            new ArrayBlockingQueue<>(QUEUE_LENGTH);
    private final CountDownLatch heard = new CountDownLatch(1);
    private final CtrSupervisor supervisor;
    private boolean started;

    /**
     * A source that is not started yet.
     *
     * @param settings its command
     * @param clock the wall clock
     */
    public EventSource(Settings settings, InstantSource clock) {
        this.supervisor =
                new CtrSupervisor(
                        settings.ctrCommand(),
                        clock,
                        new CtrSupervisor.Sink() {
                            @Override
                            public void event(CtrEvent event) {
                                heard.countDown();
                                put(new ExitPublisher.Signal.Heard(event));
                            }

                            @Override
                            public void gap(Instant from, String reason) {
                                put(new ExitPublisher.Signal.Missed(from, reason));
                            }
                        });
    }

    /** Starts hearing; the second time does nothing. For the thread that made this. */
    public void start() {
        if (!started) {
            started = true;
            supervisor.start();
        }
    }

    /**
     * Waits until it has said something about a task, which proves that it hears.
     *
     * @param patience the longest wait
     * @return whether it has
     */
    public boolean awaitHearing(Duration patience) throws InterruptedException {
        return heard.await(patience.toMillis(), TimeUnit.MILLISECONDS);
    }

    /** Waits a moment until {@code ctr} runs; it hears some ten milliseconds later. */
    void awaitFirstStart() {
        supervisor.awaitFirstStart();
    }

    /** How often {@code ctr} was started. */
    long starts() {
        return supervisor.starts();
    }

    /** How {@code ctr} is. From any thread. */
    Health.Source health() {
        return supervisor.health();
    }

    BlockingQueue<ExitPublisher.Signal> signals() {
        return signals;
    }

    void ended(KernelWitness.Ended ended) {
        put(new ExitPublisher.Signal.Witnessed(ended));
    }

    void lost(Life life) {
        put(new ExitPublisher.Signal.Lost(life));
    }

    void missed(Instant from, String reason) {
        put(new ExitPublisher.Signal.Missed(from, reason));
    }

    private void put(ExitPublisher.Signal signal) {
        try {
            signals.put(signal);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends {@code ctr}; what it has said stays for the listener. May be called twice. */
    @Override
    public void close() {
        supervisor.close();
    }
}
