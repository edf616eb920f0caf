package io.tardis.listener;

import io.tardis.core.config.Settings;
import io.tardis.core.wire.Health;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Reads {@code ctr events} into an {@link Inbox}. It can be started before the listener has its
 * state directory: a daemon that takes over from another one reads while the other one still does.
 */
public final class EventSource implements AutoCloseable {

    private final CountDownLatch heard = new CountDownLatch(1);
    private final CtrSupervisor supervisor;
    private boolean started;

    /**
     * A source that is not started yet.
     *
     * @param settings its command
     * @param inbox where its events go
     * @param clock the wall clock
     */
    public EventSource(Settings settings, Inbox inbox, InstantSource clock) {
        this.supervisor =
                new CtrSupervisor(
                        settings.ctrCommand(),
                        clock,
                        new CtrSupervisor.Sink() {
                            @Override
                            public void event(CtrEvent event) {
                                heard.countDown();
                                inbox.put(new Inbox.Signal.Read(event));
                            }

                            @Override
                            public void gap(Instant from, String reason) {
                                inbox.put(new Inbox.Signal.Missed(from, reason));
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

    /** Ends {@code ctr}; what it has printed stays in the inbox. May be called twice. */
    @Override
    public void close() {
        supervisor.close();
    }
}
