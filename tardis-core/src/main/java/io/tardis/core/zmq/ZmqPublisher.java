package io.tardis.core.zmq;

import java.nio.charset.StandardCharsets;
import org.zeromq.ZMQ;

/** A PUB socket. Belongs to one thread. */
public final class ZmqPublisher implements AutoCloseable {

    private final ZMQ.Socket socket;

    ZmqPublisher(ZMQ.Socket socket) {
        this.socket = socket;
    }

    /**
     * Sends a message of two frames to every subscriber of its topic that keeps up; never waits.
     *
     * @param topic the first frame
     * @param payload the second frame
     */
    public void send(String topic, byte[] payload) {
        socket.sendMore(topic.getBytes(StandardCharsets.UTF_8));
        socket.send(payload);
    }

    @Override
    public void close() {
        socket.close();
    }
}
