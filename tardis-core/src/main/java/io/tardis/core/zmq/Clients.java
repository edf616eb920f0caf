package io.tardis.core.zmq;

import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The connections of one socket that is bound to TCP, and what they may take of the heap together.
 * The socket's thread and the I/O thread share it.
 */
final class Clients {

    /**
     * One connection, from its beginning to its end.
     *
     * @param number differs from every other connection's of the socket, those that have ended too
     * @param arriving what came from it, and was not handled yet
     * @param leaving what it was sent, and TCP did not take yet
     * @param unwanted whether its connection is to be ended, within a second or two; from any
     *     thread
     */
    record Client(
            long number, Budget.Share arriving, Budget.Share leaving, AtomicBoolean unwanted) {}

    private final int most;
    private final Budget arriving;
    private final Budget leaving;
    private final Map<Long, Client> connected = new ConcurrentHashMap<>();
    private final Queue<Long> ended = new ConcurrentLinkedQueue<>();
    private volatile @Nullable Runnable onEnd;
    private volatile long published;
    private long numbers; // for the I/O thread

    /**
     * No connections yet.
     *
     * @param most how many there may be at the same time
     */
    Clients(int most, Budget arriving, Budget leaving) {
        this.most = most;
        this.arriving = arriving;
        this.leaving = leaving;
    }

    int most() {
        return most;
    }

    Client connect() {
        Client client =
                new Client(numbers++, arriving.share(), leaving.share(), new AtomicBoolean());
        connected.put(client.number(), client);
        return client;
    }

    /** The connection of this number; null if it has ended. */
    @Nullable Client find(long number) {
        return connected.get(number);
    }

    /** Safe twice. */
    void end(Client client) {
        if (connected.remove(client.number()) != null) {
            client.arriving().close();
            client.leaving().close();
            Runnable listener = onEnd;
            if (listener != null) {
                ended.add(client.number());
                listener.run();
            }
        }
    }

    /** From now on {@link #pollEnded} has those that end. */
    void onEnd(Runnable listener) {
        onEnd = listener;
    }

    /** The number of a connection that has ended; null if there is none. */
    @Nullable Long pollEnded() {
        return ended.poll();
    }

    /** The number of the message that was published last. */
    long published() {
        return published;
    }

    void published(long number) {
        published = number;
    }
}
