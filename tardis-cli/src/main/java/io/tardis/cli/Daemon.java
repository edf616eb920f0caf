package io.tardis.cli;

import io.tardis.core.FailureLog;
import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import io.tardis.core.client.QueryClient;
import io.tardis.core.config.Settings;
import io.tardis.core.figures.Meter;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.RemovedTrees;
import io.tardis.core.wire.Health;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.listener.EventSource;
import io.tardis.listener.Inbox;
import io.tardis.listener.InstanceLock;
import io.tardis.listener.Listener;
import io.tardis.runc.MissedNotes;
import io.tardis.runc.RuncShim;
import io.tardis.runc.ShimServer;
import io.tardis.store.DirectAnswers;
import io.tardis.store.Store;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The daemon: listener, store and shim server in one JVM, which meet on {@code inproc} sockets.
 *
 * <p>They start in the order in which an exit travels, and the socket that the launcher looks for
 * comes last: who reaches it reaches a daemon that hears, keeps and answers.
 */
final class Daemon {

    private static final Logger LOG = LoggerFactory.getLogger(Daemon.class);
    private static final Duration ANSWER_PATIENCE = Duration.ofSeconds(1);
    private static final Duration WORK_PATIENCE = Duration.ofMillis(500);
    private static final Duration SUCCESSOR_PATIENCE = Duration.ofSeconds(30);

    /** Of a daemon in a process of its own; a new one waits for the end of one that failed. */
    static final Ending ENDING =
            new Ending(Duration.ofSeconds(5), Duration.ofSeconds(1), Daemon::halt);

    /**
     * How a daemon's process ends.
     *
     * @param stopPatience how long its parts may take to end
     * @param failPatience the same where one of them failed
     * @param halt ends the process at once, with an exit status
     */
    record Ending(Duration stopPatience, Duration failPatience, IntConsumer halt) {}

    /** Completed with null to stop, or with what went wrong. */
    private final CompletableFuture<Void> end = new CompletableFuture<>();

    private final CountDownLatch ended = new CountDownLatch(1);
    private final Environment environment;
    private final Settings settings;
    private final boolean takeOver;
    private final boolean isService;
    private final Consumer<Duration> successor;
    private final Ending ending;
    private final long began = System.nanoTime();
    private Optional<HandOver> handOver = Optional.empty();
    private final AtomicBoolean failed = new AtomicBoolean();

    /** Who serves launchers, from when it does. */
    private volatile @Nullable ShimServer shims;

    /** Of the state directory; belongs to the recorder's thread. */
    private final FailureLog failures = new FailureLog(Daemon.class);

    /**
     * A daemon that does not run yet.
     *
     * @param environment its process's
     * @param settings what the environment and the settings file said
     * @param takeOver whether to end the daemon that has the state directory, if one does, and go
     *     on in its place
     * @param isService whether a service manager runs it: then nobody else may replace it
     * @param successor sees to it that there is a new daemon after this one failed, which had lived
     *     for so long
     */
    Daemon(
            Environment environment,
            Settings settings,
            boolean takeOver,
            boolean isService,
            Consumer<Duration> successor,
            Ending ending) {
        this.environment = environment;
        this.settings = settings;
        this.takeOver = takeOver;
        this.isService = isService;
        this.successor = successor;
        this.ending = ending;
    }

    private static void halt(int status) {
        Logging.flush();
        Runtime.getRuntime().halt(status);
    }

    /**
     * Runs until SIGTERM or SIGINT, or until a part fails.
     *
     * @return the exit status
     */
    int run() {
        Thread.setDefaultUncaughtExceptionHandler(
                (thread, cause) -> fail("the thread " + thread.getName(), cause));
        Runtime.getRuntime().addShutdownHook(new Thread(this::stop, "tardis-stop"));
        Optional<Installation> installation = Installation.own();
        handOver = installation.map(this::watch);
        if (takeOver) {
            installation.ifPresent(Installation::loadClasses); // while the other one still serves
        }
        try {
            serve();
            LOG.info("stopped");
            return end.isCompletedExceptionally() ? ExitStatus.FAILED : ExitStatus.OK;
        } finally {
            ended.countDown();
        }
    }

    private void serve() {
        Directories.makePrivate(settings.stateDir());
        Directories.makeRunDir(settings);
        InstantSource clock = InstantSource.system();
        ContainerRegistry registry = new ContainerRegistry(settings.containersDir());
        // The lock goes last: who waits for it finds the ports free and everything written.
        Inbox inbox = new Inbox();
        Meter meter = new Meter();
        try (Admission admission = Admission.open(settings);
                EventSource source = new EventSource(settings.ctrCommand(), inbox, clock);
                InstanceLock lock =
                        takeOver
                                ? TakeOver.lock(settings, source, end::isDone)
                                : InstanceLock.take(settings.stateDir());
                ZmqContext context =
                        new ZmqContext(
                                cause -> fail("a thread of ZeroMQ's", cause),
                                settings.curve(),
                                settings.limits().maxConnections(),
                                admission.clients());
                Listener listener =
                        new Listener(
                                settings,
                                lock,
                                inbox,
                                source,
                                context,
                                registry,
                                Store.ENDPOINT,
                                clock,
                                meter);
                RemovedTrees removed =
                        new RemovedTrees(
                                List.of(settings.containersDir(), settings.checkpointDir()));
                QueryClient store = new QueryClient(context, Store.ENDPOINT, ANSWER_PATIENCE)) {
            RuncShim shim =
                    new RuncShim(
                            registry,
                            settings.checkpointDir(),
                            removed::look,
                            (life, wait) ->
                                    store.exitCode(life.container(), Optional.of(life.id()), wait),
                            listener,
                            settings.deleteWait(),
                            clock);
            MissedNotes missed = new MissedNotes(settings.runDir(), shim);
            Supplier<Health> health =
                    () ->
                            new Health(
                                    listener.source(),
                                    listener.witness(),
                                    socketHealth(),
                                    admission.health());
            try (Store answers =
                            Store.open(
                                    settings,
                                    Listener.ENDPOINT,
                                    context,
                                    Version.text(),
                                    health,
                                    () -> keepStateDir(lock, registry),
                                    clock,
                                    meter);
                    MetricsServer _ =
                            MetricsServer.open(settings.metricsEndpoint(), answers::figures)) {
                admission.start();
                removed.start();
                listener.start();
                serveCommands(context, answers.direct(), () -> serve(shim, missed));
                listener.stop();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void serveCommands(ZmqContext context, DirectAnswers answers, Runnable whileServed) {
        try (CommandServer _ = CommandServer.open(environment, settings, context, answers)) {
            whileServed.run();
        }
    }

    private void serve(RuncShim shim, MissedNotes missed) {
        // Longer than the longest wait for an answer: a store that is silent must not look like a
        // daemon that is silent, or the launcher would have the work done once more.
        Duration longestWork = shim.longestWait().plus(ANSWER_PATIENCE).plus(WORK_PATIENCE);
        Runnable makeDirectory = () -> Directories.makeRunDir(settings);
        try (ShimServer server =
                ShimServer.open(settings.socket(), makeDirectory, missed, longestWork)) {
            shims = server;
            FailedStart.forget(settings.runDir());
            LOG.info(
                    "Tardis {} runs as process {}: events on {}, queries on {}, state in {}, source '{}'",
                    Version.text(),
                    ProcessHandle.current().pid(),
                    settings.eventsEndpoint(),
                    settings.queryEndpoint(),
                    settings.stateDir(),
                    String.join(" ", settings.ctrCommand()));
            handOver.ifPresent(HandOver::start);
            boolean _ = end.handle((_, _) -> true).join(); // a failure is in the log already
            handOver.ifPresent(HandOver::stop);
        }
    }

    /** Looks after what this process runs from; what is there now counts as not replaced. */
    private HandOver watch(Installation own) {
        BackgroundDaemon successor = new BackgroundDaemon(settings, own.program());
        return new HandOver(own, isService, () -> successor.replace(SUCCESSOR_PATIENCE));
    }

    /**
     * Whether the state directory is this daemon's. Where somebody removed it, the lock or the open
     * lives, they are made again.
     *
     * @throws io.tardis.listener.AlreadyRunningException if another daemon has it by now
     */
    private boolean keepStateDir(InstanceLock lock, ContainerRegistry registry) {
        try {
            Directories.makePrivate(settings.stateDir());
            failures.over();
            boolean own = lock.keep();
            if (own) {
                registry.keepInPlace();
            }
            return own;
        } catch (SetupException e) {
            failures.error("what is recorded is in memory only: " + e.getMessage(), "");
            return false;
        }
    }

    private Health.Socket socketHealth() {
        ShimServer server = shims;
        Optional<String> problem = server == null ? Optional.empty() : server.problem();
        if (!Files.exists(settings.socket(), LinkOption.NOFOLLOW_LINKS)) {
            problem =
                    Optional.of(
                            settings.socket()
                                    + " is not there, and no launcher reaches the daemon");
        }
        return new Health.Socket(problem.isEmpty(), problem.orElse(""));
    }

    /**
     * Ends the daemon, from any thread, and has a new one started. What is closed then may wait for
     * the very thread that died, for ever: so the process is halted if that takes too long.
     */
    void fail(String part, Throwable cause) {
        whateverIsLoaded(() -> LOG.error("{} died; the daemon ends", part, cause));
        if (end.isDone() || failed.getAndSet(true)) {
            return;
        }
        try {
            // First: what ends may end the process before the next one is started.
            whateverIsLoaded(this::startSuccessor);
            end.completeExceptionally(cause);
            Thread.ofPlatform().daemon().name("tardis-halt").start(this::haltUnlessEnded);
        } catch (OutOfMemoryError | LinkageError e) {
            // No thread is left that could wait for an orderly end.
            whateverIsLoaded(() -> LOG.error("the daemon is halted", e));
            ending.halt().accept(ExitStatus.FAILED);
        }
    }

    /**
     * Goes on where a class is missing, which may be why the daemon fails: its files were replaced
     * before it had loaded them. Then the next container starts another one.
     */
    private static void whateverIsLoaded(Runnable step) {
        try {
            step.run();
        } catch (LinkageError e) {
            System.err.println(e);
        }
    }

    private void startSuccessor() {
        try {
            successor.accept(Duration.ofNanos(System.nanoTime() - began));
        } catch (TardisException e) {
            LOG.error("no new daemon is started: {}", e.getMessage());
        }
    }

    private void haltUnlessEnded() {
        if (!hasEnded(ending.failPatience())) {
            LOG.error("the daemon does not end by itself and is halted");
            ending.halt().accept(ExitStatus.FAILED);
        }
    }

    private boolean hasEnded(Duration patience) {
        try {
            return ended.await(patience.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** The JVM ends when this returns; without the halt its exit status would be the signal's. */
    private void stop() {
        if (ended.getCount() == 0) {
            return; // it ended by itself, and has an exit status
        }
        end.complete(null);
        boolean well = hasEnded(ending.stopPatience()) && !end.isCompletedExceptionally();
        ending.halt().accept(well ? ExitStatus.OK : ExitStatus.FAILED);
    }
}
