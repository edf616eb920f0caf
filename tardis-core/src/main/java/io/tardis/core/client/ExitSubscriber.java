package io.tardis.core.client;

import io.tardis.core.FailureLog;
import io.tardis.core.TardisException;
import io.tardis.core.UnavailableException;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Answer.Events;
import io.tardis.core.wire.MalformedMessageException;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.wire.Topic;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqSubscriber;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hears every recorded exit once and in order, whatever the PUB socket dropped. For one thread.
 *
 * <h2>How</h2>
 *
 * Exits are numbered without holes. The subscriber knows the number of the last one that it gave to
 * its user. A message of any kind that is ahead of it proves a hole, and the hole is filled by
 * replay, up to that number. The store records a moment after the listener publishes, so a replay
 * may end short of it: then it is asked for again, after ever longer times as long as that brings
 * nothing new. Numbers that the store has passed without recording them are gone for everyone, and
 * are not waited for.
 *
 * <p>A daemon is heard every five seconds. Where it is silent for longer, its machine may have gone
 * without closing the connection, which would stay silent for ever: then the subscriber connects
 * anew, and asks for what it may have missed.
 *
 * <p>To go on after a restart, keep {@link #position} with what was done for each exit, or in a
 * {@link PositionFile}, and begin there. What is no longer in the log by then is reported by {@link
 * #missed}.
 */
public final class ExitSubscriber implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ExitSubscriber.class);
    private static final int REPLAY_BATCH = 500;
    private static final List<String> TOPICS =
            List.of(Topic.EXIT, Topic.EXEC_EXIT, Topic.HEARTBEAT, Topic.GAP, Topic.LOST);

    /**
     * How long the store may lag behind the publisher before the replay is asked for again; doubled
     * each time it brings nothing new.
     */
    private static final Duration RETRY = Duration.ofMillis(50);

    private static final Duration LONGEST_RETRY = Duration.ofSeconds(5);

    /** Three heartbeats. */
    private static final Duration SILENCE = Duration.ofSeconds(15);

    /** How long to wait for a replay, also where the user has less time. */
    private static final Duration REPLAY_PATIENCE = Duration.ofSeconds(1);

    private final Supplier<? extends PublishedSource> connect;
    private final QueryClient queries;
    private final Duration silence;
    private final Deque<ExitEvent> ready = new ArrayDeque<>();

    /** The last exit in {@link #ready} or given to the user. */
    private long last;

    /** The last exit that is known to have been published. */
    private long newest;

    /** Whether the log was asked for what came before the subscription took effect. */
    private boolean caughtUp;

    private long position;

    private long missed;

    private final FailureLog failures = new FailureLog(ExitSubscriber.class);

    private PublishedSource subscriber;

    /** When something was heard, or listened for anew, last. By the monotonic clock. */
    private long heardAt;

    private Duration retry = RETRY;

    /** When a replay is due, if one is needed. By the monotonic clock. */
    private long nextReplay = System.nanoTime();

    /**
     * A subscriber that begins after the exit {@code after}: its user gets every recorded exit with
     * a greater number.
     *
     * @param context makes its sockets; stays the caller's to close
     * @param eventsEndpoint the daemon's events endpoint
     * @param queryEndpoint the daemon's query endpoint
     * @param after where to begin: a {@link #position}, 0 for all that can be replayed, or the
     *     {@code last_seq} of a ping for what comes from now on
     */
    public ExitSubscriber(
            ZmqContext context, String eventsEndpoint, String queryEndpoint, long after) {
        this(context, eventsEndpoint, queryEndpoint, after, SILENCE);
    }

    /** As above; {@code silence} is how long the daemon may be silent. */
    ExitSubscriber(
            ZmqContext context,
            String eventsEndpoint,
            String queryEndpoint,
            long after,
            Duration silence) {
        this(
                () -> new Subscription(context.subscriber(eventsEndpoint, TOPICS)),
                new QueryClient(context, queryEndpoint, REPLAY_PATIENCE),
                after,
                silence);
    }

    /**
     * A subscriber that receives in another way.
     *
     * @param connect called now, and again where the daemon is silent
     * @param queries asks for what was missed; closed with this subscriber
     * @param after where to begin, as above
     */
    public ExitSubscriber(
            Supplier<? extends PublishedSource> connect, QueryClient queries, long after) {
        this(connect, queries, after, SILENCE);
    }

    private ExitSubscriber(
            Supplier<? extends PublishedSource> connect,
            QueryClient queries,
            long after,
            Duration silence) {
        this.connect = connect;
        this.silence = silence;
        this.subscriber = connect.get();
        this.heardAt = System.nanoTime();
        this.queries = queries;
        this.last = after;
        this.newest = after;
        this.position = after;
    }

    /**
     * The next exit; null when the time is over.
     *
     * @param timeout the longest wait; where a replay is due and the daemon does not answer, a
     *     second may come on top
     * @throws TardisException if the daemon answers what cannot be understood
     */
    public @Nullable ExitEvent next(Duration timeout) {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (ready.isEmpty()) {
            // What has come already is read first, even where there is no time to wait: as long as
            // it goes on from the last exit, no replay is needed.
            if (last >= newest && receive(Duration.ZERO)) {
                continue;
            }
            if (System.nanoTime() - heardAt >= silence.toNanos() && !receive(Duration.ZERO)) {
                connectAnew();
            }
            if (!isBehind()) {
                askAt(System.nanoTime());
            } else if (System.nanoTime() - nextReplay >= 0) {
                replay();
            }
            long now = System.nanoTime();
            if (!ready.isEmpty() || deadline - now <= 0) {
                break;
            }
            long wait = Math.min(deadline - now, heardAt + silence.toNanos() - now);
            if (isBehind()) {
                wait = Math.min(wait, nextReplay - now);
            }
            // Rounded up: a wait that ends a fraction too early would spin.
            receive(Duration.ofMillis(Math.max(0, wait / 1_000_000 + 1)));
        }
        ExitEvent event = ready.poll();
        if (event != null) {
            missed = position == 0 ? 0 : event.seq() - position - 1;
            if (missed > 0) {
                LOG.warn(
                        "{} numbers after {} are not in the log: exits that are too old to be"
                                + " replayed, or that were never recorded",
                        missed,
                        position);
            }
            position = event.seq();
        }
        return event;
    }

    /** The number of the exit that {@link #next} gave last; everything up to it was given. */
    public long position() {
        return position;
    }

    /**
     * How many numbers there are between the exit that {@link #next} gave last and the one before
     * it. Not 0 where exits were older than {@code TARDIS_REPLAY} when this subscriber came back,
     * or where the machine went down, after which numbers jump.
     */
    public long missed() {
        return missed;
    }

    /** Whether there was a message in time. */
    private boolean receive(Duration timeout) {
        try {
            Published published = subscriber.receive(timeout);
            if (published == null) {
                return false;
            }
            heardAt = System.nanoTime();
            if (published instanceof Published.Exit(ExitEvent event) && event.seq() == last + 1) {
                give(event);
            }
            newest = Math.max(newest, published.lastSeq());
        } catch (MalformedMessageException e) {
            heardAt = System.nanoTime();
            failures.warn("a message cannot be understood", String.valueOf(e.getMessage()));
        }
        return true;
    }

    private void give(ExitEvent event) {
        ready.add(event);
        last = event.seq();
    }

    private boolean isBehind() {
        return !caughtUp || last < newest;
    }

    private void connectAnew() {
        LOG.debug("nothing was heard for {}: connecting anew", silence);
        subscriber.close();
        subscriber = connect.get();
        heardAt = System.nanoTime();
        caughtUp = false;
        askAt(heardAt);
    }

    /** Asks for what is missing, and sets when to ask again. */
    private void replay() {
        long before = last;
        askForReplay();
        if (last > before) {
            askAt(System.nanoTime());
        } else {
            nextReplay = System.nanoTime() + retry.toNanos();
            retry = Collections.min(List.of(retry.multipliedBy(2), LONGEST_RETRY));
        }
    }

    /** The next hole is one to be filled soon. */
    private void askAt(long time) {
        retry = RETRY;
        nextReplay = time;
    }

    private void askForReplay() {
        try {
            Events events = queries.replay(last, REPLAY_BATCH);
            failures.over();
            if (!caughtUp && last == position && events.lastSeq() < position) {
                LOG.warn(
                        "the position {} is ahead of the newest exit, {}: it is of another"
                                + " daemon, or of a log that was lost or put back; no exit up to"
                                + " it is given",
                        position,
                        events.lastSeq());
            }
            events.events().forEach(this::give);
            if (events.events().isEmpty()) {
                // Numbers up to here that are not in the log were never recorded.
                last = Math.max(last, events.lastSeq());
            }
            newest = Math.max(newest, events.lastSeq());
            caughtUp |= last >= events.lastSeq();
        } catch (UnavailableException | RefusedForNowException e) {
            failures.warn("missed exits cannot be replayed yet", String.valueOf(e.getMessage()));
        }
    }

    @Override
    public void close() {
        subscriber.close();
        queries.close();
    }

    /** A SUB socket. */
    private record Subscription(ZmqSubscriber socket) implements PublishedSource {

        @Override
        public @Nullable Published receive(Duration timeout) {
            ZmqSubscriber.Message message = socket.receive(timeout);
            return message == null
                    ? null
                    : PublishedCodec.decode(message.topic(), message.payload());
        }

        @Override
        public void close() {
            socket.close();
        }
    }
}
