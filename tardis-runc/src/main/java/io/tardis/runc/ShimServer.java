package io.tardis.runc;

import io.tardis.core.SetupException;
import io.tardis.core.Threads;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import jdk.net.ExtendedSocketOptions;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens on {@code tardis.sock} and lets {@link RuncShim} do its work for each call that the
 * launcher sends. One thread accepts; each connection then has its own, since a {@code delete} may
 * wait.
 */
public final class ShimServer implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ShimServer.class);
    private static final int BACKLOG = 256;

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

    private final Path socket;
    private final Runnable makeDirectory;
    private volatile ServerSocketChannel server;

    /** Distinguishes the socket that {@link #server} listens on from another one of its name. */
    private volatile @Nullable Object boundSocket;

    /** Why nobody can reach the server now. */
    private volatile @Nullable String problem;

    /** What is being done. */
    private final Set<Work> works = ConcurrentHashMap.newKeySet();

    /** Whether that was logged; for the keeper alone. */
    private boolean hangs;

    private final UserPrincipal owner;
    private final MissedNotes calls;
    private final Duration longestWork;
    private final Duration requestPatience;
    private final Thread acceptor;
    private final Thread keeper;
    private final CountDownLatch stopping = new CountDownLatch(1);
    private final Semaphore connections = new Semaphore(MAX_CONNECTIONS);

    /** Some are there from the start: they go on where no other thread can be made. */
    private final ThreadPoolExecutor workers;

    private final ScheduledThreadPoolExecutor deadlines =
            new ScheduledThreadPoolExecutor(
                    1, Thread.ofPlatform().daemon().name("tardis-runc-deadlines").factory());

    /** One piece of work, known by its identity. */
    private static final class Work {
        private final long began = System.nanoTime();
    }

    /** How often in a row nothing could be accepted; for the acceptor alone. */
    private long refused;

    /** How many had to wait for a thread in a row; for the acceptor alone. */
    private long waited;

    private ShimServer(
            Path socket,
            Runnable makeDirectory,
            ServerSocketChannel server,
            MissedNotes calls,
            UserPrincipal owner,
            Duration longestWork,
            Duration requestPatience,
            ThreadFactory threads) {
        this.socket = socket;
        this.makeDirectory = makeDirectory;
        this.owner = owner;
        this.server = server;
        this.boundSocket = keyOf(socket);
        this.calls = calls;
        this.longestWork = longestWork;
        this.requestPatience = requestPatience;
        this.workers =
                new ThreadPoolExecutor(
                        LEAST_WORKERS,
                        Integer.MAX_VALUE, // connections are limited; a worker is busy a bit longer
                        IDLE_WORKER.toSeconds(),
                        TimeUnit.SECONDS,
                        new SynchronousQueue<>(),
                        threads);
        this.acceptor = new Thread(this::accept, "tardis-runc-accept");
        this.keeper = new Thread(this::keep, "tardis-runc-keeper");
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
        makeDirectory.run();
        UserPrincipal owner = ownUser();
        return start(
                new ShimServer(
                        socket,
                        makeDirectory,
                        bind(socket),
                        calls,
                        owner,
                        longestWork,
                        REQUEST_PATIENCE,
                        workerThreads()));
    }

    static ShimServer start(
            Path socket,
            ServerSocketChannel server,
            RuncShim shim,
            Duration longestWork,
            Duration requestPatience) {
        return start(socket, server, shim, longestWork, requestPatience, workerThreads());
    }

    static ShimServer start(
            Path socket,
            ServerSocketChannel server,
            RuncShim shim,
            Duration longestWork,
            Duration requestPatience,
            ThreadFactory threads) {
        UserPrincipal owner = ownUser();
        return start(
                new ShimServer(
                        socket,
                        () -> {},
                        server,
                        new MissedNotes(socket.resolveSibling(""), shim),
                        owner,
                        longestWork,
                        requestPatience,
                        threads));
    }

    private static ThreadFactory workerThreads() {
        return Thread.ofPlatform().name("tardis-runc-shim-", 0).factory();
    }

    private static ShimServer start(ShimServer shimServer) {
        shimServer.workers.prestartAllCoreThreads();
        shimServer.deadlines.prestartAllCoreThreads();
        shimServer.acceptor.start();
        shimServer.keeper.start();
        return shimServer;
    }

    static UserPrincipal ownUser() {
        try {
            return Files.getOwner(Path.of("/proc/self"));
        } catch (IOException e) {
            throw new SetupException("this process's user cannot be read: " + e, e);
        }
    }

    static ServerSocketChannel bind(Path socket) {
        try {
            if (Files.exists(socket, LinkOption.NOFOLLOW_LINKS)) {
                if (ShimClient.isServed(socket)) {
                    throw new SetupException("another process listens on " + socket);
                }
                Files.delete(socket);
            }
            ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                server.bind(UnixDomainSocketAddress.of(socket), BACKLOG);
                Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
            } catch (IOException e) {
                server.close();
                throw e;
            }
            return server;
        } catch (IOException e) {
            throw new SetupException("cannot listen on " + socket + ": " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        stop();
    }

    /**
     * Stops listening, removes the socket, and waits a moment for what is being done. The second
     * time it does nothing.
     */
    public void stop() {
        if (stopping.getCount() == 0) {
            return; // by now the socket may be another daemon's
        }
        stopping.countDown();
        boolean _ = Threads.awaitEnd(keeper, STOP_PATIENCE);
        try {
            if (isBound()) {
                Files.deleteIfExists(socket);
            }
            server.close();
        } catch (IOException e) {
            LOG.warn("{} cannot be closed", socket, e);
        }
        try {
            // First the acceptor: what it has just accepted needs a worker.
            acceptor.join(STOP_PATIENCE);
            workers.shutdown();
            if (!workers.awaitTermination(STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.warn("some command lines were still being worked on at the end");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            workers.shutdown();
            deadlines.shutdown(); // those that run are kept: they end what still holds a worker
        }
    }

    /** Why launchers are not served now; empty if they are. From any thread. */
    public Optional<String> problem() {
        return Optional.ofNullable(problem)
                .or(() ->
                        isHanging()
                                ? Optional.of(
                                        "a call of a launcher does not end, its disk may hang; until it does, all leave notes")
                                : Optional.empty());
    }

    /** Whether a call takes longer than its launcher waits; the next ones would, too. */
    private boolean isHanging() {
        long now = System.nanoTime();
        return works.stream().anyMatch(it -> now - it.began > longestWork.toNanos());
    }

    private void keep() {
        try {
            do {
                if (!isBound()) {
                    bindAgain();
                }
                tellWhetherItHangs();
                calls.replayAll();
            } while (!stopping.await(LOOK.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
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

    private boolean isBound() {
        Object bound = boundSocket;
        return bound != null && bound.equals(keyOf(socket));
    }

    /** The inode of what has this name; null if there is nothing, or it cannot be looked at. */
    private static @Nullable Object keyOf(Path socket) {
        try {
            BasicFileAttributes attributes =
                    socket.getFileSystem()
                            .provider()
                            .readAttributesIfExists(
                                    socket, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            return attributes == null ? null : attributes.fileKey();
        } catch (IOException e) {
            LOG.debug("{} cannot be looked at", socket, e);
            return null;
        }
    }

    /** Somebody removed the socket, or its directory, or put another one there. */
    private void bindAgain() {
        try {
            makeDirectory.run();
            ServerSocketChannel before = server;
            server = bind(socket);
            boundSocket = keyOf(socket);
            before.close();
            problem = null;
            LOG.warn("{} had been removed or replaced, and is bound again", socket);
        } catch (SetupException | IOException e) {
            if (problem == null) {
                LOG.error(
                        "launchers cannot reach the daemon: {} was removed or replaced, and is bound again as soon as possible: {}",
                        socket,
                        e.getMessage());
            }
            problem = String.valueOf(e.getMessage());
        }
    }

    private void accept() {
        try {
            while (stopping.getCount() > 0) {
                connections.acquire();
                acceptOne();
            }
            LOG.debug("stopped listening on {}", socket);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void acceptOne() throws InterruptedException {
        try {
            SocketChannel connection = server.accept();
            if (refused > 0) {
                LOG.info("command lines are accepted again, after {} failures", refused);
                refused = 0;
            }
            hand(connection);
        } catch (ClosedChannelException e) {
            connections.release();
        } catch (IOException e) {
            // Out of descriptors, for instance: they will return, and launchers try again.
            connections.release();
            if (refused++ == 0) {
                LOG.error("no command line can be accepted on {} now", socket, e);
            }
            Thread.sleep(ACCEPT_PAUSE);
        }
    }

    /** Gives it to a thread: another one, or one of those that are there as soon as it is free. */
    private void hand(SocketChannel connection) throws InterruptedException {
        Runnable work = () -> serve(connection);
        try {
            workers.execute(work);
            if (waited > 0) {
                LOG.info("threads can be made again; {} command lines waited for one", waited);
                waited = 0;
            }
        } catch (OutOfMemoryError e) {
            // Not of memory: the end of the heap ends the process. The limit of processes is
            // reached, and the JVM calls that the same.
            if (waited++ == 0) {
                LOG.error("no thread can be made now; command lines wait for each other", e);
            }
            if (!workers.getQueue().offer(work, longestWork.toMillis(), TimeUnit.MILLISECONDS)) {
                close(connection); // the launcher leaves a note of it
                connections.release();
            }
        }
    }

    private void serve(SocketChannel connection) {
        try (connection) {
            DataInputStream in =
                    new DataInputStream(
                            new BufferedInputStream(Channels.newInputStream(connection)));
            DataOutputStream out =
                    new DataOutputStream(
                            new BufferedOutputStream(Channels.newOutputStream(connection)));
            checkPeer(connection);
            Optional<RuncCall> call = readCall(connection, in);
            // First a word to the launcher: one that has given up is not there to take it, and the
            // work of a call that is over would fall upon the container's next life.
            LauncherProtocol.writeWait(out, longestWork);
            if (call.isEmpty() || serve(call.get())) {
                LauncherProtocol.writeGo(out);
            } else {
                LauncherProtocol.writeNote(out);
            }
        } catch (IOException e) {
            LOG.warn("a launcher could not be served: {}", e.toString());
        } finally {
            connections.release();
        }
    }

    /** Returns false if the launcher is to leave a note. */
    private boolean serve(RuncCall call) {
        if (isHanging()) {
            return false;
        }
        Work work = new Work();
        works.add(work);
        try {
            return calls.serve(call);
        } finally {
            works.remove(work);
        }
    }

    /** The socket's mode lets nobody else in; this holds also if somebody changes that. */
    private void checkPeer(SocketChannel connection) throws IOException {
        UserPrincipal peer = connection.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
        if (!peer.equals(owner) && !peer.getName().equals("root")) {
            throw new IOException("it belongs to " + peer.getName() + ", who is not served here");
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
