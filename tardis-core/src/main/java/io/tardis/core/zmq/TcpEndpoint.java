package io.tardis.core.zmq;

import io.tardis.core.FailureLog;
import io.tardis.core.config.Setting;
import io.tardis.core.config.SettingParser;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import zmq.Msg;
import zmq.Options;
import zmq.SocketBase;
import zmq.ZObject;
import zmq.io.IOObject;
import zmq.io.IOThread;
import zmq.io.StreamEngine;
import zmq.io.net.Listener;
import zmq.io.net.tcp.TcpUtils;
import zmq.poll.Poller;

/**
 * Where one socket is bound to TCP. It does what JeroMQ's own listener does, and gives each
 * connection a {@link ClientSession}: JeroMQ has no other place where a connection can be limited,
 * distinguished, and ended.
 *
 * <p>JeroMQ launches listeners from within the socket only. So this one plugs itself in, hands
 * itself to the socket, which ends it with itself, and acknowledges that end.
 */
final class TcpEndpoint extends Listener {

    private static final Logger LOG = LoggerFactory.getLogger(TcpEndpoint.class);

    private static final int LOOK = 1;
    private static final int LOOK_MILLIS = 1_000;

    /** A client whose machine has gone is found out within a minute. */
    private static final int KEEP_ALIVE_IDLE_SECONDS = 30;

    private static final int KEEP_ALIVE_INTERVAL_SECONDS = 10;
    private static final int KEEP_ALIVE_PROBES = 3;

    /**
     * JeroMQ gives each connection two buffers of 8 KiB outside the heap, which only a collection
     * frees. Short connections leave more of them than the heap has garbage; when the limit is
     * reached, the JDK waits half a second for a collection, and all clients with it.
     */
    private static final int CONNECTIONS_PER_COLLECTION = 1_000;

    /** Some milliseconds' worth: other clients have the same thread. */
    private static final int CONNECTIONS_AT_ONCE = 64;

    /** What a session of either kind is made of. */
    record Connection(
            IOThread io,
            SocketBase socket,
            Options options,
            TcpEndpoint endpoint,
            Clients clients,
            Clients.Client client) {}

    private final IOThread thread;
    private final String endpoint;
    private final ServerSocketChannel channel;
    private final Clients clients;
    private final Optional<LocalClients> local;
    private final IOObject io;
    private final FailureLog refusals = new FailureLog(TcpEndpoint.class);

    // All that follows is for the I/O thread alone.

    /** Those whose connection is open, and those that JeroMQ has not taken down yet. */
    private final Set<ClientSession> sessions = new HashSet<>();

    private final Set<ClientSession> connected = new HashSet<>();
    private Poller.@Nullable Handle accepting;
    private @Nullable ClientSession turn;
    private int uncollected;

    private TcpEndpoint(
            IOThread thread,
            SocketBase socket,
            Options options,
            String endpoint,
            ServerSocketChannel channel,
            Clients clients,
            Optional<LocalClients> local) {
        super(thread, socket, options);
        this.thread = thread;
        this.endpoint = endpoint;
        this.channel = channel;
        this.clients = clients;
        this.local = local;
        this.io = new IOObject(thread, this);
        options.allocator = this::allocate;
    }

    /**
     * Binds {@code socket}.
     *
     * @param options what its connections need; of the same type as the socket's
     * @param endpoint {@code tcp://ADDRESS:PORT}
     * @param local whose connections are served; empty for everybody's
     * @throws IOException if it cannot be bound
     */
    static void bind(
            SocketBase socket,
            Options options,
            String endpoint,
            Clients clients,
            Optional<LocalClients> local)
            throws IOException {
        ServerSocketChannel channel = ServerSocketChannel.open();
        try {
            channel.configureBlocking(false);
            channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            channel.bind(SettingParser.address(endpoint), clients.most());
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
        IOThread thread = new Threads(socket).choose();
        TcpEndpoint bound =
                new TcpEndpoint(thread, socket, options, endpoint, channel, clients, local);
        bound.sendPlug(bound);
        bound.sendOwn(socket, bound);
    }

    /** JeroMQ gives the I/O threads to its own objects only. */
    private static final class Threads extends ZObject {
        Threads(ZObject parent) {
            super(parent);
        }

        IOThread choose() {
            return chooseIoThread(0);
        }
    }

    @Override
    protected void processPlug() {
        io.plug();
        accept();
        io.addTimer(LOOK_MILLIS, LOOK);
    }

    private void accept() {
        Poller.Handle handle = io.addFd(channel);
        io.setPollAccept(handle);
        accepting = handle;
    }

    private void pause() {
        if (accepting != null) {
            io.removeHandle(accepting);
            accepting = null;
        }
    }

    /** Those who are refused, and come at once again, must not fill the queue of all others. */
    @Override
    public void acceptEvent() {
        int left = CONNECTIONS_AT_ONCE;
        while (left > 0 && acceptOne()) {
            left--;
        }
    }

    /** Returns whether another one may wait. */
    private boolean acceptOne() {
        SocketChannel connection;
        try {
            connection = channel.accept();
        } catch (IOException e) {
            // No descriptor is left, most likely. JeroMQ would try again without end.
            refused("it cannot be accepted: " + e.getMessage());
            pause();
            return false;
        }
        if (connection == null) {
            return false;
        }
        try {
            if (isServed(connection)) {
                open(connection);
            }
        } catch (IOException | RuntimeException e) {
            LOG.debug("a connection was gone before it was greeted", e);
            close(connection);
        }
        return true;
    }

    /**
     * Resets the connection if it is not. A close in order would leave a port of the machine taken,
     * by the client for as long as it likes, or by the kernel for a minute.
     */
    private boolean isServed(SocketChannel connection) throws IOException {
        Optional<LocalClients.Refusal> refusal = local.flatMap(it -> it.refusal(connection));
        if (refusal.isPresent()) {
            refusals.warn(ended(refusal.get().reason()), refusal.get().detail());
            connection.setOption(StandardSocketOptions.SO_LINGER, 0);
            close(connection);
        }
        return refusal.isEmpty();
    }

    private void open(SocketChannel connection) throws IOException {
        uncollected++;
        if (uncollected == CONNECTIONS_PER_COLLECTION) {
            uncollected = 0;
            System.gc();
        }
        int most = clients.most();
        if (connected.size() >= most || sessions.size() >= 2 * most) {
            refused(
                    "%d connections are open, as many as %s allows"
                            .formatted(most, Setting.MAX_CONNECTIONS.key()));
            close(connection);
            return;
        }
        TcpUtils.tuneTcpKeepalives(
                connection,
                1,
                KEEP_ALIVE_PROBES,
                KEEP_ALIVE_IDLE_SECONDS,
                KEEP_ALIVE_INTERVAL_SECONDS);
        TcpUtils.tuneTcpSocket(connection);
        Clients.Client client = clients.connect();
        Connection it = new Connection(thread, socket, options, this, clients, client);
        ClientSession session =
                options.recvIdentity ? new AskingSession(it) : new SubscribedSession(it);
        StreamEngine engine;
        try {
            engine = session.engine(connection);
        } catch (RuntimeException e) {
            clients.end(client);
            throw e;
        }
        sessions.add(session);
        connected.add(session);
        session.announce();
        launchChild(session);
        sendAttach(session, engine, false);
    }

    /** Its connection has ended; JeroMQ may not have taken it down yet. Safe twice. */
    void disconnected(ClientSession session) {
        connected.remove(session);
        clients.end(session.client);
    }

    /** Nothing is left of it. */
    void ended(ClientSession session) {
        disconnected(session);
        sessions.remove(session);
    }

    /** A connection is ended. Its client tries again, ten times a second and more. */
    void refused(String reason) {
        refusals.warn(ended(reason), "");
    }

    private String ended(String reason) {
        return "a connection to " + endpoint + " was ended: " + reason;
    }

    /** Whose bytes are read from now on; returns whose they were before. */
    @Nullable ClientSession turnTo(@Nullable ClientSession session) {
        ClientSession before = turn;
        turn = session;
        return before;
    }

    /** Called by JeroMQ's decoders, which do not say whose they are. */
    private Msg allocate(int size) {
        return turn == null ? new Msg(0) : turn.allocate(size);
    }

    @Override
    public void timerEvent(int id) {
        long now = System.nanoTime();
        List.copyOf(connected).forEach(it -> it.look(now));
        refusals.logCounts();
        if (accepting == null) {
            accept();
        }
        io.addTimer(LOOK_MILLIS, LOOK);
    }

    @Override
    protected void processTerm(int linger) {
        io.cancelTimer(LOOK);
        pause();
        try {
            channel.close();
        } catch (IOException e) {
            LOG.warn("{} cannot be closed", endpoint, e);
        }
        super.processTerm(linger);
    }

    @Override
    protected void processDestroy() {
        sendTermAck(socket);
        super.processDestroy();
    }

    @Override
    protected void destroy() {
        io.unplug();
    }

    @Override
    public boolean setAddress(String addr) {
        throw new UnsupportedOperationException("it is bound already");
    }

    @Override
    public String getAddress() {
        return endpoint;
    }

    private static void close(SocketChannel connection) {
        try {
            connection.close();
        } catch (IOException e) {
            LOG.debug("a connection that is refused was gone already", e);
        }
    }

    /** What was bound on every address is reached on the machine itself. */
    static String reachable(String endpoint) {
        return endpoint.replaceFirst("^tcp://(\\*|0\\.0\\.0\\.0):", "tcp://127.0.0.1:")
                .replaceFirst("^tcp://\\[::]:", "tcp://[::1]:");
    }
}
