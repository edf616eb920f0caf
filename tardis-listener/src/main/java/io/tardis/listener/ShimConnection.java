package io.tardis.listener;

import io.tardis.core.registry.Life;
import io.tardis.listener.ShimProtocol.Exit;
import io.tardis.listener.ShimProtocol.State;
import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.ProtocolException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The conversation with one container's containerd shim: it is asked for the state of the container
 * and for its end, once each. Never blocks. For one thread at a time.
 */
final class ShimConnection implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ShimConnection.class);

    /** Enough for both answers of a real shim. */
    private static final int USUAL_BYTES = 512;

    final Life life;

    /** Whether a shim that does not answer this one is asked no more. */
    final boolean isLastTry;

    /** By the monotonic clock. */
    final long openedNanos = System.nanoTime();

    private final SocketChannel channel;
    private ByteBuffer in = ByteBuffer.allocate(USUAL_BYTES);
    private @Nullable State state;
    private @Nullable Exit waited;

    private ShimConnection(Life life, boolean isLastTry, SocketChannel channel) {
        this.life = life;
        this.isLastTry = isLastTry;
        this.channel = channel;
    }

    /**
     * Asks the shim of {@code life}; empty if there is none.
     *
     * <p>Both questions are sent at once, and are with the shim when this returns: the answer to
     * the second one cannot be missed from then on, also if the shim cannot answer the first one
     * before it has done with a {@code create}, {@code start} or {@code delete}.
     *
     * @throws ProtocolException if Tardis cannot talk to such a shim
     * @throws IOException if it cannot be asked now, for want of descriptors for instance
     */
    static Optional<ShimConnection> open(Life life, boolean isLastTry) throws IOException {
        Optional<ShimAddress> address = ShimAddress.of(life.bundle());
        if (address.isEmpty()) {
            return Optional.empty();
        }
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        boolean asked = false;
        try {
            channel.configureBlocking(false);
            asked = connect(channel, address.get().socket()) && ask(channel, address.get(), life);
            return asked
                    ? Optional.of(new ShimConnection(life, isLastTry, channel))
                    : Optional.empty();
        } finally {
            if (!asked) {
                channel.close();
            }
        }
    }

    /**
     * Linux connects at once or not at all (unix(7)).
     *
     * @return false if nobody listens there
     */
    private static boolean connect(SocketChannel channel, Path socket) throws ProtocolException {
        try {
            return channel.connect(UnixDomainSocketAddress.of(socket));
        } catch (IOException e) {
            if (e instanceof ConnectException || Files.notExists(socket)) {
                return false;
            }
            // The shim hangs, and its queue of connections is full, for instance.
            throw new ProtocolException("its shim does not accept a connection: " + e.getMessage());
        }
    }

    /**
     * A new socket has room for both requests.
     *
     * @return false if the shim has ended
     */
    private static boolean ask(SocketChannel channel, ShimAddress address, Life life) {
        byte[] state = ShimProtocol.state(address.service(), life.container().id());
        byte[] await = ShimProtocol.await(address.service(), life.container().id());
        ByteBuffer both = ByteBuffer.allocate(state.length + await.length).put(state).put(await);
        try {
            channel.write(both.flip());
            return !both.hasRemaining();
        } catch (IOException e) {
            LOG.debug("the containerd shim of {} has ended", life.container(), e);
            return false;
        }
    }

    /** Has the selector report when the shim has sent something. */
    void register(Selector selector) throws IOException {
        channel.register(selector, SelectionKey.OP_READ, this);
    }

    /** Whether the shim has answered the question for the state. */
    boolean isAnswered() {
        return state != null;
    }

    /**
     * Reads what the shim has sent.
     *
     * @return how the container ended, if that is known now
     * @throws IOException if the shim will not say it; the reason is in the message
     */
    Optional<ShimWitness.Ended> read() throws IOException {
        if (channel.read(in) < 0) {
            throw new EOFException("its shim has ended");
        }
        in.flip();
        int length = ShimProtocol.frameLength(in);
        while (length > 0 && length <= in.remaining()) {
            answered(ShimProtocol.frame(in, length));
            length = ShimProtocol.frameLength(in);
        }
        ByteBuffer rest = in.compact();
        if (length > rest.capacity()) {
            in = ByteBuffer.allocate(length).put(rest.flip());
        }
        return ended();
    }

    private void answered(ShimProtocol.Frame frame) throws IOException {
        ByteBuffer payload = ShimProtocol.payload(frame.data());
        if (frame.stream() == ShimProtocol.STATE && state == null) {
            state = checked(ShimProtocol.decodeState(payload));
        } else if (frame.stream() == ShimProtocol.WAIT && waited == null) {
            waited = ShimProtocol.decodeWait(payload).orElseThrow(ShimConnection::notSeen);
        } else {
            throw new ProtocolException("a response to no request");
        }
    }

    /** The address may be another life's by now: the same id has the same one each time. */
    private State checked(State answer) throws IOException {
        if (!answer.id().equals(life.container().id())) {
            throw new ProtocolException("the state of another container");
        }
        long pid = life.init().isPresent() ? life.init().get().pid() : answer.pid();
        if (answer.pid() != 0 && answer.pid() != pid) {
            throw new IOException("its process is " + answer.pid() + ", and not " + pid);
        }
        return answer;
    }

    private Optional<ShimWitness.Ended> ended() throws IOException {
        if (state == null) {
            return Optional.empty();
        }
        Exit exit = state.isStopped() ? state.exit().orElseThrow(ShimConnection::notSeen) : waited;
        return exit == null
                ? Optional.empty()
                : Optional.of(new ShimWitness.Ended(life, exit.status(), exit.at(), state.pid()));
    }

    private static IOException notSeen() {
        return new IOException("its shim has not seen how it ended");
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.debug("a connection cannot be closed", e);
        }
    }
}
