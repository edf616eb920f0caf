package io.tardis.core.zmq;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.zeromq.ZMQ;

/**
 * The answering side of REQ clients, which may be answered in any order. Questions of this process
 * come first, however many others there are. Belongs to one thread, but for {@link #wake}.
 *
 * <p>A REQ client sends an identity, possibly more frames ({@code REQ_CORRELATE} adds a number), an
 * empty frame, and its question. All of it up to the empty frame must come back in front of the
 * answer, or the client waits for ever.
 */
public final class ZmqReplier implements AutoCloseable {

    /** A question, and the way back to who asked it. */
    public static final class Request {
        private final ZMQ.Socket socket;
        private final boolean fromThisProcess;
        private final List<byte[]> envelope;
        private final byte[] payload;
        private final long size;

        private Request(
                ZMQ.Socket socket,
                boolean fromThisProcess,
                List<byte[]> envelope,
                byte[] payload,
                long size) {
            this.socket = socket;
            this.fromThisProcess = fromThisProcess;
            this.envelope = envelope;
            this.payload = payload;
            this.size = size;
        }

        /** Whether it came over {@code inproc}. */
        public boolean fromThisProcess() {
            return fromThisProcess;
        }

        /** Equal for all questions of one connection, and for those of no other one. */
        public ByteBuffer connection() {
            return ByteBuffer.wrap(envelope.getFirst()).asReadOnlyBuffer();
        }

        /** How many bytes all its frames have together. */
        public long size() {
            return size;
        }

        /** The question's bytes. They are not a copy. */
        public byte[] payload() {
            return payload;
        }
    }

    private static final byte[] EMPTY = {};

    private final Optional<ZMQ.Socket> inside;
    private final List<ZMQ.Socket> sockets;
    private final Wakeup wakeup;

    ZmqReplier(ZMQ.Context context, BoundSockets bound) {
        this.inside = bound.inside();
        this.sockets = bound.all();
        this.wakeup = new Wakeup(context, sockets);
    }

    /**
     * The next question; null when the time is over or {@link #wake} was called.
     *
     * @param timeout the longest wait
     */
    public @Nullable Request receive(Duration timeout) {
        Request request = receive();
        return request == null && wakeup.awaitReadable(timeout.toMillis()) ? receive() : request;
    }

    private @Nullable Request receive() {
        for (ZMQ.Socket socket : sockets) {
            byte[] identity = socket.recv(ZMQ.DONTWAIT);
            if (identity != null) {
                return receive(socket, identity);
            }
        }
        return null;
    }

    private Request receive(ZMQ.Socket socket, byte[] identity) {
        List<byte[]> frames = new ArrayList<>(3);
        frames.add(identity);
        long size = 0;
        while (socket.hasReceiveMore()) {
            byte[] frame = socket.recv(ZMQ.DONTWAIT);
            frames.add(frame == null ? EMPTY : frame);
            size += frames.getLast().length;
        }
        int envelope = envelopeOf(frames);
        return new Request(
                socket,
                inside.filter(socket::equals).isPresent(),
                frames.subList(0, envelope),
                envelope < frames.size() ? frames.get(envelope) : EMPTY,
                size);
    }

    /**
     * Answers {@code request}; does nothing if the client has gone. Never waits.
     *
     * @param request the question
     * @param answer the answer's bytes
     */
    public void reply(Request request, byte[] answer) {
        for (byte[] frame : request.envelope) {
            request.socket.sendMore(frame);
        }
        request.socket.send(answer);
    }

    /** Ends the wait that is going on, or the next one. From any thread. */
    public void wake() {
        wakeup.wake();
    }

    @Override
    public void close() {
        wakeup.close();
        sockets.forEach(ZMQ.Socket::close);
    }

    /**
     * How many frames the envelope has. It ends with the first empty frame after the identity; a
     * DEALER may leave it out, and gets its answer all the same. Frames behind the question are
     * dropped: a question of several frames is answered as if it were the first.
     */
    private static int envelopeOf(List<byte[]> frames) {
        for (int i = 1; i < frames.size(); i++) {
            if (frames.get(i).length == 0) {
                return i + 1;
            }
        }
        return 1;
    }
}
