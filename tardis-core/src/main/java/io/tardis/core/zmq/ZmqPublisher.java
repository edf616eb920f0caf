package io.tardis.core.zmq;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.zeromq.ZMQ;

/** The publishing side of SUB sockets. Belongs to one thread. */
public final class ZmqPublisher implements AutoCloseable {

    private final List<ZMQ.Socket> sockets;

    ZmqPublisher(BoundSockets bound) {
        this.sockets = bound.all();
    }

    /**
     * Sends a message of two frames to every subscriber of its topic that keeps up. Waits for those
     * over {@code inproc} that do not, as long as it takes, and for nobody else.
     *
     * @param topic the first frame
     * @param payload the second frame
     */
    public void send(String topic, byte[] payload) {
        byte[] first = topic.getBytes(StandardCharsets.UTF_8);
        for (ZMQ.Socket socket : sockets) {
            socket.sendMore(first);
            socket.send(payload);
            dropReceived(socket);
        }
    }

    /** What subscribers sent: their subscriptions, which JeroMQ has noted, and anything else. */
    private static void dropReceived(ZMQ.Socket socket) {
        while (socket.recv(ZMQ.DONTWAIT) != null) {
            // the next one
        }
    }

    @Override
    public void close() {
        sockets.forEach(ZMQ.Socket::close);
    }
}
