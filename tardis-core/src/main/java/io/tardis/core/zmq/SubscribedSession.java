package io.tardis.core.zmq;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import zmq.Msg;

/**
 * A connection that subscribes: a bounded set of prefixes comes in, what is published goes out.
 * What is no subscription, or can match no topic, is dropped here.
 */
final class SubscribedSession extends ClientSession {

    /**
     * The longest frame: a topic has 250 bytes at the most, and CURVE some more. JeroMQ recurses
     * once for each byte of a subscription.
     */
    private static final int MAX_FRAME_BYTES = 1024;

    private static final int MAX_SUBSCRIPTIONS = 1_000;

    /** {@code /tasks/exec-exit/}, and a namespace, a container and an exec of 76 bytes each. */
    private static final int LONGEST_TOPIC = 256;

    /** What a subscription takes: in the set here, and in JeroMQ's tree with a node each byte. */
    private static final int SUBSCRIPTION_BYTES = 300;

    private static final int NODE_BYTES = 60;

    /** How far behind the publisher a subscriber may be, in messages. */
    static final int MAX_BEHIND = 20_000;

    private final Clients clients;
    private final Set<ByteBuffer> subscriptions = new HashSet<>();

    /**
     * What is given back when the publisher has looked at its queue, as it does with each message:
     * who subscribes and unsubscribes in turn fills that queue.
     */
    private long returning;

    private long returnedAt;

    /** The oldest message that TCP did not take yet, if there is one. */
    private @Nullable Msg oldest;

    SubscribedSession(TcpEndpoint.Connection connection) {
        super(connection);
        this.clients = connection.clients();
    }

    @Override
    @Nullable String refusalToRead(int size) {
        return size > MAX_FRAME_BYTES
                ? "a subscription has more than " + MAX_FRAME_BYTES + " bytes"
                : null;
    }

    @Override
    boolean take(Msg frame) {
        if (frame.isCommand() || frame.hasMore() || frame.size() == 0) {
            return true;
        }
        ByteBuffer prefix = ByteBuffer.wrap(frame.data(), 1, frame.size() - 1).slice();
        return switch (frame.get(0)) {
            case 0 -> unsubscribe(frame, prefix);
            case 1 -> subscribe(frame, prefix);
            default -> true;
        };
    }

    private boolean subscribe(Msg frame, ByteBuffer prefix) {
        if (subscriptions.contains(prefix) || !canMatch(prefix)) {
            return true;
        }
        if (subscriptions.size() == MAX_SUBSCRIPTIONS) {
            return refuse("it has more than " + MAX_SUBSCRIPTIONS + " subscriptions");
        }
        if (!client.arriving().take(cost(prefix))) {
            return refuse("subscriptions take too much memory");
        }
        if (!handOn(frame)) {
            client.arriving().give(cost(prefix));
            return false;
        }
        subscriptions.add(prefix);
        return true;
    }

    private boolean unsubscribe(Msg frame, ByteBuffer prefix) {
        if (!subscriptions.contains(prefix)) {
            return true;
        }
        if (!handOn(frame)) {
            return false;
        }
        subscriptions.remove(prefix);
        returning += cost(prefix);
        returnedAt = clients.published();
        return true;
    }

    private static long cost(ByteBuffer prefix) {
        return SUBSCRIPTION_BYTES + (long) NODE_BYTES * prefix.remaining();
    }

    /**
     * Topics are short, and of printable ASCII. JeroMQ's tree is widest where the bytes are far
     * apart.
     */
    private static boolean canMatch(ByteBuffer prefix) {
        CharBuffer text = StandardCharsets.ISO_8859_1.decode(prefix.duplicate());
        return text.length() <= LONGEST_TOPIC && text.chars().allMatch(c -> c > ' ' && c <= '~');
    }

    @Override
    protected @Nullable Msg pullMsg() {
        Msg next = oldest == null ? super.pullMsg() : oldest;
        oldest = next == null ? null : super.pullMsg();
        return next;
    }

    /**
     * Subscribers share what they wait for, but each may wait for something else: who is too far
     * behind would hold what all others have read. The log has it, and a subscriber asks there.
     */
    @Override
    void look(long nanoTime) {
        if (clients.published() > returnedAt + 1) {
            client.arriving().give(returning);
            returning = 0;
        }
        if (oldest == null && !isEnding()) {
            oldest = super.pullMsg();
        }
        if (oldest instanceof NumberedMessage message
                && clients.published() - message.number() > MAX_BEHIND) {
            end("a subscriber is more than " + MAX_BEHIND + " messages behind");
        }
    }
}
