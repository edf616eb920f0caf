package io.tardis.core.zmq;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.zeromq.ZMQ;

/** A SUB socket. Belongs to one thread, but for {@link #wake}. */
public final class ZmqSubscriber implements AutoCloseable {

    /**
     * A message of two frames.
     *
     * @param topic the first frame
     * @param payload the second frame
     */
    @SuppressWarnings(
            "ArrayRecordComponent") // read once by the one who received it, never compared
    public record Message(String topic, byte[] payload) {}

    private final ZMQ.Socket socket;
    private final Wakeup wakeup;

    ZmqSubscriber(ZMQ.Context context, ZMQ.Socket socket) {
        this.socket = socket;
        this.wakeup = new Wakeup(context, List.of(socket));
    }

    /**
     * The next message; null when the time is over or {@link #wake} was called. Messages that have
     * not two frames are passed over.
     *
     * @param timeout the longest wait
     */
    public @Nullable Message receive(Duration timeout) {
        byte[] topic = wakeup.receive(socket, timeout);
        if (topic == null) {
            return null;
        }
        byte[] payload = socket.hasReceiveMore() ? socket.recv(ZMQ.DONTWAIT) : null;
        boolean whole = payload != null && !socket.hasReceiveMore();
        while (socket.hasReceiveMore()) {
            socket.recv(ZMQ.DONTWAIT);
        }
        return whole && payload != null
                ? new Message(new String(topic, StandardCharsets.UTF_8), payload)
                : null;
    }

    /** Ends the wait that is going on, or the next one. From any thread. */
    public void wake() {
        wakeup.wake();
    }

    @Override
    public void close() {
        wakeup.close();
        socket.close();
    }
}
