package io.tardis.core.zmq;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.zeromq.ZMQ;

/**
 * The answering side of REQ clients, which may be answered in any order. Belongs to one thread, but
 * for {@link #wake}.
 *
 * <p>A REQ client sends an identity, possibly more frames ({@code REQ_CORRELATE} adds a number), an
 * empty frame, and its question. All of it up to the empty frame must come back in front of the
 * answer, or the client waits for ever.
 */
public final class ZmqReplier implements AutoCloseable {

    /** A question, and the way back to who asked it. */
    public static final class Request {
        private final List<byte[]> envelope;
        private final byte[] payload;

        private Request(List<byte[]> envelope, byte[] payload) {
            this.envelope = envelope;
            this.payload = payload;
        }

        /** The question's bytes. They are not a copy. */
        public byte[] payload() {
            return payload;
        }
    }

    private static final byte[] EMPTY = {};

    private final ZMQ.Socket socket;
    private final Wakeup wakeup;

    ZmqReplier(ZMQ.Context context, ZMQ.Socket socket) {
        this.socket = socket;
        this.wakeup = new Wakeup(context, socket);
    }

    /**
     * The next question; null when the time is over or {@link #wake} was called.
     *
     * @param timeout the longest wait
     */
    public @Nullable Request receive(Duration timeout) {
        byte[] identity = socket.recv(ZMQ.DONTWAIT);
        if (identity == null && wakeup.awaitReadable(timeout.toMillis())) {
            identity = socket.recv(ZMQ.DONTWAIT);
        }
        if (identity == null) {
            return null;
        }
        List<byte[]> frames = new ArrayList<>(3);
        frames.add(identity);
        while (socket.hasReceiveMore()) {
            byte[] frame = socket.recv(ZMQ.DONTWAIT);
            frames.add(frame == null ? EMPTY : frame);
        }
        return split(frames);
    }

    /**
     * Answers {@code request}; does nothing if the client has gone. Never waits.
     *
     * @param request the question
     * @param answer the answer's bytes
     */
    public void reply(Request request, byte[] answer) {
        for (byte[] frame : request.envelope) {
            socket.sendMore(frame);
        }
        socket.send(answer);
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

    /**
     * The envelope ends with the first empty frame after the identity; a DEALER may leave it out,
     * and gets its answer all the same. Frames behind the question are dropped: a question of
     * several frames is answered as if it were the first.
     */
    private static Request split(List<byte[]> frames) {
        for (int i = 1; i < frames.size(); i++) {
            if (frames.get(i).length == 0) {
                byte[] payload = i + 1 < frames.size() ? frames.get(i + 1) : EMPTY;
                return new Request(frames.subList(0, i + 1), payload);
            }
        }
        return new Request(frames.subList(0, 1), frames.size() > 1 ? frames.get(1) : EMPTY);
    }
}
