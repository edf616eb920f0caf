package io.tardis.core.zmq;

import io.tardis.core.SetupException;
import io.tardis.core.config.Limits;
import io.tardis.core.curve.CurveClients;
import io.tardis.core.curve.CurveKeys;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.zeromq.SocketType;
import org.zeromq.ZMQ;
import org.zeromq.ZMQException;
import zmq.Options;

/**
 * Makes the sockets of one process, and sets on each what JeroMQ 0.6.0 needs.
 *
 * <h2>Traps, and the guards against them</h2>
 *
 * <ul>
 *   <li>A socket that is bound to TCP trusts its clients: one frame that announces 2 GiB ends the
 *       only I/O thread with an OutOfMemoryError, before any greeting is checked; one of negative
 *       size passes its limit of sizes and leaks its connection (zeromq/jeromq issue 1005); a
 *       message may have frames without end; what a client makes it throw leaves a connection half
 *       alive; two clients of one name get each other's answers; there is no limit of connections,
 *       nothing says which one has ended, and none can be ended. So TCP is bound by a {@link
 *       TcpEndpoint} with a {@link ClientSession} for each connection, where all of that is.
 *   <li>A connecting socket hangs 30 s in some of all fresh TCP connections (zeromq/jeromq pull
 *       request 1022). Every connecting socket gives up a greeting after 250 ms, and tries again
 *       after 10.
 *   <li>{@code ZContext} closes other threads' sockets and drops what was not sent yet. This is a
 *       plain context: each owner closes its own sockets, and {@link #close} waits for them.
 *   <li>An I/O thread that dies all the same leaves sockets that look alive. The context notifies
 *       its owner, who must end the process.
 *   <li>What subscribers send besides subscriptions, and as long as they like, waits in a PUB
 *       socket for ever, which cannot be read. Publishers are XPUB sockets, and drop it.
 *   <li>Only 100 connections wait to be accepted; the next one's TCP tries again after a second
 *       (seen when all clients of a daemon come back at once). As many wait here as may come in.
 *   <li>What a malformed CURVE handshake throws in the I/O thread, its default handler prints. Here
 *       it is logged.
 * </ul>
 *
 * <h2>Keys</h2>
 *
 * With {@link CurveKeys} every {@code tcp} endpoint is CURVE's, for those who bind and those who
 * connect: nothing leaves the machine in clear text, and only clients that are known get in. {@code
 * inproc} needs no keys: it does not leave the process.
 *
 * <p>Made and closed by one thread; sockets may be made by any.
 */
public final class ZmqContext implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ZmqContext.class);

    private static final int HANDSHAKE_MILLIS = 250;
    private static final int RECONNECT_MILLIS = 10;

    /**
     * A client that is refused tries again, and each time both sides calculate for milliseconds.
     */
    private static final int CURVE_RECONNECT_MILLIS = 100;

    /** A socket that is bound, to {@code inproc} or to {@code tcp}. */
    record Bound(ZMQ.Socket socket, boolean isInside) {}

    /**
     * How many messages wait on each side of a subscription that is not read. What is over that is
     * dropped over {@code tcp}, and got by replay; over {@code inproc} the publisher waits.
     */
    private static final int EVENTS_HIGH_WATER_MARK = 10_000;

    /**
     * How many requests of one connection are read before the first of them is answered; the rest
     * waits in the client.
     */
    private static final int REQUESTS_HIGH_WATER_MARK = 10;

    /** Answers and subscriptions are limited by their bytes. */
    private static final int NO_HIGH_WATER_MARK = 0;

    /** How long the last messages may take to leave. */
    private static final int LINGER_MILLIS = 500;

    /**
     * How long a client may take for its handshake. JeroMQ's timer holds a connection, with 16 KiB
     * outside the heap, for as long as that, also if it has ended before: a flood of short
     * connections would use up that memory within 30 s, which is JeroMQ's default.
     */
    private static final int CLIENT_HANDSHAKE_MILLIS = 3_000;

    private final ZMQ.Context context = ZMQ.context(1);
    private final Consumer<Throwable> onDeadThread;
    private final Optional<CurveKeys> keys;
    private final int maxConnections;
    private final Optional<LocalClients> local;
    private @Nullable ZapHandler zap; // guarded by this

    /**
     * A context with one I/O thread, no keys, and the default limit of connections.
     *
     * @param onDeadThread called once by an I/O thread that dies of {@code Throwable}; the process
     *     should end then
     */
    public ZmqContext(Consumer<Throwable> onDeadThread) {
        this(onDeadThread, Optional.empty(), Limits.DEFAULT.maxConnections(), Optional.empty());
    }

    /**
     * A context with one I/O thread, and one that knows clients if there are keys and a socket is
     * bound.
     *
     * @param onDeadThread called once by each of them that dies of {@code Throwable}; the process
     *     should end then
     * @param keys for every {@code tcp} endpoint
     * @param maxConnections to each bound socket at the same time; the next one is closed at once
     * @param local whose connections to {@code tcp} endpoints are served; empty for everybody's
     */
    public ZmqContext(
            Consumer<Throwable> onDeadThread,
            Optional<CurveKeys> keys,
            int maxConnections,
            Optional<LocalClients> local) {
        this.onDeadThread = onDeadThread;
        this.keys = keys;
        this.maxConnections = maxConnections;
        this.local = local;
        context.setUncaughtExceptionHandler((_, cause) -> onDeadThread.accept(cause));
        context.setNotificationExceptionHandler(
                (_, cause) -> LOG.debug("a connection failed", cause));
    }

    /**
     * A socket that publishes, PUB to everybody else. It drops nothing for subscribers over {@code
     * inproc}: it waits for them.
     *
     * @param endpoints what it binds to, {@code inproc} and {@code tcp}
     * @throws SetupException if an endpoint cannot be bound, or the clients' keys not be read
     */
    public ZmqPublisher publisher(List<String> endpoints) {
        // Of subscriptions, one to all exits takes 1 KiB.
        Clients clients =
                new Clients(maxConnections, Budget.ofMebibytes(24, 2), Budget.ofMebibytes(0, 0));
        List<Bound> bound = bind(SocketType.XPUB, endpoints, clients);
        return new ZmqPublisher(bound.stream().map(Bound::socket).toList(), clients);
    }

    /**
     * A SUB socket.
     *
     * @param endpoint what it connects to
     * @param prefixes the topics that it wants; the empty one wants all
     * @throws SetupException if the endpoint is none, or its host is not known
     */
    public ZmqSubscriber subscriber(String endpoint, List<String> prefixes) {
        ZMQ.Socket socket = connecting(SocketType.SUB, endpoint);
        socket.setRcvHWM(EVENTS_HIGH_WATER_MARK);
        // Subscribing first, the subscription is on its way with the connection itself.
        prefixes.forEach(socket::subscribe);
        connect(socket, endpoint);
        List<Bound> sockets = List.of(new Bound(socket, false));
        return closedOnFailure(sockets, () -> new ZmqSubscriber(context, socket));
    }

    /**
     * A ROUTER socket that answers REQ clients in any order.
     *
     * @param endpoints what it binds to, {@code inproc} and {@code tcp}
     * @throws SetupException if an endpoint cannot be bound, or the clients' keys not be read
     */
    public ZmqReplier replier(List<String> endpoints) {
        // Requests that nobody has handled yet: they are handled at once, so this is for those that
        // never come to their end. And answers that clients do not read: one is 5 MiB at the most,
        // 10,000 exits.
        Clients clients =
                new Clients(maxConnections, Budget.ofMebibytes(16, 1), Budget.ofMebibytes(32, 8));
        List<Bound> bound = bind(SocketType.ROUTER, endpoints, clients);
        return closedOnFailure(bound, () -> new ZmqReplier(context, bound, clients));
    }

    /**
     * This process's own threads have a socket of their own, which comes first: they are treated in
     * another way.
     */
    private List<Bound> bind(SocketType type, List<String> endpoints, Clients clients) {
        List<Bound> bound = new ArrayList<>();
        return closedOnFailure(
                bound,
                () -> {
                    for (boolean inside : new boolean[] {true, false}) {
                        List<String> own =
                                endpoints.stream().filter(it -> isTcp(it) != inside).toList();
                        if (!own.isEmpty()) {
                            bound.add(new Bound(socket(type, inside), inside));
                            own.forEach(it -> bind(bound.getLast(), type, it, clients));
                        }
                    }
                    return bound;
                });
    }

    private ZMQ.Socket socket(SocketType type, boolean inside) {
        ZMQ.Socket socket = context.socket(type);
        socket.setLinger(LINGER_MILLIS);
        if (type == SocketType.XPUB) {
            socket.setSndHWM(EVENTS_HIGH_WATER_MARK);
            socket.setXpubNoDrop(inside);
        }
        return socket;
    }

    private void bind(Bound to, SocketType type, String endpoint, Clients clients) {
        try {
            if (to.isInside()) {
                to.socket().bind(endpoint);
            } else {
                bindOutside(to.socket(), type == SocketType.XPUB, endpoint, clients);
            }
        } catch (IOException | ZMQException | IllegalArgumentException e) {
            throw new SetupException("cannot bind " + endpoint + ": " + reason(e), e);
        }
    }

    private void bindOutside(ZMQ.Socket socket, boolean publishes, String endpoint, Clients clients)
            throws IOException {
        Options options = new Options();
        options.type = (publishes ? SocketType.XPUB : SocketType.ROUTER).type();
        options.recvIdentity = !publishes;
        options.linger = 0;
        options.handshakeIvl = CLIENT_HANDSHAKE_MILLIS;
        options.maxMsgSize = Integer.MAX_VALUE; // the session's allocator decides
        options.recvHwm = publishes ? NO_HIGH_WATER_MARK : REQUESTS_HIGH_WATER_MARK;
        options.sendHwm = publishes ? EVENTS_HIGH_WATER_MARK : NO_HIGH_WATER_MARK;
        if (keys.isPresent()) {
            startZap(keys.get());
            options.setSocketOpt(zmq.ZMQ.ZMQ_CURVE_SERVER, true);
            options.setSocketOpt(zmq.ZMQ.ZMQ_CURVE_PUBLICKEY, keys.get().own().publicKey().bytes());
            options.setSocketOpt(zmq.ZMQ.ZMQ_CURVE_SECRETKEY, keys.get().own().secretBytes());
        }
        TcpEndpoint.bind(socket.base(), options, endpoint, clients, local);
    }

    /** A socket that nobody closes would keep the context from ending. */
    private static <T> T closedOnFailure(List<Bound> sockets, Supplier<T> use) {
        try {
            return use.get();
        } catch (RuntimeException e) {
            sockets.forEach(it -> it.socket().close());
            throw e;
        }
    }

    /**
     * A REQ client.
     *
     * @param endpoint what it connects to
     * @param patience how long it waits for an answer beyond what a question itself asks for
     */
    public ZmqRequester requester(String endpoint, Duration patience) {
        return new ZmqRequester(
                () -> connect(connecting(SocketType.REQ, endpoint), endpoint), endpoint, patience);
    }

    /**
     * A client that has many questions open at once.
     *
     * @param endpoint what it connects to
     */
    public ZmqDealer dealer(String endpoint) {
        ZMQ.Socket socket = connecting(SocketType.DEALER, endpoint);
        // A replier drops answers to a client whose queue is full; this one's user limits the
        // questions.
        socket.setHWM(NO_HIGH_WATER_MARK);
        connect(socket, endpoint);
        return closedOnFailure(
                List.of(new Bound(socket, false)), () -> new ZmqDealer(context, socket));
    }

    /**
     * Ends the I/O thread, after every socket is closed and its last messages have left; waits for
     * both.
     */
    @Override
    public void close() {
        synchronized (this) {
            if (zap != null) {
                zap.close();
            }
        }
        context.term();
    }

    private ZMQ.Socket connecting(SocketType type, String endpoint) {
        ZMQ.Socket socket = context.socket(type);
        socket.setIPv6(endpoint.startsWith("tcp://["));
        socket.setHandshakeIvl(HANDSHAKE_MILLIS);
        socket.setReconnectIVL(RECONNECT_MILLIS);
        socket.setLinger(0);
        if (keys.isPresent() && isTcp(endpoint)) {
            socket.setReconnectIVL(CURVE_RECONNECT_MILLIS);
            socket.setCurveServerKey(keys.get().server().bytes());
            socket.setCurvePublicKey(keys.get().own().publicKey().bytes());
            socket.setCurveSecretKey(keys.get().own().secretBytes());
        }
        return socket;
    }

    private static ZMQ.Socket connect(ZMQ.Socket socket, String endpoint) {
        try {
            socket.connect(TcpEndpoint.reachable(endpoint));
            return socket;
        } catch (ZMQException | IllegalArgumentException e) {
            socket.close(); // or the context would wait for it for ever
            throw new SetupException("cannot connect to " + endpoint + ": " + reason(e), e);
        }
    }

    /** JeroMQ's own message is a number of its own, which is not the system's errno. */
    private static String reason(Exception e) {
        return e instanceof ZMQException failure
                ? ZMQ.Error.findByCode(failure.getErrorCode()).getMessage()
                : String.valueOf(e.getMessage());
    }

    /** Before the first socket that depends on it is bound. */
    private synchronized void startZap(CurveKeys curve) {
        if (zap == null) {
            CurveClients clients = CurveClients.open(curve);
            zap = new ZapHandler(context, clients, onDeadThread);
            zap.start();
            LOG.info(
                    "clients need keys: the server's is {}, and those of {} clients are admitted",
                    curve.own().publicKey(),
                    clients.size());
        }
    }

    private static boolean isTcp(String endpoint) {
        return endpoint.startsWith("tcp://");
    }
}
