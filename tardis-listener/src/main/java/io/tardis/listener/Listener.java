package io.tardis.listener;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import io.tardis.core.client.QueryClient;
import io.tardis.core.config.RecordScope;
import io.tardis.core.config.Settings;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.figures.Meter;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.Life;
import io.tardis.core.registry.LifeListener;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Health;
import io.tardis.core.wire.QueryCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.listener.Inbox.Signal;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hears every exit and publishes it.
 *
 * <p>One thread reads the event source and parses its lines, one waits for the kernel's word, one
 * looks after lives when events may have been missed; another one joins what they report, numbers
 * it and publishes it.
 *
 * <p>Make it first, then let the others subscribe to {@link #ENDPOINT}, then {@link #start}: so
 * nobody misses the first exit. {@link #stop} first, then let the others take what was published,
 * then {@link #close}: so nobody misses the last one.
 */
public final class Listener implements LifeListener, AutoCloseable {

    /** Where the other parts of the same process subscribe. */
    public static final String ENDPOINT = "inproc://tardis-events";

    private static final Logger LOG = LoggerFactory.getLogger(Listener.class);

    /** How many of the last exits are not to be published once more after a restart. */
    private static final int REMEMBERED = 2_000;

    /** How many containers the store is asked for; those that live come first. */
    private static final int KNOWN = QueryCodec.MAX_LIMIT;

    /** A launcher's note can wait, but not for a publisher that has died. */
    private static final Duration KEEP_PATIENCE = Duration.ofSeconds(5);

    /** A disk that hangs must not keep launchers waiting. */
    private static final Duration LOOK_PATIENCE = Duration.ofSeconds(2);

    private final ExitSequence sequence;
    private final ExitPublisher publisher;
    private final Inbox inbox;
    private final EventSource source;
    private final LifeChecker checker;
    private final LocalNode node;
    private final BundleReader bundles = new BundleReader();
    final Witnesses witnesses;
    private final Health.Witness witnessHealth;
    private final Supplier<QueryClient> queries;
    private final ContainerRegistry registry;

    /**
     * Binds the endpoints. Nothing is published yet.
     *
     * @param settings the state directory and the endpoint
     * @param lock on the state directory, so that no other listener has it; given back by the
     *     caller, when all who take part are closed
     * @param inbox where the source puts its events
     * @param source started with this at the latest, and closed by it
     * @param context makes the sockets; closed by the caller, after this
     * @param registry where the shim notes the lives of enabled containers
     * @param queryEndpoint where the store will answer when this is started
     * @param clock the wall clock
     * @param meter counts what is published
     * @throws io.tardis.core.SetupException if a file cannot be written or an endpoint not be bound
     */
    public Listener(
            Settings settings,
            InstanceLock lock,
            Inbox inbox,
            EventSource source,
            ZmqContext context,
            ContainerRegistry registry,
            String queryEndpoint,
            InstantSource clock,
            Meter meter) {
        this.inbox = inbox;
        this.source = source;
        this.registry = registry;
        this.queries = () -> new QueryClient(context, queryEndpoint);
        ZmqPublisher socket = context.publisher(List.of(ENDPOINT, settings.eventsEndpoint()));
        try {
            this.sequence = ExitSequence.open(settings.stateDir(), clock);
        } catch (SetupException e) {
            socket.close();
            throw e;
        }
        Cgroups cgroups = new Cgroups();
        Optional<KernelWitness> kernel =
                settings.kernelWitness()
                        ? KernelWitness.open(
                                cgroups::measure, number -> inbox.put(new Signal.Reaped(number)))
                        : Optional.empty();
        this.witnessHealth =
                new Health.Witness(
                        kernel.isPresent(),
                        kernel.isPresent()
                                ? ""
                                : settings.kernelWitness()
                                        ? "this kernel does not report how processes end; Linux 6.15 and later do"
                                        : "switched off by TARDIS_KERNEL_WITNESS=off");
        this.witnesses = new Witnesses(kernel, shims(sequence, socket, cgroups));
        boolean keepsAll = settings.record() == RecordScope.ALL;
        String address = RunningContainers.address(settings.ctrCommand(), System.getenv());
        this.checker =
                new LifeChecker(
                        witnesses::watch,
                        keepsAll ? () -> findRunning(address) : () -> {},
                        this::lost,
                        this::deletedUnseen,
                        () -> registry.removeEmpty(clock.instant().minus(settings.retention())),
                        LifeChecker.LATE_REPORT);
        this.node =
                new LocalNode(
                        witnesses,
                        checker,
                        registry,
                        cgroups,
                        source.created,
                        bundles,
                        new Images(),
                        clock);
        if (keepsAll && kernel.isPresent()) {
            source.created.open();
        }
        this.publisher =
                new ExitPublisher(
                        socket,
                        inbox,
                        sequence,
                        kernel,
                        checker,
                        keepsAll,
                        node,
                        lock::keep,
                        clock,
                        meter);
    }

    /**
     * Starts publishing, the kernel witness and the event source. When this returns, the source's
     * process runs, if it can be started, and the witness watches the lives that are open.
     */
    public void start() throws InterruptedException {
        remember();
        publisher.start(); // first: the source may have filled the inbox already
        sequence.lastWritten.ifPresent(
                last -> inbox.put(new Signal.Missed(last, "no listener was running until now")));
        witnesses.start();
        checker.start();
        source.start();
        source.awaitFirstStart();
        if (!checker.awaitFirstLook(LOOK_PATIENCE)) {
            LOG.warn("the open lives are not all looked at yet; their ends may be missed");
        }
    }

    private ShimWitness shims(ExitSequence sequence, ZmqPublisher socket, Cgroups cgroups) {
        try {
            return new ShimWitness(
                    it -> {
                        cgroups.measure(it.life());
                        report(lives -> {
                            lives.reportedByShim(it.life(), it.exit(), System.nanoTime());
                            witnesses.shims().forget(it.life());
                        });
                    },
                    it -> checker.check(it));
        } catch (IOException e) {
            sequence.close();
            socket.close();
            throw new SetupException("containerd's shims cannot be asked: " + e, e);
        }
    }

    /** Containers that were created while nobody listened. */
    private void findRunning(String address) {
        for (RunningContainers.Found it : RunningContainers.of(address)) {
            report(lives -> lives.found(it.asCreate()));
        }
    }

    @Override
    public void begun(Life life, boolean isRegistered) {
        report(it -> it.begun(life, isRegistered));
    }

    @Override
    public Life keep(ContainerKey container, Path bundle, Instant at, Instant until) {
        CompletableFuture<Life> life = new CompletableFuture<>();
        report(it -> life.complete(it.keep(container, bundle, at, until)));
        try {
            return life.get(KEEP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new TardisException("the listener does not answer", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TardisException("interrupted", e);
        }
    }

    /**
     * A life's process is about to run: from now on its end cannot be missed, if the kernel can
     * report it. From any thread.
     */
    @Override
    public void started(Life life) {
        report(it -> it.started(life));
        node.watch(life, false);
    }

    private void deletedUnseen(Life life) {
        try {
            boolean wasOpen = registry.close(life);
            deleted(life);
            if (wasOpen) {
                LOG.info("{} was deleted unseen", life.container());
            }
        } catch (IOException e) {
            LOG.warn("{} was deleted unseen, and cannot be closed now", life.container(), e);
        }
    }

    /**
     * Whether a life's process was reaped, and the kernel reports how it ended: that is published
     * and recorded within some milliseconds then. Also true where the end could not be witnessed,
     * because no daemon ran. From any thread.
     */
    @Override
    public boolean isEndKnown(Life life) {
        try {
            return witnesses.kernel().isPresent()
                    && life.init().isPresent()
                    && !life.init().get().exists();
        } catch (UncheckedIOException e) {
            LOG.warn("whether {} is over cannot be read now", life.container(), e);
            return false;
        }
    }

    /** How the event source is. From any thread. */
    public Health.Source source() {
        return source.health();
    }

    /** Whether the kernel is asked how processes end, or why it is not. From any thread. */
    public Health.Witness witness() {
        return witnessHealth;
    }

    /** Whether this machine's kernel reports how processes end. Nothing is changed. */
    public static boolean kernelCanWitness() {
        try (KernelWitness probe = KernelWitness.open(_ -> {}, _ -> {}).orElse(null)) {
            return probe != null;
        }
    }

    @Override
    public void lost(Life life) {
        report(it -> it.lost(life));
    }

    @Override
    public void deleted(Life life) {
        report(it -> it.deleted(life, witnesses.isWatching(life)));
    }

    private void report(Consumer<Lives> report) {
        inbox.put(new Signal.OfLife(report));
    }

    /** Ends the sources and publishes what they had reported. */
    public void stop() {
        source.close();
        witnesses.stop();
        checker.close();
        publisher.stop(); // before the witnesses close: what was reported is still to be taken
    }

    /** Stops, and writes the last number down. May be called twice. */
    @Override
    public void close() {
        stop();
        publisher.close();
        witnesses.close();
        bundles.close();
        sequence.close();
    }

    /** What is known of lives from before. */
    private void remember() {
        KnownLives known = publisher.known;
        List<Life> former = new ArrayList<>(registry.load());
        try (QueryClient store = queries.get()) {
            sequence.goOnAfter(store.replay(sequence.last(), 1).lastSeq());
            store.replay(Math.max(0, sequence.last() - REMEMBERED), REMEMBERED)
                    .events()
                    .forEach(known::remember);
            Map<String, Answer.OfContainer> newest = new HashMap<>();
            for (Answer.OfContainer each : store.list(Optional.empty(), KNOWN).containers()) {
                KnownLives.lifeOf(each).ifPresent(it -> newest.put(it.life.id(), each));
            }
            for (Life life : registry.openLives()) {
                // One question for each would take seconds where there are thousands.
                Answer.OfContainer state = newest.remove(life.id());
                known.remember(life, state != null ? state : stateOf(store, life));
            }
            newest.values().forEach(known::remember);
            former.removeIf(it -> !(stateOf(store, it) instanceof Answer.Unknown));
        } catch (TardisException e) {
            LOG.warn("what was published before cannot be read; it may be published again", e);
            registry.openLives()
                    .forEach(it -> known.remember(it, new Answer.Unknown(it.container())));
        }
        known.lost.addAll(former);
    }

    private static Answer.OfContainer stateOf(QueryClient store, Life life) {
        return store.exitCode(life.container(), Optional.of(life.id()), Duration.ZERO);
    }
}
