package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Backlog;
import io.tardis.core.wire.Answer.Containers;
import io.tardis.core.wire.Answer.Events;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Health;
import io.tardis.core.wire.Published.Begun;
import io.tardis.core.wire.Query;
import java.time.Instant;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes the answers that take long, of what is in the log and of what it could not take yet. */
final class AnswerMaker {

    private static final Logger LOG = LoggerFactory.getLogger(AnswerMaker.class);

    /** Who runs comes first, then whose end nobody observed, then the newest end. */
    private static final Comparator<OfContainer> ORDER =
            Comparator.comparing((OfContainer it) ->
                            switch (it) {
                                case Answer.Running _ -> Instant.MAX;
                                case Answer.Lost _, Answer.Unknown _ -> Instant.MAX.minusNanos(1);
                                case Answer.Exited exited -> exited.event().exit().exitedAt();
                            })
                    .reversed();

    /** What a client has to take in one piece: less than may be unread of one connection. */
    private static final long MOST_BYTES = 5 << 20;

    /** The keys of an exit and their values, without names that others chose. */
    private static final int ENTRY_BYTES = 450;

    /** The keys of {@link LifeDetails}, and its numbers. */
    private static final int DETAILS_BYTES = 300;

    private final LifeCache lives;
    private final Unwritten unwritten;

    AnswerMaker(LifeCache lives, Unwritten unwritten) {
        this.lives = lives;
        this.unwritten = unwritten;
    }

    /**
     * Lists containers, each with its newest life. As {@link #ORDER} says: a life of a month that
     * ends now comes before one of a second ago.
     */
    Containers list(ExitLog.Reader log, Query.ListContainers query) {
        Map<ContainerKey, OfContainer> containers = new LinkedHashMap<>();
        List<LifeState> inMemory = lives.notRecorded();
        for (LifeState each : inMemory) {
            String namespace = each.container().namespace();
            if (query.namespace().orElse(namespace).equals(namespace)) {
                LifeState known = log.newest(each.container()).map(it -> it.or(each)).orElse(each);
                containers.put(each.container(), known.answer(false));
            }
        }
        for (LifeState each :
                log.newestOfEach(query.namespace(), query.limit() + inMemory.size())) {
            containers.putIfAbsent(each.container(), each.answer(log.isSafe()));
        }
        return new Containers(
                fitting(
                        containers.values().stream()
                                .filter(it -> !(it instanceof Answer.Unknown))
                                .sorted(ORDER)
                                .limit(query.limit())
                                .toList(),
                        AnswerMaker::bytesOf));
    }

    /** The exits after a number. Where one answer cannot hold all, the rest is asked for next. */
    Events replay(ExitLog.Reader log, Query.Replay query) {
        // The number is read first: whatever is recorded up to it is among the events. Memory
        // comes before the log: what is written in between is seen twice, and not overlooked.
        long lastSeq = lastSeq(log);
        List<ExitEvent> inMemory = unwritten.eventsAfter(query.after(), query.limit());
        List<ExitEvent> onDisk = log.eventsAfter(query.after(), query.limit());
        long last = onDisk.isEmpty() ? 0 : onDisk.getLast().seq();
        List<ExitEvent> events =
                Stream.concat(onDisk.stream(), inMemory.stream().filter(it -> it.seq() > last))
                        .limit(query.limit())
                        .toList();
        return new Events(fitting(events, AnswerMaker::bytesOf), log.firstSeq(), lastSeq);
    }

    /** The first of them, as many as one answer can hold. */
    private static <T> List<T> fitting(List<T> all, ToLongFunction<T> bytes) {
        long left = MOST_BYTES;
        for (int i = 0; i < all.size(); i++) {
            left -= bytes.applyAsLong(all.get(i));
            if (left < 0) {
                return all.subList(0, i);
            }
        }
        return all;
    }

    /** About how many bytes a long answer has; rather too many. */
    static long bytesOf(Answer answer) {
        return switch (answer) {
            case Containers(var containers) ->
                    containers.stream().mapToLong(AnswerMaker::bytesOf).sum();
            case Events(var events, long _, long _) ->
                    events.stream().mapToLong(AnswerMaker::bytesOf).sum();
            case OfContainer container -> bytesOf(container);
            case Answer.Counted(var figures) -> ENTRY_BYTES * (1L + figures.exits().size());
            case Answer.Pong _, Answer.Refused _ -> ENTRY_BYTES;
        };
    }

    private static long bytesOf(OfContainer container) {
        return switch (container) {
            case Answer.Exited(ExitEvent event, boolean _) -> bytesOf(event);
            case Answer.Running(var key, var begun) -> bytesOf(key, begun.map(Begun::details));
            case Answer.Lost(var key, var begun) -> bytesOf(key, begun.map(Begun::details));
            case Answer.Unknown(var key) -> bytesOf(key, Optional.empty());
        };
    }

    private static long bytesOf(ExitEvent event) {
        return bytesOf(event.exit().container(), Optional.of(event.details()));
    }

    /** Rather too many: a character takes three bytes at the most. */
    private static long bytesOf(ContainerKey container, Optional<LifeDetails> details) {
        long known =
                details.filter(it -> !it.equals(LifeDetails.NONE))
                        .map(it -> DETAILS_BYTES + 3L * it.about().length())
                        .orElse(0L);
        return ENTRY_BYTES + container.toString().length() + known;
    }

    /**
     * What a ping is answered, also while the log cannot be read: who asks wants to know what is
     * wrong.
     *
     * @param lastKnown the last exit, as it was answered before
     */
    Answer.Pong pong(ExitLog.Reader log, long lastKnown, String version, Optional<Health> health) {
        Backlog backlog = unwritten.backlog();
        long lastSeq;
        try {
            lastSeq = lastSeq(log);
        } catch (ExitLogException e) {
            LOG.debug("the number of the last exit cannot be read", e);
            lastSeq = Math.max(lastKnown, unwritten.lastSeq());
            backlog = new Backlog(false, backlog.unwritten(), backlog.dropped());
        }
        return new Answer.Pong(version, lastSeq, backlog, health);
    }

    /** The last exit that can be replayed. */
    long lastSeq(ExitLog.Reader log) {
        return Math.max(log.lastSeq(), unwritten.lastSeq());
    }
}
