package io.tardis.core.zmq;

import io.tardis.core.Readers;
import io.tardis.core.config.Setting;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Decides whose connections over loopback are served: those of users who may read. The kernel says
 * whose a connection is, before a byte of it is read. Where the kernel cannot say that, nobody is
 * served.
 */
public final class LocalClients {

    /** How every local user gets in again, for messages. */
    public static final String REMEDY =
            "; to admit every local user, set " + Setting.LOCAL_CLIENTS.key() + "=any";

    /**
     * Why a connection is refused.
     *
     * @param reason the same each time
     * @param detail whose connection it was
     */
    record Refusal(String reason, String detail) {}

    private final ConnectionOwners owners;
    private final Readers readers;
    private final AtomicLong refused = new AtomicLong();
    private volatile @Nullable String problem;

    /** Clients that are looked up by {@code owners}. */
    public LocalClients(ConnectionOwners owners, Readers readers) {
        this.owners = owners;
        this.readers = readers;
    }

    /**
     * Why nobody is served: the kernel could not be asked, the last time it was tried. Empty if it
     * could.
     */
    public Optional<String> problem() {
        return Optional.ofNullable(problem);
    }

    /** How many connections were refused. */
    public long refused() {
        return refused.get();
    }

    /**
     * Asks about a connection of this process. A kernel that lacks the module answers that there is
     * no such connection, so only one that exists shows the difference.
     *
     * @return what {@link #problem} has from now on
     */
    public Optional<String> examine() {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            try (SocketChannel _ = SocketChannel.open(server.getLocalAddress());
                    SocketChannel accepted = server.accept()) {
                problem = null;
                if (owner(accepted).isEmpty()) {
                    problem = problem("it does not know a connection that exists");
                }
            }
        } catch (IOException e) {
            problem = problem(String.valueOf(e.getMessage()));
        }
        return problem();
    }

    /** Why a connection that was just accepted is not served; empty if it is. */
    Optional<Refusal> refusal(SocketChannel accepted) {
        Optional<Refusal> refusal = decide(accepted);
        if (refusal.isPresent()) {
            refused.incrementAndGet();
        }
        return refusal;
    }

    private Optional<Refusal> decide(SocketChannel accepted) {
        OptionalInt uid;
        try {
            uid = owner(accepted);
        } catch (IOException e) {
            problem = problem(String.valueOf(e.getMessage()));
            uid = OptionalInt.empty();
        }
        if (uid.isPresent()) {
            problem = null;
            return readers.mayRead(uid.getAsInt())
                    ? Optional.empty()
                    : Optional.of(new Refusal("its user may not read", detail(uid.getAsInt())));
        }
        String reason = problem;
        return Optional.of(
                reason == null
                        ? new Refusal("no process of this machine has its other end", "")
                        : new Refusal(reason, ""));
    }

    private OptionalInt owner(SocketChannel accepted) throws IOException {
        return accepted.getRemoteAddress() instanceof InetSocketAddress client
                        && accepted.getLocalAddress() instanceof InetSocketAddress server
                ? owners.uidOf(client, server)
                : OptionalInt.empty();
    }

    private String detail(int uid) {
        String remedy =
                readers.group()
                        .map(it -> "add it to the group " + it.name())
                        .orElse("add it to a group and set that in " + Setting.GROUP.key());
        return "uid %s; to admit it, %s".formatted(Integer.toUnsignedString(uid), remedy);
    }

    private static String problem(String why) {
        return "the kernel cannot be asked whose a connection is: " + why + REMEDY;
    }
}
