package io.tardis.core.zmq;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
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
        private final Clients.@Nullable Client client;
        private final List<byte[]> envelope;
        private final byte[] payload;
        private final long size;

        private Request(
                ZMQ.Socket socket,
                Clients.@Nullable Client client,
                List<byte[]> envelope,
                byte[] payload,
                long size) {
            this.socket = socket;
            this.client = client;
            this.envelope = envelope;
            this.payload = payload;
            this.size = size;
        }

        /** Whether it came over {@code inproc}. */
        public boolean fromThisProcess() {
            return client == null;
        }

        /**
         * The same for all questions of one connection, and for those of no other one, not even of
         * one that has ended. -1 for all of this process.
         */
        public long connection() {
            return client == null ? -1 : client.number();
        }

        /** How many bytes of answers wait until the client reads them. */
        public long unread() {
            return client == null ? 0 : client.leaving().held();
        }

        /** How many bytes its envelope has. */
        public int envelopeSize() {
            return envelope.stream().mapToInt(it -> it.length).sum();
        }

        /** As much of it as is needed to answer it. */
        public Request withoutPayload() {
            return new Request(socket, client, envelope, EMPTY, size);
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

    private final List<ZmqContext.Bound> bound;
    private final Wakeup wakeup;
    private final Clients clients;

    ZmqReplier(ZMQ.Context context, List<ZmqContext.Bound> bound, Clients clients) {
        this.bound = bound;
        this.wakeup = new Wakeup(context, bound.stream().map(ZmqContext.Bound::socket).toList());
        this.clients = clients;
        clients.onEnd(wakeup::wake);
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
        for (ZmqContext.Bound from : bound) {
            byte[] identity = from.socket().recv(ZMQ.DONTWAIT);
            while (identity != null) {
                Request request = receive(from, identity);
                if (request != null) {
                    return request;
                }
                identity = from.socket().recv(ZMQ.DONTWAIT);
            }
        }
        return null;
    }

    /** Null where the client has gone already. */
    private @Nullable Request receive(ZmqContext.Bound from, byte[] identity) {
        ZMQ.Socket socket = from.socket();
        List<byte[]> frames = new ArrayList<>(3);
        frames.add(identity);
        long size = 0;
        while (socket.hasReceiveMore()) {
            byte[] frame = socket.recv(ZMQ.DONTWAIT);
            frames.add(frame == null ? EMPTY : frame);
            size += frames.getLast().length;
        }
        Clients.Client client =
                from.isInside() ? null : clients.find(ByteBuffer.wrap(identity).getLong());
        if (client != null) {
            client.arriving().give(size + ClientSession.FRAME_BYTES * (frames.size() - 1L));
        } else if (!from.isInside()) {
            return null;
        }
        int envelope = envelopeOf(frames);
        return new Request(
                socket,
                client,
                List.copyOf(frames.subList(0, envelope)),
                envelope < frames.size() ? frames.get(envelope) : EMPTY,
                size);
    }

    /**
     * Answers {@code request}; does nothing if the client has gone. Never waits.
     *
     * @param request the question
     * @param answer the answer's bytes
     * @return false if too much waits already until clients read it: then nothing was answered
     */
    public boolean reply(Request request, byte[] answer) {
        Clients.Client client = request.client;
        if (client != null) {
            long size = (long) answer.length + ClientSession.FRAME_BYTES;
            for (byte[] frame : request.envelope.subList(1, request.envelope.size())) {
                size += (long) frame.length + ClientSession.FRAME_BYTES;
            }
            if (clients.find(client.number()) == null) {
                return true;
            }
            if (!client.leaving().take(size)) {
                return false;
            }
        }
        for (byte[] frame : request.envelope) {
            request.socket.sendMore(frame);
        }
        request.socket.send(answer);
        return true;
    }

    /** Ends the connection of {@code request} soon. */
    public void end(Request request) {
        if (request.client != null) {
            request.client.unwanted().set(true);
        }
    }

    /** The {@link Request#connection} of one that has ended; null if there is none. */
    public @Nullable Long pollEnded() {
        return clients.pollEnded();
    }

    /** Ends the wait that is going on, or the next one. From any thread. */
    public void wake() {
        wakeup.wake();
    }

    @Override
    public void close() {
        wakeup.close();
        bound.forEach(it -> it.socket().close());
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
