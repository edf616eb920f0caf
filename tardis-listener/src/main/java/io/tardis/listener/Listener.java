package io.tardis.listener;

import io.tardis.core.TardisException;
import io.tardis.core.client.QueryClient;
import io.tardis.core.config.Settings;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Events;
import io.tardis.core.wire.Health;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.listener.Inbox.Signal;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hears every exit and publishes it.
 *
 * <p>One thread reads the event source and parses its lines, one waits for the kernel's word, one
 * looks after lives when events may have been missed; another one joins what they tell, numbers it
 * and publishes it.
 *
 * <p>{@link #bind} first, then let the others subscribe to {@link #ENDPOINT}, then {@link #start}:
 * so nobody misses the first exit. {@link #stop} first, then let the others take what was
 * published, then {@link #close}: so nobody misses the last one.
 */
public final class Listener implements AutoCloseable {

    /** Where the other parts of the same process subscribe. */
    public static final String ENDPOINT = "inproc://tardis-events";

    private static final Logger LOG = LoggerFactory.getLogger(Listener.class);

    /** How many of the last exits are not to be published once more after a restart. */
    private static final int REMEMBERED = 2_000;

    /** A disk that hangs must not keep launchers waiting. */
    private static final Duration LOOK_PATIENCE = Duration.ofSeconds(2);

    private final ExitSequence sequence;
    private final ExitJoiner joiner;
    private final ExitPublisher publisher;
    private final Inbox inbox;
    private final EventSource source;
    private final LifeChecker checker;
    private final Optional<KernelWitness> witness;
    private final String witnessReason;
    private final Supplier<QueryClient> queries;

    private Listener(
            ExitSequence sequence,
            InstanceLock lock,
            ZmqPublisher socket,
            Settings settings,
            Inbox inbox,
            EventSource source,
            ContainerRegistry registry,
            Supplier<QueryClient> queries,
            InstantSource clock) {
        this.sequence = sequence;
        this.queries = queries;
        this.inbox = inbox;
        this.source = source;
        this.joiner = new ExitJoiner(exit -> shimWasGone(registry, exit));
        this.witness =
                settings.kernelWitness()
                        ? KernelWitness.open(number -> inbox.put(new Signal.Reaped(number)))
                        : Optional.empty();
        this.witnessReason =
                !settings.kernelWitness()
                        ? "switched off by TARDIS_KERNEL_WITNESS=off"
                        : witness.isEmpty()
                                ? "this kernel does not report how processes end; Linux 6.15 and later do"
                                : "";
        this.checker =
                new LifeChecker(
                        registry,
                        witness,
                        () -> new StoreEnds(queries.get()),
                        life -> inbox.put(new Signal.Lost(life)),
                        LifeChecker.LATE_WORD);
        this.publisher =
                new ExitPublisher(
                        socket,
                        inbox,
                        joiner,
                        sequence,
                        witness.<Witness>map(it -> it).orElse(Witness.NONE),
                        checker,
                        lock::keep,
                        clock);
    }

    /**
     * Binds the endpoints. Nothing is published yet.
     *
     * @param settings the state directory and the endpoint
     * @param lock makes sure that no other listener has the state directory; given back by the
     *     caller, when all who take part are closed
     * @param inbox where the source puts its events
     * @param source started with this at the latest, and closed by it
     * @param context makes the sockets; closed by the caller, after this
     * @param registry where the shim notes the lives of enabled containers
     * @param queryEndpoint where the store will answer when this is started
     * @param clock the wall clock
     * @throws io.tardis.core.SetupException if a file cannot be written or an endpoint not be bound
     */
    public static Listener bind(
            Settings settings,
            InstanceLock lock,
            Inbox inbox,
            EventSource source,
            ZmqContext context,
            ContainerRegistry registry,
            String queryEndpoint,
            InstantSource clock) {
        lock.check(settings.stateDir());
        ExitSequence sequence = ExitSequence.open(settings.stateDir(), clock);
        try {
            return new Listener(
                    sequence,
                    lock,
                    context.publisher(List.of(ENDPOINT, settings.eventsEndpoint())),
                    settings,
                    inbox,
                    source,
                    registry,
                    () -> new QueryClient(context, queryEndpoint),
                    clock);
        } catch (RuntimeException e) {
            sequence.close();
            throw e;
        }
    }

    /**
     * Starts publishing, the kernel witness and the event source. When this returns, the source's
     * process runs, if it can be started, and the witness watches the lives that are open.
     */
    public void start() {
        rememberRecorded();
        publisher.start(); // first: the source may have filled the inbox already
        sequence.lastWritten()
                .ifPresent(last ->
                        inbox.put(new Signal.Missed(last, "no listener was running until now")));
        witness.ifPresent(KernelWitness::start);
        checker.start();
        checker.check(); // lives may have begun, and even ended, before there was a daemon at all
        source.start();
        source.awaitFirstStart();
        if (!checker.awaitFirstLook(LOOK_PATIENCE)) {
            LOG.warn("the open lives are not all looked at yet; their ends may be missed");
        }
    }

    /**
     * A life's process is about to run: from now on its end cannot be missed, if the kernel can
     * tell it. From any thread.
     */
    public void watch(Life life) {
        boolean watched = false;
        try {
            watched = witness.isEmpty() || witness.get().watch(life);
        } catch (UncheckedIOException e) {
            LOG.warn("{} cannot be watched now", life.container(), e);
        }
        if (!watched) {
            checker.check();
        }
    }

    /**
     * Whether a life's process was reaped, and the kernel tells how it ended: that is published and
     * recorded within some milliseconds then. Also true where the end could not be witnessed,
     * because no daemon ran. From any thread.
     */
    public boolean isEndTold(Life life) {
        try {
            return witness.isPresent() && life.init().isPresent() && !life.init().get().exists();
        } catch (UncheckedIOException e) {
            LOG.warn("whether {} is over cannot be told now", life.container(), e);
            return false;
        }
    }

    /** How the event source is. From any thread. */
    public Health.Source source() {
        return source.health();
    }

    /** Whether the kernel is asked how processes end, or why it is not. From any thread. */
    public Health.Witness witness() {
        return new Health.Witness(witness.isPresent(), witnessReason);
    }

    /** Whether this machine's kernel reports how processes end. Nothing is changed. */
    public static boolean kernelCanWitness() {
        try (KernelWitness probe = KernelWitness.open(_ -> {}).orElse(null)) {
            return probe != null;
        }
    }

    /**
     * A life is over whose end nobody can tell any more: that is published. From any thread.
     *
     * @param life noted as lost in the registry
     */
    public void lost(Life life) {
        inbox.put(new Signal.Lost(life));
    }

    /** How many processes the kernel witness watches now. */
    int watching() {
        return witness.map(KernelWitness::watching).orElse(0);
    }

    /** Whether the kernel tells how processes end. */
    boolean hasKernelWitness() {
        return witness.isPresent();
    }

    /** Ends the sources and publishes what they had told. */
    public void stop() {
        source.close();
        witness.ifPresent(KernelWitness::stop);
        checker.close();
        publisher.stop(); // before the witness closes: what was reported is still to be taken
    }

    /** Stops, and writes the last number down. May be called twice. */
    @Override
    public void close() {
        stop();
        publisher.close();
        witness.ifPresent(KernelWitness::close);
        sequence.close();
    }

    private static boolean shimWasGone(ContainerRegistry registry, TaskExit exit) {
        try {
            return registry.lives(exit.container()).stream()
                    .anyMatch(life -> life.forceDeleted() && life.endsWith(exit));
        } catch (UncheckedIOException e) {
            LOG.warn(
                    "whether containerd made up the end of {} cannot be told now: it is taken for made up",
                    exit.container(),
                    e);
            return true; // a real code that comes after it is not dropped then
        }
    }

    private void rememberRecorded() {
        try (QueryClient store = queries.get()) {
            Events recorded = lastOf(store, sequence.last());
            if (recorded.lastSeq() > sequence.last()) {
                sequence.goOnAfter(recorded.lastSeq());
                recorded = lastOf(store, recorded.lastSeq());
            }
            recorded.events().forEach(joiner::remember);
        } catch (TardisException e) {
            LOG.warn("what was published before cannot be read; it may be published again", e);
        }
    }

    private static Events lastOf(QueryClient store, long last) {
        return store.replay(Math.max(0, last - REMEMBERED), REMEMBERED);
    }

    /** Asks the store for the checker's thread. */
    private record StoreEnds(QueryClient store) implements LifeChecker.Ends {
        @Override
        public Answer.OfContainer of(ContainerKey container) {
            return store.exitCode(container, Duration.ZERO);
        }

        @Override
        public void close() {
            store.close();
        }
    }
}
