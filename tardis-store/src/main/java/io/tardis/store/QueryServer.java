package io.tardis.store;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.config.Limits;
import io.tardis.core.figures.Figures;
import io.tardis.core.wire.Answer;
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
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;
import java.util.function.Supplier;
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
    private final AnswerMaker maker;
    private final Gate gate;
    private final String version;
    private final Supplier<Health> health;
    private final Supplier<Figures> figures;
    private final Worker worker;
    private final Queue<LifeState> over = new ConcurrentLinkedQueue<>();
    private final Waits<Question> waits = new Waits<>();

    /** Guarded by itself: the threads that make long answers have failures, too. */
    private final FailureLog failures = new FailureLog(QueryServer.class);

    /** As it was answered last. */
    private long lastSeq;

    private final LongAnswers lists;
    private final LongAnswers replays;

    /** Who asked, and for which life: the one that was open then. */
    private record Question(ZmqReplier.Request request, Optional<String> life) {}

    /**
     * From now on the replier and the log belong to the server's thread.
     *
     * @param readers opens other connections to the log, for lists and for replays
     */
    QueryServer(
            ZmqReplier replier,
            ExitLog.Reader log,
            Supplier<? extends ExitLog.Reader> readers,
            LifeCache lives,
            Unwritten unwritten,
            Limits limits,
            String version,
            Supplier<Health> health,
            Supplier<Figures> figures) {
        this.replier = replier;
        this.log = log;
        this.lives = lives;
        this.maker = new AnswerMaker(lives, unwritten);
        this.lists = new LongAnswers("tardis-store-lists", MAX_LISTS, readers.get(), replier::wake);
        this.replays =
                new LongAnswers("tardis-store-replays", MAX_REPLAYS, readers.get(), replier::wake);
        this.gate = new Gate(limits, System.nanoTime());
        this.version = version;
        this.health = health;
        this.figures = figures;
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
        worker.close();
    }

    private void run() {
        try (log;
                replier) {
            while (!worker.isStopping()) {
                ZmqReplier.Request request = replier.receive(untilNextDeadline());
                if (request != null) {
                    orRefusal(() -> answer(request), Optional::of)
                            .ifPresent(it -> reply(request, it));
                }
                forgetEnded();
                answerEnded();
                answerMade(lists);
                answerMade(replays);
                answerWaiting(false);
                synchronized (failures) {
                    failures.logCounts();
                }
            }
            answerWaiting(true);
            lists.close(it -> reply(it.request(), it.answer()));
            replays.close(it -> reply(it.request(), it.answer()));
        }
    }

    /** The answer at once; empty where it comes later. */
    private Optional<Answer> answer(ZmqReplier.Request request) {
        Optional<Answer> refusal = gate.refusal(request, System.nanoTime());
        if (refusal.isPresent()) {
            return refusal;
        }
        return switch (QueryCodec.decode(request.payload())) {
            case Query.ExitCode query -> answer(request, query);
            case Query.Replay query ->
                    letMake(
                            replays,
                            request,
                            MAX_REPLAYS + " replays",
                            it -> maker.replay(it, query));
            case Query.ListContainers query ->
                    letMake(lists, request, MAX_LISTS + " lists", it -> maker.list(it, query));
            case Query.Ping() -> Optional.of(pong());
            case Query.AskFigures() -> Optional.of(new Answer.Counted(figures.get()));
        };
    }

    private Pong pong() {
        Pong pong = maker.pong(log, lastSeq, version, Optional.of(health.get()));
        lastSeq = pong.lastSeq();
        return pong;
    }

    private Optional<Answer> answer(ZmqReplier.Request request, Query.ExitCode query) {
        OfContainer state = lives.answer(query.container(), query.life());
        Duration wait = boundedWait(state, query);
        if (!wait.isPositive()) {
            return Optional.of(state);
        }
        Optional<Answer> refusal =
                gate.refusalToWait(
                        request,
                        waits.size() - waits.size(OF_THIS_PROCESS),
                        waits.size(request.connection()));
        if (refusal.isEmpty()) {
            waits.add(
                    new Question(request.withoutPayload(), query.life().or(() -> lifeOf(state))),
                    request.connection(),
                    query.container(),
                    System.nanoTime() + wait.toNanos());
            LOG.debug(
                    "a question waits for the end of {}, for {} at most", query.container(), wait);
        }
        return refusal;
    }

    private static Optional<String> lifeOf(OfContainer state) {
        return switch (state) {
            case Running running -> running.begun().map(it -> it.life().id());
            case Lost lost -> lost.begun().map(it -> it.life().id());
            case Exited _, Unknown _ -> Optional.empty();
        };
    }

    private Optional<Answer> letMake(
            LongAnswers makers,
            ZmqReplier.Request request,
            String most,
            Function<ExitLog.Reader, Answer> made) {
        return makers.ask(
                        request.withoutPayload(),
                        log -> orRefusal(() -> made.apply(log), why -> why))
                ? Optional.empty()
                : Optional.of(new Refused(Refused.TOO_MANY, most + " are asked for already"));
    }

    private void answerMade(LongAnswers makers) {
        for (LongAnswers.Made it = makers.poll(); it != null; it = makers.poll()) {
            reply(it.request(), it.answer());
        }
    }

    /** What to answer after a wait. */
    private Answer answerAfterWait(Waits.Waiting<Question> waiting) {
        return orRefusal(
                () -> lives.answer(waiting.container(), waiting.request().life()), why -> why);
    }

    /** What {@code answer} gives, or why there is none: no question, or no log to be read now. */
    private <T> T orRefusal(Supplier<T> answer, Function<Refused, T> why) {
        try {
            return answer.get();
        } catch (MalformedMessageException e) {
            return why.apply(new Refused(Refused.BAD_REQUEST, String.valueOf(e.getMessage())));
        } catch (ExitLogException e) {
            synchronized (failures) {
                failures.error("a question cannot be answered", e);
            }
            return why.apply(new Refused(Refused.UNAVAILABLE, String.valueOf(e.getMessage())));
        }
    }

    /** A life that is named may be on its way: whoever asks knows of its begin from elsewhere. */
    private static Duration boundedWait(OfContainer state, Query.ExitCode query) {
        return switch (state) {
            case Running _ -> query.maxWait();
            case Lost _ -> Collections.min(List.of(query.maxWait(), LATE_EXIT));
            case Unknown _ -> query.life().isPresent() ? query.maxWait() : Duration.ZERO;
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

    /** Those whose time is over, or all. */
    private void answerWaiting(boolean all) {
        for (var first = waits.first();
                first != null && (all || first.deadline() - System.nanoTime() <= 0);
                first = waits.first()) {
            waits.remove(first);
            reply(first.request().request(), answerAfterWait(first));
        }
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
        if (!replier.reply(request, answer)
                && !replier.reply(request, AnswerCodec.encode(UNREAD))) {
            replier.end(request);
        }
    }
}
