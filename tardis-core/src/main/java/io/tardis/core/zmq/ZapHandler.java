package io.tardis.core.zmq;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.curve.CurveClients;
import io.tardis.core.curve.CurvePublicKey;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.zeromq.SocketType;
import org.zeromq.ZMQ;

/**
 * Decides for the sockets of a context who may connect (ZAP 1.0, rfc.zeromq.org/spec/27), in a
 * thread of its own. It must be there before the first CURVE socket is bound and go after the last
 * one: without a handler JeroMQ, as libzmq, lets everybody in who knows the server's public key. So
 * a handler that fails leaves its socket open, where nobody is answered and nobody gets in.
 *
 * <p>JeroMQ's own {@code ZAuth} wants a {@code ZContext}, and reads key files that are wrong
 * without a word.
 */
final class ZapHandler implements AutoCloseable {

    private static final String ENDPOINT = "inproc://zeromq.zap.01";
    private static final byte[] VERSION = bytes("1.0");

    /** A request is version, id, domain, address, identity, mechanism and credentials. */
    private static final int REQUEST_FRAMES = 7;

    /**
     * How long to wait for the rest of a request, which is there with its beginning; but JeroMQ
     * drops it where the client hangs up in that moment, and goes on with the next request.
     */
    private static final int REST_MILLIS = 100;

    private final ZMQ.Socket socket;
    private final Wakeup wakeup;
    private final CurveClients clients;
    private final Worker worker;
    private final FailureLog refusals = new FailureLog(ZapHandler.class);

    /**
     * Binds; {@link #start} begins.
     *
     * @param onDeath called by the thread if it dies
     */
    ZapHandler(ZMQ.Context context, CurveClients clients, Consumer<Throwable> onDeath) {
        this.clients = clients;
        socket = context.socket(SocketType.REP);
        socket.setLinger(0);
        socket.setReceiveTimeOut(REST_MILLIS);
        socket.bind(ENDPOINT);
        wakeup = new Wakeup(context, List.of(socket));
        worker = new Worker("tardis-zmq-clients", this::run, wakeup::wake);
        worker.onDeath(onDeath);
    }

    void start() {
        worker.start();
    }

    private void run() {
        while (!worker.isStopping()) {
            byte[] first = socket.recv(ZMQ.DONTWAIT);
            if (first == null) {
                wakeup.awaitReadable(-1);
            } else {
                answer(first);
            }
        }
    }

    private void answer(byte[] first) {
        List<byte[]> request = new ArrayList<>(List.of(first));
        while (socket.hasReceiveMore() && !worker.isStopping()) {
            byte[] frame = socket.recv();
            if (frame != null) {
                request.add(frame);
            }
        }
        boolean admitted = isAdmitted(request);
        socket.sendMore(VERSION);
        socket.sendMore(request.size() > 1 ? request.get(1) : bytes(""));
        socket.sendMore(admitted ? "200" : "400");
        socket.sendMore(admitted ? "OK" : "not a client of this server");
        socket.sendMore(""); // user
        socket.send(""); // metadata
    }

    private boolean isAdmitted(List<byte[]> request) {
        if (request.size() != REQUEST_FRAMES
                || !Arrays.equals(request.get(0), VERSION)
                || !Arrays.equals(request.get(5), bytes("CURVE"))
                || request.get(6).length != ZMQ.Curve.KEY_SIZE) {
            refused("somebody", "no CURVE key");
            return false;
        }
        CurvePublicKey client = new CurvePublicKey(ZMQ.Curve.z85Encode(request.get(6)));
        boolean admitted = clients.admits(client);
        if (!admitted) {
            refused(
                    new String(request.get(3), StandardCharsets.UTF_8),
                    "the key " + client + ", which is not among the clients'");
        }
        return admitted;
    }

    private void refused(String address, String credentials) {
        refusals.warn("a connection was refused", address + " with " + credentials);
    }

    /** Ends the thread, and closes its socket. When every other socket is closed, not before. */
    @Override
    public void close() {
        worker.close();
        if (!worker.isAlive()) {
            wakeup.close();
            socket.close();
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
