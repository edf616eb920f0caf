package io.tardis.listener;

import io.tardis.core.config.Settings;
import io.tardis.core.event.CtrEvent;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/**
 * Hears every exit and publishes it.
 *
 * <p>One thread reads the event source and parses its lines, another one joins what it hears,
 * numbers it and publishes it; between them is a bounded queue, so that a burst slows the source
 * down and is never dropped (containerd keeps what {@code ctr} has not read).
 *
 * <p>{@link #bind} first, then let the others subscribe to {@link #ENDPOINT}, then {@link #start}:
 * so nobody misses the first exit.
 */
public final class Listener implements AutoCloseable {

    /** Where the other parts of the same process subscribe. */
    public static final String ENDPOINT = "inproc://tardis-events";

    private static final int QUEUE_LENGTH = 10_000;

    private final InstanceLock lock;
    private final ExitSequence sequence;
    private final ExitPublisher publisher;
    private final CtrSupervisor supervisor;

    private Listener(
            InstanceLock lock,
            ExitSequence sequence,
            ExitPublisher publisher,
            CtrSupervisor supervisor) {
        this.lock = lock;
        this.sequence = sequence;
        this.publisher = publisher;
        this.supervisor = supervisor;
    }

    /**
     * Takes the state directory and binds the endpoints. Nothing is heard yet.
     *
     * @param settings the state directory, the event source and the endpoint
     * @param context makes the PUB socket; closed by the caller, after this
     * @param registry where the shim notes the lives of enabled containers
     * @param clock the wall clock
     * @throws AlreadyRunningException if another listener has the state directory
     * @throws io.tardis.core.SetupException if a file cannot be written or an endpoint not be bound
     */
    public static Listener bind(
            Settings settings,
            ZmqContext context,
            ContainerRegistry registry,
            InstantSource clock) {
        Path stateDir = settings.stateDir();
        InstanceLock lock = InstanceLock.take(stateDir);
        ExitSequence sequence = null;
        try {
            sequence = ExitSequence.open(stateDir, clock);
            ZmqPublisher socket = context.publisher(List.of(ENDPOINT, settings.eventsEndpoint()));
            BlockingQueue<ExitPublisher.Signal> queue = new ArrayBlockingQueue<>(QUEUE_LENGTH);
            ExitJoiner joiner =
                    new ExitJoiner(exit ->
                            registry.lives(exit.container()).stream()
                                    .anyMatch(life -> life.forceDeleted() && life.endsWith(exit)));
            ExitPublisher publisher = new ExitPublisher(socket, queue, joiner, sequence, clock);
            CtrSupervisor supervisor =
                    new CtrSupervisor(settings.ctrCommand(), clock, new QueueingSink(queue));
            return new Listener(lock, sequence, publisher, supervisor);
        } catch (RuntimeException e) {
            if (sequence != null) {
                sequence.close();
            }
            lock.close();
            throw e;
        }
    }

    /** Starts the event source, and publishing. */
    public void start() {
        publisher.start();
        supervisor.start();
    }

    /** How often the event source was started. */
    public long sourceStarts() {
        return supervisor.starts();
    }

    /** Ends the event source, publishes what it had told, and gives the state directory back. */
    @Override
    public void close() {
        supervisor.close();
        publisher.close();
        sequence.close();
        lock.close();
    }

    /** Hands everything to the publisher's thread; waits while its queue is full. */
    private record QueueingSink(BlockingQueue<ExitPublisher.Signal> queue)
            implements CtrSupervisor.Sink {

        @Override
        public void event(CtrEvent event) {
            put(new ExitPublisher.Signal.Heard(event));
        }

        @Override
        public void gap(Instant from, String reason) {
            put(new ExitPublisher.Signal.Missed(from, reason));
        }

        private void put(ExitPublisher.Signal signal) {
            try {
                queue.put(signal);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
