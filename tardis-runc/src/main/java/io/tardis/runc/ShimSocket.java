package io.tardis.runc;

import io.tardis.core.FileIdentity;
import io.tardis.core.Readers;
import io.tardis.core.SetupException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Unix socket of the daemon's, {@code tardis.sock} or {@code client.sock}, which is bound again
 * where somebody removes or replaces it. Its owner alone can use it, unless a group may.
 */
public final class ShimSocket {

    private static final Logger LOG = LoggerFactory.getLogger(ShimSocket.class);
    private static final int BACKLOG = 256;

    private final Path path;
    private final Runnable makeDirectory;
    private final Optional<Readers.Group> group;
    private volatile ServerSocketChannel server;

    /** Distinguishes the socket that {@link #server} listens on from another one of its name. */
    private volatile @Nullable Object key;

    private volatile @Nullable String problem;

    /** A socket that listens on {@code path} by {@code server}. */
    ShimSocket(
            Path path,
            Runnable makeDirectory,
            Optional<Readers.Group> group,
            ServerSocketChannel server) {
        this.path = path;
        this.makeDirectory = makeDirectory;
        this.group = group;
        this.server = server;
        this.key = FileIdentity.ofVisible(path);
    }

    /**
     * Listens on {@code path}, as {@link #bind} does.
     *
     * @param makeDirectory makes the socket's directory where it is missing; throws {@link
     *     SetupException}
     * @param group whose members may connect beside its owner, if they get to its directory
     * @throws SetupException if somebody listens there already, or it cannot be bound
     */
    public static ShimSocket open(
            Path path, Runnable makeDirectory, Optional<Readers.Group> group) {
        makeDirectory.run();
        return new ShimSocket(path, makeDirectory, group, bind(path, group));
    }

    /**
     * Listens on {@code path}. A socket there that nobody listens on any more is replaced.
     *
     * @throws SetupException if somebody listens there already, or it cannot be bound
     */
    static ServerSocketChannel bind(Path path, Optional<Readers.Group> group) {
        try {
            if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                if (ShimClient.isServed(path)) {
                    throw new SetupException("another process listens on " + path);
                }
                Files.delete(path);
            }
            ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                server.bind(UnixDomainSocketAddress.of(path), BACKLOG);
                if (group.isPresent()) {
                    Files.setAttribute(path, "unix:gid", group.get().gid());
                }
                Files.setPosixFilePermissions(
                        path,
                        PosixFilePermissions.fromString(
                                group.isPresent() ? "rw-rw----" : "rw-------"));
            } catch (IOException e) {
                server.close();
                throw e;
            }
            return server;
        } catch (IOException e) {
            throw new SetupException("cannot listen on " + path + ": " + e.getMessage(), e);
        }
    }

    /**
     * Waits for a client.
     *
     * @throws java.nio.channels.ClosedChannelException if it was closed, or bound again
     */
    public SocketChannel accept() throws IOException {
        return server.accept();
    }

    /** Why nobody can reach it now; null if that is possible. From any thread. */
    @Nullable String problem() {
        return problem;
    }

    /** Binds it again if somebody removed it, or its directory, or put another one there. */
    public void keep() {
        if (isBound()) {
            return;
        }
        try {
            makeDirectory.run();
            ServerSocketChannel before = server;
            server = bind(path, group);
            key = FileIdentity.ofVisible(path);
            before.close();
            problem = null;
            LOG.warn("{} had been removed or replaced, and is bound again", path);
        } catch (SetupException | IOException e) {
            if (problem == null) {
                LOG.error(
                        "nobody can reach the daemon by {}: it was removed or replaced, and is bound again as soon as possible: {}",
                        path,
                        e.getMessage());
            }
            problem = String.valueOf(e.getMessage());
        }
    }

    /** Stops listening, and removes the socket unless it is another one by now. */
    public void close() {
        try {
            if (isBound()) {
                Files.deleteIfExists(path);
            }
            server.close();
        } catch (IOException e) {
            LOG.warn("{} cannot be closed", path, e);
        }
    }

    private boolean isBound() {
        Object bound = key;
        return bound != null && bound.equals(FileIdentity.ofVisible(path));
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
