package io.tardis.listener;

import io.tardis.core.event.CtrEvent;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.zmq.ZmqPublisher;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Owns the PUB socket and the numbers: takes what was heard, in order, and publishes one message
 * for each exit.
 */
final class ExitPublisher implements AutoCloseable {

    /** What the publisher's thread is told. */
    sealed interface Signal {
        /** The event source said something. */
        record Heard(CtrEvent event) implements Signal {}

        /** Events may have been missed since {@code from}. */
        record Missed(Instant from, String reason) implements Signal {}

        /** Publish what came before this, and end. */
        record Stop() implements Signal {}
    }

    /** How often the last number is told to whoever missed the message itself. */
    static final Duration HEARTBEAT = Duration.ofSeconds(5);

    private static final Logger LOG = LoggerFactory.getLogger(ExitPublisher.class);
    private static final Duration STOP_PATIENCE = Duration.ofSeconds(2);

    private final ZmqPublisher socket;
    private final BlockingQueue<Signal> queue;
    private final ExitJoiner joiner;
    private final ExitSequence sequence;
    private final InstantSource clock;
    private final Thread thread;

    /** From now on the socket, the joiner and the sequence belong to the publisher's thread. */
    ExitPublisher(
            ZmqPublisher socket,
            BlockingQueue<Signal> queue,
            ExitJoiner joiner,
            ExitSequence sequence,
            InstantSource clock) {
        this.socket = socket;
        this.queue = queue;
        this.joiner = joiner;
        this.sequence = sequence;
        this.clock = clock;
        this.thread = new Thread(this::run, "tardis-listener-publisher");
    }

    void start() {
        thread.start();
    }

    /** Publishes what is in the queue, and ends. */
    @Override
    public void close() {
        if (thread.getState() == Thread.State.NEW) {
            socket.close();
            return;
        }
        try {
            // Bounded: if the thread has died, nobody makes room in a full queue.
            boolean told =
                    queue.offer(new Signal.Stop(), STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
            if (!told || !thread.join(STOP_PATIENCE)) {
                LOG.error("the thread {} did not stop", thread.getName());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        try (socket) {
            long nextHeartbeat = System.nanoTime();
            while (true) {
                long left = nextHeartbeat - System.nanoTime();
                if (left <= 0) {
                    publish(new Published.Heartbeat(sequence.last(), clock.instant()));
                    nextHeartbeat = System.nanoTime() + HEARTBEAT.toNanos();
                    continue;
                }
                Signal signal = queue.poll(left, TimeUnit.NANOSECONDS);
                if (signal instanceof Signal.Stop) {
                    return;
                }
                if (signal != null) {
                    handle(signal);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void handle(Signal signal) {
        switch (signal) {
            case Signal.Heard(CtrEvent event) -> handle(event);
            case Signal.Missed(Instant from, String reason) ->
                    publish(new Published.Gap(sequence.last(), from, clock.instant(), reason));
            case Signal.Stop() -> throw new IllegalStateException("the end is handled by the loop");
        }
    }

    private void handle(CtrEvent event) {
        switch (event) {
            case CtrEvent.ContainerExit(var exit) -> publish(joiner.exited(exit));
            case CtrEvent.ExecExit(var exit) -> publish(joiner.exited(exit));
            case CtrEvent.TaskDelete delete -> publish(joiner.deleted(delete));
            case CtrEvent.TaskStart start -> joiner.started(start);
            case CtrEvent.Oom(var container) -> joiner.outOfMemory(container);
            case CtrEvent.Ignored() -> LOG.trace("a line of another topic");
            case CtrEvent.Malformed(String reason) -> {
                LOG.warn("a line of the event source cannot be read: {}", reason);
                Instant now = clock.instant();
                publish(
                        new Published.Gap(
                                sequence.last(), now, now, "a line cannot be read: " + reason));
            }
        }
    }

    private void publish(Optional<ExitJoiner.Joined> joined) {
        joined.ifPresent(it -> {
            ExitEvent event =
                    new ExitEvent(
                            sequence.next(), it.exit(), it.signal(), it.oomKilled(), it.source());
            publish(new Published.Exit(event));
            LOG.debug("published {}", event);
        });
    }

    private void publish(Published message) {
        socket.send(PublishedCodec.topic(message), PublishedCodec.encode(message));
    }
}
