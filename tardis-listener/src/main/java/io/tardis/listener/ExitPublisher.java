package io.tardis.listener;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.listener.Inbox.Signal;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Owns the PUB socket and the numbers: takes what was heard, in order, and publishes one message
 * for each exit.
 */
final class ExitPublisher implements AutoCloseable {

    /** Looks after the registered lives; told what concerns them in the publisher's thread. */
    interface Lives {
        /** containerd told the start of a container. */
        void started(CtrEvent.TaskStart start);

        /** Ends may have been missed. */
        void check();
    }

    /** How often the last number is told to whoever missed the message itself. */
    static final Duration HEARTBEAT = Duration.ofSeconds(5);

    private static final Duration UNREADABLE_INTERVAL = Duration.ofSeconds(1);
    private static final Logger LOG = LoggerFactory.getLogger(ExitPublisher.class);
    private static final Duration STOP_PATIENCE = Duration.ofSeconds(1);

    private final ZmqPublisher socket;
    private final Inbox inbox;
    private final ExitJoiner joiner;
    private final ExitSequence sequence;
    private final Witness witness;
    private final Lives lives;
    private final BooleanSupplier ownsStateDir;
    private final InstantSource clock;
    private final Worker worker;
    private final FailureLog failures = new FailureLog(ExitPublisher.class);
    private long nextHeartbeat = System.nanoTime();

    /** Lines that could not be read since the last gap that was published for some. */
    private long unreadable;

    private Instant unreadableSince = Instant.EPOCH;
    private String unreadableReason = "";
    private long nextUnreadable = System.nanoTime();

    /**
     * From now on the socket, the joiner and the sequence belong to the publisher's thread.
     *
     * @param witness asked how a process ended whose exit containerd has published
     * @param lives told each start, and each gap that is published
     * @param ownsStateDir whether the sequence's file is this process's to write again, where
     *     somebody removed it
     */
    ExitPublisher(
            ZmqPublisher socket,
            Inbox inbox,
            ExitJoiner joiner,
            ExitSequence sequence,
            Witness witness,
            Lives lives,
            BooleanSupplier ownsStateDir,
            InstantSource clock) {
        this.socket = socket;
        this.inbox = inbox;
        this.joiner = joiner;
        this.sequence = sequence;
        this.witness = witness;
        this.lives = lives;
        this.ownsStateDir = ownsStateDir;
        this.clock = clock;
        this.worker = new Worker("tardis-listener-publisher", this::run, this::askToStop);
    }

    void start() {
        worker.start();
    }

    /**
     * Publishes what is in the inbox. The socket stays open, for those who have not read all of it:
     * JeroMQ may fail in a subscriber of the same process whose publisher closes under it.
     */
    void stop() {
        worker.close();
    }

    private void askToStop() {
        try {
            // Bounded: a thread that hangs makes no room in a full inbox.
            boolean _ = worker.isAlive() && inbox.offer(new Signal.Stop(), STOP_PATIENCE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Stops, and closes the socket. May be called twice. */
    @Override
    public void close() {
        stop();
        if (!worker.isAlive()) {
            socket.close(); // its owner has ended
        }
    }

    private void run() throws InterruptedException {
        Signal signal = inbox.poll(untilNextDuty());
        while (!(signal instanceof Signal.Stop)) {
            if (signal != null) {
                handle(signal);
            }
            doDuties();
            signal = inbox.poll(untilNextDuty());
        }
        joiner.drain().forEach(this::publish);
    }

    private long untilNextDuty() {
        long now = System.nanoTime();
        long left = nextHeartbeat - now;
        if (unreadable > 0) {
            left = Math.min(left, nextUnreadable - now);
        }
        return Math.min(left, joiner.nextDeadline().orElse(nextHeartbeat) - now);
    }

    private void doDuties() {
        long now = System.nanoTime();
        joiner.overdue(now).forEach(this::publish);
        if (unreadable > 0 && nextUnreadable - now <= 0) {
            publishUnreadable(now);
        }
        if (nextHeartbeat - now <= 0) {
            publish(new Published.Heartbeat(sequence.last(), clock.instant()));
            if (ownsStateDir.getAsBoolean()) {
                sequence.keepInPlace(clock);
            }
            failures.logCounts();
            nextHeartbeat = now + HEARTBEAT.toNanos();
        }
    }

    private void handle(Signal signal) {
        switch (signal) {
            case Signal.Read(CtrEvent event) -> handle(event);
            case Signal.Reaped(long number) -> witness.take(number).ifPresent(this::handle);
            case Signal.Missed(Instant from, String reason) -> publishGap(from, reason);
            case Signal.Lost(Life life) ->
                    publish(new Published.Lost(sequence.last(), life.container(), life.id()));
            case Signal.Stop() -> throw new IllegalStateException("the end is handled by the loop");
        }
    }

    private void handle(Witness.Ended ended) {
        joiner.witnessed(ended.life(), ended.waitStatus(), clock.instant(), System.nanoTime())
                .ifPresent(this::publish);
    }

    private void handle(CtrEvent event) {
        switch (event) {
            case CtrEvent.ContainerExit(var exit) -> {
                // The kernel knows more, and knows it by now: the process is reaped before
                // containerd tells its exit.
                witness.take(exit.container(), exit.pid()).ifPresent(this::handle);
                joiner.exited(exit).ifPresent(this::publish);
            }
            case CtrEvent.ExecExit(var exit) -> joiner.exited(exit).ifPresent(this::publish);
            case CtrEvent.TaskDelete delete -> joiner.deleted(delete).ifPresent(this::publish);
            case CtrEvent.TaskStart start -> {
                joiner.started(start);
                lives.started(start);
            }
            case CtrEvent.Oom(var container) -> joiner.outOfMemory(container);
            case CtrEvent.Ignored() -> LOG.trace("a line of another topic");
            case CtrEvent.Malformed(String reason) -> {
                failures.warn("a line of the event source cannot be read", reason);
                if (unreadable == 0) {
                    unreadableSince = clock.instant();
                }
                unreadable++;
                unreadableReason = reason;
            }
        }
    }

    /** The first at once, then all of a second together: there may be a million of them. */
    private void publishUnreadable(long now) {
        publishGap(
                unreadableSince,
                unreadable == 1
                        ? "a line cannot be read: " + unreadableReason
                        : unreadable
                                + " lines cannot be read, the last one because "
                                + unreadableReason);
        unreadable = 0;
        nextUnreadable = now + UNREADABLE_INTERVAL.toNanos();
    }

    private void publish(ExitJoiner.Joined joined) {
        ExitEvent event =
                new ExitEvent(
                        sequence.next(),
                        joined.exit(),
                        joined.signal(),
                        joined.oomKilled(),
                        joined.source());
        publish(new Published.Exit(event));
        LOG.debug("published {}", event);
    }

    private void publishGap(Instant from, String reason) {
        Instant to = clock.instant();
        // The clock may have been set back meanwhile.
        publish(new Published.Gap(sequence.last(), from.isAfter(to) ? to : from, to, reason));
        lives.check();
    }

    private void publish(Published message) {
        socket.send(PublishedCodec.topic(message), PublishedCodec.encode(message));
    }
}
