package io.tardis.store;

import io.tardis.core.config.Limits;
import io.tardis.core.config.Setting;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Refused;
import io.tardis.core.zmq.ZmqReplier;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Refuses what other processes ask beyond the limits. Questions of this process always pass: a
 * delete must not wait because somebody else asks much.
 *
 * <p>Requests are counted for each connection, so that one client's flood costs the others nothing,
 * and by whole seconds: a client may use up its second at once. For one thread.
 */
final class Gate {

    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    /** How many requests of one connection may wait for an end. */
    static final int MAX_WAITING_OF_ONE = 100;

    /** The longest envelope that is kept for a request that waits. */
    static final int MAX_WAITING_ENVELOPE = 512;

    /** Who did not read that many bytes of answers gets no other long one before. */
    static final int MAX_UNREAD = 64 * 1024;

    private final Limits limits;
    private final Map<Long, Integer> requests = new HashMap<>();
    private long second;

    /**
     * A gate that nobody has passed yet.
     *
     * @param nanoTime now, by the monotonic clock
     */
    Gate(Limits limits, long nanoTime) {
        this.limits = limits;
        this.second = nanoTime;
    }

    /**
     * Why the question is not even read; empty if it is.
     *
     * @param nanoTime now, by the monotonic clock
     */
    Optional<Answer> refusal(ZmqReplier.Request request, long nanoTime) {
        if (request.fromThisProcess()) {
            return Optional.empty();
        }
        if (nanoTime - second >= SECOND) {
            second = nanoTime;
            requests.clear();
        }
        if (requests.merge(request.connection(), 1, Integer::sum) > limits.maxRequestsPerSecond()) {
            return refused(
                    Refused.TOO_MANY,
                    "this connection asked more than %s times within a second (%s)"
                            .formatted(
                                    limits.maxRequestsPerSecond(),
                                    Setting.MAX_REQUESTS_PER_SECOND.key()));
        }
        if (request.size() > limits.maxRequestBytes()) {
            return refused(
                    Refused.BAD_REQUEST,
                    "the request has %s bytes, more than %s (%s)"
                            .formatted(
                                    request.size(),
                                    limits.maxRequestBytes(),
                                    Setting.MAX_REQUEST_BYTES.key()));
        }
        return Optional.empty();
    }

    /**
     * Why the question cannot wait for its answer; empty if it can.
     *
     * @param waiting how many of other processes wait already
     * @param waitingOfIts how many of its own connection
     */
    Optional<Answer> refusalToWait(ZmqReplier.Request request, int waiting, int waitingOfIts) {
        if (request.fromThisProcess()) {
            return Optional.empty();
        }
        if (waiting >= limits.maxWaiting()) {
            return refused(
                    Refused.TOO_MANY,
                    "%s requests wait for an end already (%s)"
                            .formatted(waiting, Setting.MAX_WAITING.key()));
        }
        if (waitingOfIts >= MAX_WAITING_OF_ONE) {
            return refused(
                    Refused.TOO_MANY,
                    waitingOfIts
                            + " requests of this connection wait for an end already, as many as one"
                            + " connection may have");
        }
        return request.envelopeSize() <= MAX_WAITING_ENVELOPE
                ? Optional.empty()
                : refused(
                        Refused.BAD_REQUEST,
                        "the envelope of a request that waits has %s bytes, more than %s"
                                .formatted(request.envelopeSize(), MAX_WAITING_ENVELOPE));
    }

    /** Why the question, which has a long answer, is not answered now; empty if it is. */
    static Optional<Answer> refusalOfLongAnswer(ZmqReplier.Request request) {
        long unread = request.unread();
        return unread <= MAX_UNREAD
                ? Optional.empty()
                : refused(
                        Refused.TOO_MANY,
                        "answers of " + unread + " bytes wait until this connection reads them");
    }

    private static Optional<Answer> refused(String error, String message) {
        return Optional.of(new Refused(error, message));
    }
}
