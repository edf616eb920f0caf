package io.tardis.store;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.config.Limits;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.registry.ContainerRegistry;
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
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
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

    private static final Duration LOOK = Duration.ofSeconds(5);
    private static final Duration IDLE = Duration.ofMinutes(1);

    private final ZmqReplier replier;
    private final ExitLog.Reader log;
    private final LifeStates lives;
    private final EndCache ends;
    private final Unwritten unwritten;
    private final Gate gate;
    private final String version;
    private final Supplier<Health> health;
    private final Worker worker;
    private final Queue<ContainerKey> ended = new ConcurrentLinkedQueue<>();
    private final Waits<ZmqReplier.Request> waits = new Waits<>();
    private final FailureLog failures = new FailureLog(QueryServer.class);
    private final LongAnswers<Query.ListContainers> lists;
    private final LongAnswers<Query.Replay> replays;
    private long nextLook = System.nanoTime();

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
            ContainerRegistry registry,
            LifeStates lives,
            EndCache ends,
            Unwritten unwritten,
            Limits limits,
            String version,
            Supplier<Health> health) {
        this.replier = replier;
        this.log = log;
        this.lives = lives;
        this.ends = ends;
        this.unwritten = unwritten;
        ListMaker maker = new ListMaker(listLog, registry, lives, ends);
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

    /** The ends of these containers can be answered now. From any thread. */
    void ended(Set<ContainerKey> containers) {
        ended.addAll(containers);
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
                hurryEnded();
                answerExpired();
                failures.logCounts();
            }
            waits.containers().forEach(it -> answer(it, answerAfterWait(it)));
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
                case Query.ExitCode(ContainerKey container, Duration maxWait) -> {
                    OfContainer state = stateOf(container);
                    Duration wait = boundedWait(state, maxWait);
                    if (wait.isPositive()) {
                        letWait(request, container, wait);
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
        } catch (ExitLogException | UncheckedIOException e) {
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

    private void letWait(ZmqReplier.Request request, ContainerKey container, Duration wait) {
        Optional<Refused> refusal =
                gate.refusalToWait(
                        request,
                        waits.size() - waits.size(OF_THIS_PROCESS),
                        waits.size(request.connection()));
        if (refusal.isPresent()) {
            reply(request, refusal.get());
            return;
        }
        if (waits.isEmpty()) {
            nextLook = System.nanoTime() + LOOK.toNanos();
        }
        waits.add(
                request.withoutPayload(),
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
        } catch (ExitLogException | UncheckedIOException e) {
            reply(made.request(), unavailable(e));
        }
    }

    private OfContainer stateOf(ContainerKey container) {
        return lives.stateOf(container, ends::latest);
    }

    /** What to answer to whoever has waited; also when log or registry cannot be read any more. */
    private Answer answerAfterWait(ContainerKey container) {
        try {
            return stateOf(container);
        } catch (ExitLogException | UncheckedIOException e) {
            return unavailable(e);
        }
    }

    private Refused unavailable(RuntimeException e) {
        failures.error("a question cannot be answered", e);
        return new Refused(Refused.UNAVAILABLE, String.valueOf(e.getMessage()));
    }

    private static Duration boundedWait(OfContainer state, Duration maxWait) {
        return switch (state) {
            case Running _ -> maxWait;
            case Lost _ -> maxWait.compareTo(LATE_EXIT) < 0 ? maxWait : LATE_EXIT;
            case Exited _, Unknown _ -> Duration.ZERO;
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

    private void answerEnded() {
        for (ContainerKey container = ended.poll(); container != null; container = ended.poll()) {
            if (waits.isWaitedFor(container)) {
                Answer state = answerAfterWait(container);
                if (!(state instanceof Running)) {
                    answer(container, state);
                }
            }
        }
    }

    private void answer(ContainerKey container, Answer state) {
        waits.remove(container).forEach(it -> reply(it.request(), state));
    }

    /**
     * A life that was deleted without a code, or whose create failed, ends no wait by an event. So
     * now and then those who wait for one are given only as long as a late exit may take.
     */
    private void hurryEnded() {
        long now = System.nanoTime();
        if (waits.isEmpty() || now - nextLook < 0) {
            return;
        }
        nextLook = now + LOOK.toNanos();
        long soon = now + LATE_EXIT.toNanos();
        for (ContainerKey container : waits.containers()) {
            Answer state = answerAfterWait(container);
            if (state instanceof OfContainer && !(state instanceof Running)) {
                waits.hurry(container, soon);
            }
        }
    }

    private void answerExpired() {
        Waits.Waiting<ZmqReplier.Request> first = waits.first();
        while (first != null && first.deadline() - System.nanoTime() <= 0) {
            waits.remove(first);
            reply(first.request(), answerAfterWait(first.container()));
            first = waits.first();
        }
    }

    private Duration untilNextDeadline() {
        Waits.Waiting<ZmqReplier.Request> first = waits.first();
        if (first == null) {
            return IDLE;
        }
        long now = System.nanoTime();
        long left = Math.min(first.deadline() - now, Math.max(0, nextLook - now));
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
