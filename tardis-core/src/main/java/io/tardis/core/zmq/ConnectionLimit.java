package io.tardis.core.zmq;

import io.tardis.core.config.Setting;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.zeromq.ZEvent;
import org.zeromq.ZMQ;

/**
 * Lets so many connections to one bound socket be open at the same time, with or without a
 * greeting. Each takes a descriptor, and a daemon without descriptors cannot hear how containers
 * end.
 *
 * <p>JeroMQ 0.6.0 has no such limit, but tells of each connection in the I/O thread that accepted
 * it, before that thread turns to it. One too many is told there that its peer has hung up, and
 * closed by its owner as any other that ends.
 */
final class ConnectionLimit implements ZEvent.ZEventConsummer {

    private static final Logger LOG = LoggerFactory.getLogger(ConnectionLimit.class);

    /** Who is refused tries again, ten times a second and more. */
    private static final Duration TOLD_EVERY = Duration.ofMinutes(1);

    private final int max;

    // All that follows is for the I/O thread alone.

    /** Those that were let in; some may have ended since. */
    private final Set<SocketChannel> admitted = new HashSet<>();

    private long refused;
    private long toldAt;

    private ConnectionLimit(int max) {
        this.max = max;
    }

    /** For all endpoints that {@code socket} will be bound to. */
    static void set(ZMQ.Socket socket, int max) {
        socket.setEventHook(new ConnectionLimit(max), ZMQ.EVENT_ACCEPTED);
    }

    @Override
    public void consume(ZEvent accepted) {
        SocketChannel connection = accepted.getValue();
        if (admitted.size() >= max) {
            admitted.removeIf(it -> !it.isOpen());
        }
        if (admitted.size() < max) {
            admitted.add(connection);
        } else {
            refuse(connection, accepted.getAddress());
        }
    }

    private void refuse(SocketChannel connection, String endpoint) {
        refused++;
        if (refused == 1 || System.nanoTime() - toldAt > TOLD_EVERY.toNanos()) {
            toldAt = System.nanoTime();
            LOG.warn(
                    "{} connections to {} are open, as many as {} allows: {} more were refused",
                    max,
                    endpoint,
                    Setting.MAX_CONNECTIONS.key(),
                    refused);
        }
        try {
            connection.shutdownInput();
        } catch (IOException e) {
            LOG.debug("a connection that is refused was gone already", e);
        }
    }
}
