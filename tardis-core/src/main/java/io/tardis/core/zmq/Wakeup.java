package io.tardis.core.zmq;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.zeromq.ZMQ;

/** Waits for one socket or several, and lets other threads end the wait. */
final class Wakeup implements AutoCloseable {

    private static final int PIPE = 0;

    private final ZMQ.Poller poller;
    private final Pipe pipe;
    private final AtomicBoolean woken = new AtomicBoolean();
    private final ByteBuffer drain = ByteBuffer.allocate(16);

    Wakeup(ZMQ.Context context, List<ZMQ.Socket> sockets) {
        try {
            pipe = Pipe.open();
            pipe.source().configureBlocking(false);
        } catch (IOException e) {
            throw new UncheckedIOException("no pipe can be made", e);
        }
        poller = context.poller(1 + sockets.size());
        poller.register(pipe.source(), ZMQ.Poller.POLLIN);
        sockets.forEach(it -> poller.register(it, ZMQ.Poller.POLLIN));
    }

    /**
     * The next frame of one of the sockets; null when the time is over or {@link #wake} was called.
     *
     * @param timeout the longest wait
     */
    byte @Nullable [] receive(ZMQ.Socket socket, Duration timeout) {
        byte[] frame = socket.recv(ZMQ.DONTWAIT);
        return frame == null && awaitReadable(timeout.toMillis())
                ? socket.recv(ZMQ.DONTWAIT)
                : frame;
    }

    /**
     * Whether a socket can be read; false when the time is over or {@link #wake} was called.
     * Negative waits for ever.
     */
    boolean awaitReadable(long timeoutMillis) {
        poller.poll(timeoutMillis);
        // Only what the poll has seen: a wake sets its mark before it writes its byte, and a mark
        // taken back in between would leave the byte there, and end every wait from then on.
        if (poller.pollin(PIPE)) {
            try {
                drain.clear();
                pipe.source().read(drain);
            } catch (IOException e) {
                throw new UncheckedIOException("the wake-up pipe cannot be read", e);
            }
            woken.getAndSet(false);
        }
        return IntStream.range(PIPE + 1, poller.getSize()).anyMatch(poller::pollin);
    }

    /**
     * Ends the wait that is going on, or the next one. From any thread, also after {@link #close}.
     */
    void wake() {
        if (woken.getAndSet(true)) {
            return; // the byte of the wake before has not been read yet
        }
        try {
            pipe.sink().write(ByteBuffer.wrap(new byte[1]));
        } catch (ClosedChannelException e) {
            return; // closed: nobody waits any more
        } catch (IOException e) {
            throw new UncheckedIOException("the wake-up pipe cannot be written", e);
        }
    }

    @Override
    public void close() {
        poller.close();
        try {
            pipe.source().close();
            pipe.sink().close();
        } catch (IOException e) {
            throw new UncheckedIOException("the wake-up pipe cannot be closed", e);
        }
    }
}
