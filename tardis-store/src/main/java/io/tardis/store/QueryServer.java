package io.tardis.store;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.config.Limits;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Events;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Lost;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Answer.Pong;
import io.tardis.core.wire.Answer.Refused;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Answer.Unknown;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.Health;
import io.tardis.core.wire.MalformedMessageException;
import io.tardis.core.wire.Query;
import io.tardis.core.wire.QueryCodec;
import io.tardis.core.zmq.ZmqReplier;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers every question, whatever its bytes, in its own thread. A question that waits is put aside
 * until its container's end is recorded or its time is over, so that it never delays another one.
 * Lists and replays, which take long, are made beside it ({@link LongAnswers}).
 */
final class QueryServer implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(QueryServer.class);

    /**
     * How long a life that is over may still get a code: its delete is not ordered after its exit.
     */
    private static final Duration LATE_EXIT = Duration.ofSeconds(2);

    /** {@link ZmqReplier.Request#connection} of the shim's questions, which no limit counts. */
    private static final long OF_THIS_PROCESS = -1;

    private static final Refused UNREAD =
            new Refused(Refused.TOO_MANY, "too many answers wait until clients read them");

    static final int MAX_LISTS = 16;

    /** All who hear exits ask for one when the daemon was started again. */
    static final int MAX_REPLAYS = 1_000;

    private static final Duration IDLE = Duration.ofMinutes(1);

    private final ZmqReplier replier;
    private final ExitLog.Reader log;
    private final LifeCache lives;
    private final Unwritten unwritten;
    private final Gate gate;
    private final String version;
    private final Supplier<Health> health;
    private final Worker worker;
    private final Queue<LifeState> over = new ConcurrentLinkedQueue<>();
    private final Waits<Question> waits = new Waits<>();
    private final FailureLog failures = new FailureLog(QueryServer.class);
    private final LongAnswers<Query.ListContainers> lists;
    private final LongAnswers<Query.Replay> replays;

    /** Who asked, and for which life: the one that was open then. */
    private record Question(ZmqReplier.Request request, Optional<String> life) {}

    /**
     * From now on the replier and the log belong to the server's thread.
     *
     * @param listLog another connection to the log, for lists
     * @param replayLog and one for replays
     */
    QueryServer(
            ZmqReplier replier,
            ExitLog.Reader log,
            ExitLog.Reader listLog,
            ExitLog.Reader replayLog,
            LifeCache lives,
            Unwritten unwritten,
            Limits limits,
            String version,
            Supplier<Health> health) {
        this.replier = replier;
        this.log = log;
        this.lives = lives;
        this.unwritten = unwritten;
        ListMaker maker = new ListMaker(listLog, lives);
        this.lists =
                new LongAnswers<>(
                        "tardis-store-lists", MAX_LISTS, listLog, maker::list, replier::wake);
        this.replays =
                new LongAnswers<>(
                        "tardis-store-replays",
                        MAX_REPLAYS,
                        replayLog,
                        it -> replay(replayLog, it),
                        replier::wake);
        this.gate = new Gate(limits, System.nanoTime());
        this.version = version;
        this.health = health;
        this.worker = new Worker("tardis-store-replies", this::run, replier::wake);
    }

    void start() {
        lists.start();
        replays.start();
        worker.start();
    }

    /** These lives are over, and can be answered now. From any thread. */
    void over(Collection<LifeState> lives) {
        over.addAll(lives);
        replier.wake();
    }

    /** Answers what waits with what is known, and ends. */
    @Override
    public void close() {
        if (!worker.wasStarted()) {
            replier.close();
            log.close();
            lists.close();
            replays.close();
            return;
        }
        worker.close();
    }

    private void run() {
        try (log;
                replier;
                lists;
                replays) {
            while (!worker.isStopping()) {
                ZmqReplier.Request request = replier.receive(untilNextDeadline());
                if (request != null) {
                    handle(request);
                }
                forgetEnded();
                answerEnded();
                answerMade(lists);
                answerMade(replays);
                answerExpired();
                failures.logCounts();
            }
            for (var it = waits.first(); it != null; it = waits.first()) {
                answer(it);
            }
            lists.close(this::answer);
            replays.close(this::answer);
        }
    }

    private void handle(ZmqReplier.Request request) {
        Optional<Refused> refusal = gate.refusal(request, System.nanoTime());
        if (refusal.isPresent()) {
            reply(request, refusal.get());
            return;
        }
        try {
            switch (QueryCodec.decode(request.payload())) {
                case Query.ExitCode(
                                ContainerKey container,
                                Optional<String> life,
                                Duration maxWait) -> {
                    OfContainer state = lives.answer(container, life);
                    Duration wait = boundedWait(state, life, maxWait);
                    if (wait.isPositive()) {
                        letWait(request, container, life.or(() -> lifeOf(state)), wait);
                    } else {
                        reply(request, state);
                    }
                }
                case Query.Replay query ->
                        letMake(replays, request, query, MAX_REPLAYS + " replays");
                case Query.ListContainers query ->
                        letMake(lists, request, query, MAX_LISTS + " lists");
                case Query.Ping() ->
                        reply(
                                request,
                                new Pong(
                                        version,
                                        lastSeq(log),
                                        unwritten.backlog(),
                                        Optional.of(health.get())));
            }
        } catch (MalformedMessageException e) {
            reply(request, new Refused(Refused.BAD_REQUEST, String.valueOf(e.getMessage())));
        } catch (ExitLogException e) {
            reply(request, unavailable(e));
        }
    }

    private Events replay(ExitLog.Reader reader, Query.Replay query) {
        // The number is read first: whatever is recorded up to it is among the events. Memory
        // comes before the log: what is written in between is seen twice, and not overlooked.
        long lastSeq = lastSeq(reader);
        List<ExitEvent> inMemory = unwritten.eventsAfter(query.after(), query.limit());
        List<ExitEvent> events = reader.eventsAfter(query.after(), query.limit());
        if (!inMemory.isEmpty()) {
            long onDisk = events.isEmpty() ? 0 : events.getLast().seq();
            events =
                    Stream.concat(
                                    events.stream(),
                                    inMemory.stream().filter(it -> it.seq() > onDisk))
                            .limit(query.limit())
                            .toList();
        }
        return new Events(events, reader.firstSeq(), lastSeq);
    }

    /** The last exit that can be replayed. */
    private long lastSeq(ExitLog.Reader reader) {
        return Math.max(reader.lastSeq(), unwritten.lastSeq());
    }

    private static Optional<String> lifeOf(OfContainer state) {
        return switch (state) {
            case Running running -> running.begun().map(it -> it.life().id());
            case Lost lost -> lost.begun().map(it -> it.life().id());
            case Exited _, Unknown _ -> Optional.empty();
        };
    }

    private void letWait(
            ZmqReplier.Request request,
            ContainerKey container,
            Optional<String> life,
            Duration wait) {
        Optional<Refused> refusal =
                gate.refusalToWait(
                        request,
                        waits.size() - waits.size(OF_THIS_PROCESS),
                        waits.size(request.connection()));
        if (refusal.isPresent()) {
            reply(request, refusal.get());
            return;
        }
        waits.add(
                new Question(request.withoutPayload(), life),
                request.connection(),
                container,
                System.nanoTime() + wait.toNanos());
        LOG.debug("a question waits for the end of {}, for {} at most", container, wait);
    }

    private <Q> void letMake(
            LongAnswers<Q> makers, ZmqReplier.Request request, Q query, String most) {
        if (!makers.ask(request.withoutPayload(), query)) {
            reply(request, new Refused(Refused.TOO_MANY, most + " are asked for already"));
        }
    }

    private void answerMade(LongAnswers<?> makers) {
        for (LongAnswers.Made it = makers.poll(); it != null; it = makers.poll()) {
            answer(it);
        }
    }

    private void answer(LongAnswers.Made made) {
        try {
            reply(made.request(), made.answer().get());
        } catch (ExitLogException e) {
            reply(made.request(), unavailable(e));
        }
    }

    /** What to answer after a wait, also when the log cannot be read any more. */
    private Answer answerAfterWait(Waits.Waiting<Question> waiting) {
        try {
            return lives.answer(waiting.container(), waiting.request().life());
        } catch (ExitLogException e) {
            return unavailable(e);
        }
    }

    private Refused unavailable(RuntimeException e) {
        failures.error("a question cannot be answered", e);
        return new Refused(Refused.UNAVAILABLE, String.valueOf(e.getMessage()));
    }

    /** A life that is named may be on its way: whoever asks knows of its begin from elsewhere. */
    private static Duration boundedWait(
            OfContainer state, Optional<String> life, Duration maxWait) {
        return switch (state) {
            case Running _ -> maxWait;
            case Lost _ -> maxWait.compareTo(LATE_EXIT) < 0 ? maxWait : LATE_EXIT;
            case Unknown _ -> life.isPresent() ? maxWait : Duration.ZERO;
            case Exited _ -> Duration.ZERO;
        };
    }

    /** Nobody is there any more who waits for these answers. */
    private void forgetEnded() {
        for (Long it = replier.pollEnded(); it != null; it = replier.pollEnded()) {
            boolean waited = waits.removeConnection(it) > 0;
            waited |= lists.forget(it);
            waited |= replays.forget(it);
            if (waited) {
                LOG.debug("questions of a client that has gone wait no longer");
            }
        }
    }

    /** A lost life may still get a code, and who waits for it has a moment to wait for that. */
    private void answerEnded() {
        for (LifeState state = over.poll(); state != null; state = over.poll()) {
            long soon = System.nanoTime() + LATE_EXIT.toNanos();
            for (Waits.Waiting<Question> each : waits.of(state.container())) {
                Answer answer = answerAfterWait(each);
                if (answer instanceof Lost) {
                    waits.hurry(each, soon);
                } else if (!(answer instanceof Running || answer instanceof Unknown)) {
                    waits.remove(each);
                    reply(each.request().request(), answer);
                }
            }
        }
    }

    private void answerExpired() {
        for (var first = waits.first();
                first != null && first.deadline() - System.nanoTime() <= 0;
                first = waits.first()) {
            answer(first);
        }
    }

    private void answer(Waits.Waiting<Question> waiting) {
        waits.remove(waiting);
        reply(waiting.request().request(), answerAfterWait(waiting));
    }

    private Duration untilNextDeadline() {
        Waits.Waiting<Question> first = waits.first();
        if (first == null) {
            return IDLE;
        }
        long left = first.deadline() - System.nanoTime();
        // Rounded up: a wait that ends a fraction too early would spin.
        return Duration.ofMillis(Math.max(0, left / 1_000_000 + 1));
    }

    private void reply(ZmqReplier.Request request, Answer answer) {
        reply(request, AnswerCodec.encode(answer));
    }

    private void reply(ZmqReplier.Request request, byte[] answer) {
        boolean answered =
                replier.reply(request, answer)
                        || replier.reply(request, AnswerCodec.encode(UNREAD));
        if (!answered) {
            replier.end(request);
        }
    }
}
