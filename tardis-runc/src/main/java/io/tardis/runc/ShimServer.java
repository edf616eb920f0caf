package io.tardis.runc;

import io.tardis.core.FailureLog;
import io.tardis.core.SetupException;
import io.tardis.core.Worker;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens on {@code tardis.sock} and lets {@link RuncShim} do its work for each call that the
 * launcher sends. One thread accepts; each connection then has its own, since a {@code delete} may
 * wait.
 */
public final class ShimServer implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ShimServer.class);

    /** More connections at once wait in the backlog. */
    private static final int MAX_CONNECTIONS = 256;

    /** A launcher sends its request at once. Who sends none must not hold a place for ever. */
    private static final Duration REQUEST_PATIENCE = Duration.ofSeconds(5);

    /** Long enough not to spin while descriptors are used up, short enough for a launcher. */
    private static final Duration ACCEPT_PAUSE = Duration.ofMillis(100);

    private static final Duration STOP_PATIENCE = Duration.ofSeconds(1);

    private static final int LEAST_WORKERS = 4;
    private static final Duration IDLE_WORKER = Duration.ofSeconds(60);

    /** How often the socket is looked at, and what launchers could not bring here. */
    private static final Duration LOOK = Duration.ofMillis(500);

    private final ShimSocket socket;

    /** Since when each worker has done what it does, by the monotonic clock. */
    private final Map<Thread, Long> works = new ConcurrentHashMap<>();

    /** Whether that was logged; for the keeper alone. */
    private boolean hangs;

    private final MissedNotes calls;
    private final Duration longestWork;
    private final Duration requestPatience;
    private final Worker acceptor;
    private final Worker keeper = new Worker("tardis-runc-keeper", this::keep);

    /** Some are there from the start: they go on where no other thread can be made. */
    private final ThreadPoolExecutor workers;

    private final ScheduledThreadPoolExecutor deadlines =
            new ScheduledThreadPoolExecutor(
                    1, Thread.ofPlatform().daemon().name("tardis-runc-deadlines").factory());

    /** Of accepting; for the acceptor alone. */
    private final FailureLog failures = new FailureLog(ShimServer.class);

    ShimServer(
            ShimSocket socket,
            MissedNotes calls,
            Duration longestWork,
            Duration requestPatience,
            ThreadFactory threads) {
        this.socket = socket;
        this.calls = calls;
        this.longestWork = longestWork;
        this.requestPatience = requestPatience;
        this.acceptor = new Worker("tardis-runc-accept", this::accept, socket::close);
        this.workers =
                new ThreadPoolExecutor(
                        LEAST_WORKERS,
                        MAX_CONNECTIONS,
                        IDLE_WORKER.toSeconds(),
                        TimeUnit.SECONDS,
                        new SynchronousQueue<>(),
                        threads);
    }

    /**
     * Binds {@code socket}, and begins: with what launchers could not bring to a daemon. A socket
     * that nobody listens on any more is replaced.
     *
     * @param socket where to listen, in a directory that nobody else can use
     * @param makeDirectory makes that directory, and sees to it that nobody else can use it; throws
     *     {@link SetupException}
     * @param calls does the work
     * @param longestWork how long the launcher is asked to wait for one piece of work
     * @throws SetupException if somebody listens there already, or it cannot be bound
     */
    public static ShimServer open(
            Path socket, Runnable makeDirectory, MissedNotes calls, Duration longestWork) {
        return new ShimServer(
                        ShimSocket.open(socket, makeDirectory, Optional.empty()),
                        calls,
                        longestWork,
                        REQUEST_PATIENCE,
                        workerThreads())
                .start();
    }

    static ThreadFactory workerThreads() {
        return Thread.ofPlatform().name("tardis-runc-shim-", 0).factory();
    }

    ShimServer start() {
        workers.prestartAllCoreThreads();
        deadlines.prestartAllCoreThreads();
        acceptor.start();
        keeper.start();
        return this;
    }

    /**
     * Stops listening, removes the socket, and waits a moment for what is being done. The second
     * time it does nothing.
     */
    @Override
    public void close() {
        if (keeper.isStopping()) {
            return; // by now the socket may be another daemon's
        }
        keeper.close(STOP_PATIENCE);
        // Before the workers: what it has just accepted needs one.
        acceptor.close(STOP_PATIENCE);
        workers.shutdown();
        try {
            if (!workers.awaitTermination(STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.warn("some command lines were still being worked on at the end");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        deadlines.shutdown(); // those that run are kept: they end what still holds a worker
    }

    /** Why launchers are not served now; empty if they are. From any thread. */
    public Optional<String> problem() {
        String unbound = socket.problem();
        return Optional.ofNullable(
                unbound == null && isHanging()
                        ? "a call of a launcher does not end, its disk may hang; until it does, all leave notes"
                        : unbound);
    }

    /** Whether a call takes longer than its launcher waits; the next ones would, too. */
    private boolean isHanging() {
        long now = System.nanoTime();
        return works.values().stream().anyMatch(it -> now - it > longestWork.toNanos());
    }

    private void keep() throws InterruptedException {
        do {
            socket.keep();
            tellWhetherItHangs();
            calls.replayAll();
            boolean _ = keeper.await(LOOK);
        } while (!keeper.isStopping());
    }

    private void tellWhetherItHangs() {
        boolean now = isHanging();
        if (now && !hangs) {
            LOG.error(
                    "a call takes longer than {}; launchers leave notes until it ends",
                    longestWork);
        } else if (!now && hangs) {
            LOG.info("the call that took so long has ended; launchers are served again");
        }
        hangs = now;
    }

    private void accept() throws InterruptedException {
        while (!acceptor.isStopping()) {
            try {
                if (hand(socket.accept()) && failures.over()) {
                    LOG.info("command lines are accepted again");
                }
            } catch (ClosedChannelException _) {
                LOG.debug("stopped listening on {}; it may be bound again", socket);
            } catch (IOException e) {
                // Out of descriptors, for instance: they will return, and launchers try again.
                failures.error("no command line can be accepted on " + socket + " now", e);
                Thread.sleep(ACCEPT_PAUSE);
            }
        }
    }

    /**
     * Gives it to a thread: another one, or one of those that are there as soon as it is free.
     *
     * @return whether all is well
     */
    private boolean hand(SocketChannel connection) throws InterruptedException {
        Runnable work = () -> serve(connection);
        try {
            workers.execute(work);
            return true;
        } catch (RejectedExecutionException e) {
            LOG.debug("all workers are busy", e);
        } catch (OutOfMemoryError e) {
            // Not of memory: the end of the heap ends the process. The limit of processes is
            // reached, and the JVM calls that the same.
            failures.error("no thread can be made now; command lines wait for each other", e);
        }
        if (!workers.getQueue().offer(work, longestWork.toMillis(), TimeUnit.MILLISECONDS)) {
            close(connection); // the launcher leaves a note of it
        }
        return false;
    }

    private void serve(SocketChannel connection) {
        try (connection) {
            DataInputStream in =
                    new DataInputStream(
                            new BufferedInputStream(Channels.newInputStream(connection)));
            DataOutputStream out =
                    new DataOutputStream(
                            new BufferedOutputStream(Channels.newOutputStream(connection)));
            LauncherProtocol.checkPeer(connection);
            Optional<RuncCall> call = readCall(connection, in);
            // First a word to the launcher: one that has given up is not there to take it, and the
            // work of a call that is over would fall upon the container's next life.
            LauncherProtocol.writeWait(out, longestWork);
            LauncherProtocol.writeEnd(out, call.isEmpty() || serve(call.get()));
        } catch (IOException e) {
            LOG.warn("a launcher could not be served: {}", e.toString());
        }
    }

    /** Returns false if the launcher is to leave a note. */
    private boolean serve(RuncCall call) {
        if (isHanging()) {
            return false;
        }
        works.put(Thread.currentThread(), System.nanoTime());
        try {
            return calls.serve(call);
        } finally {
            works.remove(Thread.currentThread());
        }
    }

    /**
     * What the launcher sends may be an enabled container's: it is never passed over in silence.
     */
    private Optional<RuncCall> readCall(SocketChannel connection, DataInputStream in)
            throws IOException {
        // A blocking channel has no timeout; closing it ends the read.
        Future<?> deadline =
                deadlines.schedule(
                        () -> close(connection), requestPatience.toMillis(), TimeUnit.MILLISECONDS);
        try {
            return LauncherProtocol.readRequest(in);
        } catch (LauncherProtocol.UnusableRequestException e) {
            LOG.warn("a call of the launcher is passed over: {}", e.getMessage());
            return Optional.empty();
        } finally {
            deadline.cancel(false);
        }
    }

    private static void close(SocketChannel connection) {
        try {
            connection.close();
        } catch (IOException e) {
            LOG.warn("a launcher cannot be sent away", e);
        }
    }
}
