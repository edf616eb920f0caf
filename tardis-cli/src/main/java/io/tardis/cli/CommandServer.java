package io.tardis.cli;

import io.tardis.core.FailureLog;
import io.tardis.core.Readers;
import io.tardis.core.Worker;
import io.tardis.core.config.Settings;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.listener.Listener;
import io.tardis.listener.LocalReaders;
import io.tardis.runc.ShimSocket;
import io.tardis.store.DirectAnswers;
import io.tardis.store.Store;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the commands of native clients, on {@code client.sock}. A command that waits costs two
 * virtual threads. Who is beyond the limits is told so.
 */
final class CommandServer implements CommandSession.Limits, AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(CommandServer.class);

    static final int MAX_CLIENTS = 1_000;

    /** Of one user who is neither root nor the daemon's own, and of all of these. */
    private static final int MAX_OF_ONE = 250;

    private static final int MAX_OF_OTHERS = 750;

    private static final int MAX_LONG_REQUESTS = 16;

    /** Without descriptors, before the next try. */
    private static final Duration ACCEPT_PAUSE = Duration.ofMillis(100);

    private static final Duration STOP_PATIENCE = Duration.ofSeconds(1);

    private final ShimSocket socket;
    private final ServedCommands commands;
    private final InsideQueries store;
    private final ExitHub exits;
    private final Set<CommandSession> sessions = ConcurrentHashMap.newKeySet();
    private final Semaphore longRequests = new Semaphore(MAX_LONG_REQUESTS);
    private final Worker acceptor;
    private volatile boolean stopping;

    /** Of accepting; for the acceptor alone. */
    private final FailureLog failures = new FailureLog(CommandServer.class);

    private CommandServer(
            Environment environment,
            Settings settings,
            ZmqContext context,
            DirectAnswers answers,
            ShimSocket socket) {
        this.socket = socket;
        this.store =
                new InsideQueries(
                        answers,
                        context.dealer(Store.ENDPOINT),
                        settings.queryEndpoint(),
                        this::look);
        this.exits = new ExitHub(topics -> context.subscriber(Listener.ENDPOINT, topics));
        this.commands = new ServedCommands(environment, settings, store, exits::watch);
        this.acceptor = new Worker("tardis-commands-accept", this::accept, socket::close);
    }

    /**
     * Binds the socket, and begins.
     *
     * @param environment the daemon's
     * @param settings those that it runs with
     * @param context makes the socket to the store, which is bound already; closed after this
     * @param answers the store's
     * @throws io.tardis.core.SetupException if somebody listens there, or it cannot be bound
     */
    static CommandServer open(
            Environment environment, Settings settings, ZmqContext context, DirectAnswers answers) {
        Optional<Readers.Group> group = LocalReaders.group(settings.access());
        CommandServer server =
                new CommandServer(
                        environment,
                        settings,
                        context,
                        answers,
                        ShimSocket.open(
                                settings.clientSocket(),
                                () -> Directories.makeRunDir(settings),
                                group));
        server.store.start();
        server.acceptor.start();
        return server;
    }

    private void accept() throws InterruptedException {
        while (!acceptor.isStopping()) {
            try {
                serve(socket.accept());
                if (failures.over()) {
                    LOG.info("clients of commands are accepted again");
                }
            } catch (ClosedChannelException _) {
                LOG.debug("stopped listening on {}; it may be bound again", socket);
            } catch (IOException e) {
                failures.error("no client can be accepted on " + socket + " now", e);
                Thread.sleep(ACCEPT_PAUSE);
            }
        }
    }

    private void serve(SocketChannel client) {
        try {
            // Here, and not in a virtual thread: however busy those are, the client learns that
            // somebody listens. There is room in a new socket's buffer.
            if (stopping) {
                client.close();
                return;
            }
            if (sessions.size() >= MAX_CLIENTS) {
                new FrameWriter(client).refuse(busy(MAX_CLIENTS));
                client.close();
                return;
            }
            ByteBuffer accepted = ByteBuffer.allocate(CommandProtocol.HEAD);
            CommandProtocol.putHead(accepted, CommandProtocol.ACCEPTED, 0);
            client.write(accepted.flip());
            CommandSession session = CommandSession.of(client, commands, this, sessions::remove);
            sessions.add(session);
            session.start();
        } catch (IOException e) {
            LOG.debug("a client of a command has gone at once", e);
            close(client);
        }
    }

    private static void close(SocketChannel client) {
        try {
            client.close();
        } catch (IOException e) {
            LOG.debug("a client of a command cannot be sent away", e);
        }
    }

    private static String busy(int most) {
        return "the daemon is busy: it runs " + most + " commands already";
    }

    @Override
    public @Nullable String refusal(CommandSession session) {
        if (session.isTrusted()) {
            return null;
        }
        int others = 0;
        int own = 0;
        for (CommandSession each : sessions) {
            boolean isOther = each.user() != null && !each.isTrusted();
            others += isOther ? 1 : 0;
            own += isOther && session.user() != null && session.user().equals(each.user()) ? 1 : 0;
        }
        return own > MAX_OF_ONE
                ? busy(MAX_OF_ONE) + " of this user"
                : others > MAX_OF_OTHERS ? busy(MAX_OF_OTHERS) + " of users" : null;
    }

    @Override
    public Semaphore longRequests() {
        return longRequests;
    }

    /** Each half second. */
    private void look() {
        socket.keep();
        sessions.forEach(CommandSession::look);
    }

    /** Stops listening, removes the socket, and ends the commands that run. */
    @Override
    public void close() {
        stopping = true;
        // First: a client that sees the connection end asks the next daemon.
        sessions.forEach(CommandSession::close);
        exits.close();
        store.close(); // binds the socket again, if it is removed
        acceptor.close(STOP_PATIENCE);
        sessions.forEach(CommandSession::close);
    }
}
