package io.tardis.cli;

import io.tardis.core.Owner;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import jdk.net.ExtendedSocketOptions;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client of {@code client.sock}, and its command. Two virtual threads: one reads what the
 * client says, and interrupts the other one, which runs the command, when the client has gone.
 */
final class CommandSession {

    /** What a client has to send at once. */
    static final Duration REQUEST_PATIENCE = Duration.ofSeconds(5);

    /**
     * How long a client may read nothing. A user may look at the first page of a list for as long;
     * until then its rest is in the daemon's memory.
     */
    static final Duration READ_PATIENCE = Duration.ofMinutes(10);

    /** How long a client may stay after its command has ended. */
    private static final Duration LEAVE_PATIENCE = Duration.ofSeconds(5);

    /** Longer requests are few at a time: a thousand of them would take 500 MiB. */
    private static final int SHORT_REQUEST = 8 * 1024;

    private static final Logger LOG = LoggerFactory.getLogger(CommandSession.class);

    /** The limits of all sessions. */
    interface Limits {

        /** Why there is no place for one more client of this user; null if there is. */
        @Nullable String refusal(CommandSession session);

        /** For long requests, one each. */
        Semaphore longRequests();
    }

    private final SocketChannel channel;
    private final ServedCommands commands;
    private final Limits limits;
    private final Runnable onEnd;
    private final FrameWriter writer;
    private final long began = System.nanoTime();

    private volatile @Nullable UserPrincipal user;
    private volatile boolean isTrusted;
    private volatile boolean isReaderGone;

    /** Since when the client has no reason to stay; 0 while it has. By the monotonic clock. */
    private volatile long idleSince = began | 1;

    private volatile Duration idlePatience = REQUEST_PATIENCE;

    private CommandSession(
            SocketChannel channel,
            ServedCommands commands,
            Limits limits,
            Consumer<CommandSession> onEnd) {
        this.channel = channel;
        this.commands = commands;
        this.limits = limits;
        this.onEnd = () -> onEnd.accept(this);
        this.writer = new FrameWriter(channel);
    }

    /**
     * A session that does not run yet.
     *
     * @param onEnd called once, at its end
     */
    static CommandSession of(
            SocketChannel channel,
            ServedCommands commands,
            Limits limits,
            Consumer<CommandSession> onEnd) {
        return new CommandSession(channel, commands, limits, onEnd);
    }

    void start() {
        Thread.ofVirtual().name("tardis-command").start(this::run);
    }

    /** The client's user; null until it is known. */
    @Nullable UserPrincipal user() {
        return user;
    }

    /** Whether that is root or the daemon's own. */
    boolean isTrusted() {
        return isTrusted;
    }

    private void run() {
        Thread command = null;
        try (channel) {
            admit();
            CommandProtocol.Request request = readRequest();
            if (request != null) {
                idleSince = 0;
                command = Thread.ofVirtual().name("tardis-command-run").start(() -> serve(request));
                listen();
            }
        } catch (IOException e) {
            LOG.debug("a client of a command has gone, or could not be served", e);
        } catch (Throwable e) {
            LOG.error("a command could not be served", e);
        } finally {
            if (command != null) {
                command.interrupt();
            }
            onEnd.run();
        }
    }

    /** Who may connect, the kernel has decided by the socket's owner, group and mode. */
    private void admit() throws IOException {
        UserPrincipal peer = channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
        isTrusted = Owner.isUs(peer) || peer.getName().equals("root");
        user = peer;
    }

    /** Null if the client was refused. */
    private CommandProtocol.@Nullable Request readRequest() throws IOException {
        String refusal = limits.refusal(this);
        if (refusal == null) {
            int length = CommandProtocol.readLength(channel);
            if (length <= SHORT_REQUEST) {
                return CommandProtocol.readRequest(channel, length);
            }
            if (limits.longRequests().tryAcquire()) {
                try {
                    return CommandProtocol.readRequest(channel, length);
                } finally {
                    limits.longRequests().release();
                }
            }
            refusal = "the daemon is busy: too many long command lines at once";
        }
        writer.refuse(refusal);
        return null;
    }

    /** Until the client has gone. */
    private void listen() throws IOException {
        ByteBuffer said = ByteBuffer.allocate(16);
        while (channel.read(said) >= 0) {
            for (said.flip(); said.hasRemaining(); ) {
                switch (said.get()) {
                    case CommandProtocol.UNWANTED -> isReaderGone = true;
                    case CommandProtocol.ALIVE -> writer.send(CommandProtocol.ALIVE);
                    default -> throw new IOException("the client says what has no meaning");
                }
            }
            said.clear();
        }
    }

    private void serve(CommandProtocol.Request request) {
        try {
            OptionalInt status = commands.run(request, isTrusted, writer, () -> isReaderGone);
            if (status.isPresent()) {
                writer.end(status.getAsInt());
            } else {
                writer.send(CommandProtocol.JVM);
            }
            idlePatience = LEAVE_PATIENCE;
            idleSince = System.nanoTime() | 1;
        } catch (IOException e) {
            LOG.debug("a client has gone before the end of its command", e);
        } catch (Throwable e) {
            LOG.error("a command failed", e);
            close();
        }
    }

    /** Closes it if the client takes too long. From any thread, from time to time. */
    void look() {
        long since = idleSince;
        if ((since != 0 && System.nanoTime() - since > idlePatience.toNanos())
                || writer.blockedFor() > READ_PATIENCE.toNanos()) {
            LOG.debug("a client of a command is too slow, and is sent away");
            close();
        }
    }

    /** Ends it soon. From any thread. */
    void close() {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.debug("a client of a command cannot be sent away", e);
        }
    }
}
