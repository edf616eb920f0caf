package io.tardis.store;

import io.tardis.core.config.Settings;
import io.tardis.core.figures.Figures;
import io.tardis.core.figures.Meter;
import io.tardis.core.wire.Answer.Backlog;
import io.tardis.core.wire.Health;
import io.tardis.core.wire.Topic;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqReplier;
import io.tardis.core.zmq.ZmqSubscriber;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/**
 * Keeps every exit and answers how a container ended. Three threads: one writes what is published
 * into the exit log, one answers questions, and one makes the lists that it is asked for; each has
 * its own connection to the log.
 *
 * <p>{@link #open} after the listener is bound and before it starts: so the store misses nothing.
 */
public final class Store implements AutoCloseable {

    /** Where the other parts of the same process ask. */
    public static final String ENDPOINT = "inproc://tardis-queries";

    /** Of the memory; the rest is for what arrives, for clients and for the collector. */
    static final int UNWRITTEN_PART = 4;

    private static final List<String> TOPICS =
            List.of(Topic.EXIT, Topic.EXEC_EXIT, Topic.BEGUN, Topic.LOST);

    private final ExitRecorder recorder;
    private final QueryServer server;
    private final Supplier<Figures> figures;
    private final DirectAnswers direct;

    private Store(
            ExitRecorder recorder,
            QueryServer server,
            Supplier<Figures> figures,
            DirectAnswers direct) {
        this.recorder = recorder;
        this.server = server;
        this.figures = figures;
        this.direct = direct;
    }

    /**
     * Opens the exit log, subscribes, binds the query endpoint, and begins.
     *
     * @param settings the exit log's place, the endpoint, and how long to keep what
     * @param eventsEndpoint what to subscribe to
     * @param context makes the sockets; closed by the caller, after this
     * @param version what to answer to a ping
     * @param health how the other parts of the daemon are, for that answer; called from the
     *     server's thread
     * @param ownsStateDir whether the state directory is there and this process's: asked before the
     *     log is written there anew, because somebody removed it; from the recorder's thread
     * @param clock the wall clock
     * @param meter what the listener counts; the store adds its part, and answers with all of it
     * @throws io.tardis.core.SetupException if the log cannot be opened or the endpoint not be
     *     bound
     */
    public static Store open(
            Settings settings,
            String eventsEndpoint,
            ZmqContext context,
            String version,
            Supplier<Health> health,
            BooleanSupplier ownsStateDir,
            InstantSource clock,
            Meter meter) {
        SqliteLibrary.load(settings.stateDir());
        ZmqReplier replier = context.replier(List.of(ENDPOINT, settings.queryEndpoint()));
        try {
            SqliteExitLog writer =
                    SqliteExitLog.openWriter(settings.exitLog(), clock, ownsStateDir);
            SqliteReader reader = writer.openReader();
            LifeCache lives = new LifeCache(reader);
            Unwritten unwritten =
                    new Unwritten(
                            settings.limits().maxUnwritten(),
                            Runtime.getRuntime().maxMemory() / UNWRITTEN_PART);
            Supplier<Figures> figures = () -> read(meter, unwritten, settings.exitLog());
            QueryServer server =
                    new QueryServer(
                            replier,
                            reader,
                            writer::openReader,
                            lives,
                            unwritten,
                            settings.limits(),
                            version,
                            health,
                            figures);
            ZmqSubscriber subscriber = context.subscriber(eventsEndpoint, TOPICS);
            ExitRecorder recorder =
                    new ExitRecorder(
                            subscriber,
                            writer,
                            lives,
                            unwritten,
                            server::over,
                            settings,
                            clock,
                            meter);
            DirectAnswers direct =
                    new DirectAnswers(
                            writer::openReader,
                            lives,
                            unwritten,
                            version,
                            () -> Optional.of(health.get()),
                            () -> Optional.of(figures.get()));
            server.start();
            recorder.start();
            return new Store(recorder, server, figures, direct);
        } catch (RuntimeException e) {
            replier.close(); // or the context would wait for it for ever
            throw e;
        }
    }

    /**
     * Makes sure that another daemon could open the exit log, beside one that has it open.
     *
     * @param settings the exit log's place
     * @throws io.tardis.core.SetupException if another program keeps it
     */
    public static void rehearse(Settings settings) {
        ExitLogFile.rehearse(settings.exitLog());
    }

    /** What the daemon has counted and measured until now. From any thread. */
    public Figures figures() {
        return figures.get();
    }

    private static Figures read(Meter meter, Unwritten unwritten, Path log) {
        Backlog backlog = unwritten.backlog();
        long bytes = sizeOf(log) + sizeOf(log.resolveSibling(log.getFileName() + "-wal"));
        return meter.read(backlog.unwritten(), backlog.dropped(), bytes);
    }

    /** 0 for a file that is not there, or cannot be looked at now. */
    private static long sizeOf(Path file) {
        return file.toFile().length();
    }

    /** Answers in the thread that asks; closed with the store. */
    public DirectAnswers direct() {
        return direct;
    }

    /** Writes what has arrived, answers who waits with what is known, and closes the log. */
    @Override
    public void close() {
        direct.close();
        recorder.close();
        server.close();
    }
}
