package io.tardis.runc;

import io.tardis.core.SetupException;
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
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens on {@code tardis.sock} and lets {@link RuncShim} do its work for each command line that
 * the launcher sends. One thread accepts; each connection then has its own, since a {@code delete}
 * may wait.
 */
public final class ShimServer implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ShimServer.class);
    private static final int BACKLOG = 256;

    /** More connections at once wait in the backlog. */
    private static final int MAX_CONNECTIONS = 256;

    private static final Duration STOP_PATIENCE = Duration.ofSeconds(1);

    private final Path socket;
    private final ServerSocketChannel server;
    private final RuncShim shim;
    private final Duration longestWork;
    private final Thread acceptor;
    private final Semaphore connections = new Semaphore(MAX_CONNECTIONS);
    private final ExecutorService workers =
            Executors.newCachedThreadPool(
                    Thread.ofPlatform().name("tardis-runc-shim-", 0).factory());

    private ShimServer(
            Path socket, ServerSocketChannel server, RuncShim shim, Duration longestWork) {
        this.socket = socket;
        this.server = server;
        this.shim = shim;
        this.longestWork = longestWork;
        this.acceptor = new Thread(this::accept, "tardis-runc-accept");
    }

    /**
     * Binds {@code socket} and begins. A socket that nobody listens on any more is replaced.
     *
     * @param socket where to listen; its directory is made, readable for nobody else
     * @param shim does the work
     * @param longestWork how long the launcher is asked to wait for one piece of work
     * @throws SetupException if somebody listens there already, or it cannot be bound
     */
    public static ShimServer open(Path socket, RuncShim shim, Duration longestWork) {
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
            ShimServer shimServer = new ShimServer(socket, server, shim, longestWork);
            shimServer.acceptor.start();
            return shimServer;
        } catch (IOException e) {
            throw new SetupException("cannot listen on " + socket + ": " + e.getMessage(), e);
        }
    }

    /** Stops listening, removes the socket, and waits a moment for what is being done. */
    @Override
    public void close() {
        try {
            Files.deleteIfExists(socket);
            server.close();
        } catch (IOException e) {
            LOG.warn("{} cannot be closed", socket, e);
        }
        workers.shutdown();
        try {
            acceptor.join(STOP_PATIENCE);
            if (!workers.awaitTermination(STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.warn("some command lines were still being worked on at the end");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void accept() {
        try {
            while (true) {
                connections.acquire();
                SocketChannel connection = server.accept();
                workers.execute(() -> serve(connection));
            }
        } catch (ClosedChannelException e) {
            LOG.debug("stopped listening on {}", socket);
        } catch (IOException e) {
            LOG.error("no more command lines are accepted on {}", socket, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void serve(SocketChannel connection) {
        try (connection) {
            DataInputStream in = new DataInputStream(Channels.newInputStream(connection));
            DataOutputStream out =
                    new DataOutputStream(
                            new BufferedOutputStream(Channels.newOutputStream(connection)));
            LauncherProtocol.Request request = LauncherProtocol.readRequest(in);
            RuncCommandLine command =
                    RuncCommandLine.parse(request.arguments(), request.directory());
            // First a word to the launcher: one that has given up is not there to take it, and the
            // work of a call that is over would fall upon the container's next life.
            LauncherProtocol.writeWait(out, longestWork);
            shim.before(command);
            LauncherProtocol.writeGo(out);
        } catch (IOException e) {
            LOG.warn("a launcher could not be served: {}", e.toString());
        } finally {
            connections.release();
        }
    }
}
