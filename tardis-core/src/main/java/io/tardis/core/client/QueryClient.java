package io.tardis.core.client;

import io.tardis.core.TardisException;
import io.tardis.core.UnavailableException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.figures.Figures;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Containers;
import io.tardis.core.wire.Answer.Counted;
import io.tardis.core.wire.Answer.Events;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Answer.Pong;
import io.tardis.core.wire.Answer.Refused;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.Query;
import io.tardis.core.wire.QueryCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqRequester;
import java.time.Duration;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Supplier;

/**
 * Asks a Tardis daemon. Any number of threads may ask at once: each has a socket for itself while
 * it does. Sockets are kept for the next question, because making one and taking it away takes ten
 * times as long as asking; the queue's hand-over is the memory barrier that ZeroMQ wants where a
 * socket changes its thread.
 *
 * <p>Every method throws {@link UnavailableException} if there is no answer in time, and {@link
 * TardisException} if the daemon refuses the question or answers something else.
 */
public final class QueryClient implements AutoCloseable {

    /** How long a client waits for an answer, beyond the wait that a question asks for. */
    public static final Duration PATIENCE = Duration.ofSeconds(5);

    /** What brings a question to the store. */
    public interface Asker extends AutoCloseable {

        /**
         * The answer to {@code query}.
         *
         * @param answerTime how long the store may take by the question's own wish
         * @throws UnavailableException if there is none in that time and the patience on top of it
         */
        Answer ask(Query query, Duration answerTime);

        @Override
        default void close() {}
    }

    private final Asker asker;

    /**
     * A client that waits up to 5 s for an answer.
     *
     * @param context makes its sockets; stays the caller's to close
     * @param endpoint the daemon's query endpoint
     */
    public QueryClient(ZmqContext context, String endpoint) {
        this(context, endpoint, PATIENCE);
    }

    /**
     * A client.
     *
     * @param context makes its sockets; stays the caller's to close
     * @param endpoint the daemon's query endpoint
     * @param patience how long to wait for an answer, beyond the wait that a question asks for
     */
    public QueryClient(ZmqContext context, String endpoint, Duration patience) {
        this(new Requesters(() -> context.requester(endpoint, patience)));
    }

    /** A client that asks in another way. */
    public QueryClient(Asker asker) {
        this.asker = asker;
    }

    /**
     * How the container's newest life ended.
     *
     * @param container the container
     * @param maxWait how long to wait for the end of a life that is still open
     */
    public OfContainer exitCode(ContainerKey container, Duration maxWait) {
        return exitCode(container, Optional.empty(), maxWait);
    }

    /**
     * How a life of the container ended.
     *
     * @param container the container
     * @param life the id of the life; empty for the newest that is known
     * @param maxWait how long to wait for the end of a life that is still open
     */
    public OfContainer exitCode(ContainerKey container, Optional<String> life, Duration maxWait) {
        return ask(new Query.ExitCode(container, life, maxWait), maxWait, OfContainer.class);
    }

    /**
     * The recorded exits after {@code seq}, oldest first.
     *
     * @param after only exits with a greater number
     * @param limit how many at the most, up to {@link QueryCodec#MAX_LIMIT}
     */
    public Events replay(long after, int limit) {
        return ask(new Query.Replay(after, limit), Duration.ZERO, Events.class);
    }

    /**
     * The containers that are known.
     *
     * @param namespace only those of this namespace; empty for all
     * @param limit how many at the most, up to {@link QueryCodec#MAX_LIMIT}
     */
    public Containers list(Optional<String> namespace, int limit) {
        return ask(new Query.ListContainers(namespace, limit), Duration.ZERO, Containers.class);
    }

    /** Whether anybody is there, and who. */
    public Pong ping() {
        return ask(new Query.Ping(), Duration.ZERO, Pong.class);
    }

    /** What the daemon has counted and measured; an older daemon refuses that. */
    public Figures figures() {
        return ask(new Query.AskFigures(), Duration.ZERO, Counted.class).figures();
    }

    private <T extends Answer> T ask(Query query, Duration answerTime, Class<T> expected) {
        Answer answer = asker.ask(query, answerTime);
        if (answer instanceof Refused(String error, String message)) {
            String why = "the daemon refused the question (" + error + "): " + message;
            throw error.equals(Refused.UNAVAILABLE) || error.equals(Refused.TOO_MANY)
                    ? new RefusedForNowException(why)
                    : new TardisException(why);
        }
        if (!expected.isInstance(answer)) {
            throw new TardisException("the daemon answered " + answer + " to " + query);
        }
        return expected.cast(answer);
    }

    /** Closes the sockets; those that still wait for an answer are closed when they have it. */
    @Override
    public void close() {
        asker.close();
    }

    /** REQ sockets, one for each question that is open. */
    private static final class Requesters implements Asker {

        private final Supplier<ZmqRequester> connect;
        private final Queue<ZmqRequester> idle = new ConcurrentLinkedQueue<>();
        private volatile boolean closed;

        private Requesters(Supplier<ZmqRequester> connect) {
            this.connect = connect;
        }

        @Override
        public Answer ask(Query query, Duration answerTime) {
            ZmqRequester found = idle.poll();
            ZmqRequester requester = found == null ? connect.get() : found;
            try {
                return AnswerCodec.decode(requester.ask(QueryCodec.encode(query), answerTime));
            } finally {
                idle.add(requester);
                if (closed) {
                    close();
                }
            }
        }

        @Override
        public void close() {
            closed = true;
            for (ZmqRequester it = idle.poll(); it != null; it = idle.poll()) {
                it.close();
            }
        }
    }
}
