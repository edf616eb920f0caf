package io.tardis.core.zmq;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.zeromq.ZMQ;

/**
 * A client that has many questions open at once, each with a number, which its answer has, too.
 * Belongs to one thread, but for {@link #wake}.
 */
public final class ZmqDealer implements AutoCloseable {

    /**
     * An answer.
     *
     * @param number the question's
     * @param payload its bytes
     */
    @SuppressWarnings("ArrayRecordComponent") // read once by the one who asked, never compared
    public record Reply(long number, byte[] payload) {}

    private static final byte[] EMPTY = {};

    private final ZMQ.Socket socket;
    private final Wakeup wakeup;

    ZmqDealer(ZMQ.Context context, ZMQ.Socket socket) {
        this.socket = socket;
        this.wakeup = new Wakeup(context, List.of(socket));
    }

    /** Asks. */
    public void send(long number, byte[] question) {
        // The replier returns what comes before the empty frame, as to a REQ client.
        socket.sendMore(ByteBuffer.allocate(Long.BYTES).putLong(number).array());
        socket.sendMore(EMPTY);
        socket.send(question);
    }

    /**
     * The next answer; null when the time is over or {@link #wake} was called.
     *
     * @param timeout the longest wait
     */
    public @Nullable Reply receive(Duration timeout) {
        byte[] number = wakeup.receive(socket, timeout);
        if (number == null) {
            return null;
        }
        byte[] last = EMPTY;
        while (socket.hasReceiveMore()) {
            last = socket.recv(ZMQ.DONTWAIT);
        }
        return new Reply(ByteBuffer.wrap(number).getLong(), last);
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
