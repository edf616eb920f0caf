package io.tardis.core.zmq;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.zeromq.ZMQ;

/** The publishing side of SUB sockets. Belongs to one thread. */
public final class ZmqPublisher implements AutoCloseable {

    private final List<ZMQ.Socket> sockets;
    private final Clients clients;
    private long number;

    ZmqPublisher(List<ZMQ.Socket> sockets, Clients clients) {
        this.sockets = sockets;
        this.clients = clients;
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
        number++;
        clients.published(number);
        for (ZMQ.Socket socket : sockets) {
            socket.sendMsg(new NumberedMessage(first, number), ZMQ.SNDMORE);
            socket.sendMsg(new NumberedMessage(payload, number), 0);
            while (socket.recv(ZMQ.DONTWAIT) != null) {
                // a subscription, which JeroMQ has noted
            }
        }
    }

    @Override
    public void close() {
        sockets.forEach(ZMQ.Socket::close);
    }
}
