package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Containers;
import io.tardis.core.wire.Answer.Events;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Query;
import java.time.Instant;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Makes the answers that take long, of what is in the log and of what it could not take yet. */
final class AnswerMaker {

    /** Who runs comes first, then whose end nobody observed, then the newest end. */
    private static final Comparator<OfContainer> ORDER =
            Comparator.comparing((OfContainer it) ->
                            switch (it) {
                                case Answer.Running _ -> Instant.MAX;
                                case Answer.Lost _, Answer.Unknown _ -> Instant.MAX.minusNanos(1);
                                case Answer.Exited exited -> exited.event().exit().exitedAt();
                            })
                    .reversed();

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
                containers.values().stream()
                        .filter(it -> !(it instanceof Answer.Unknown))
                        .sorted(ORDER)
                        .limit(query.limit())
                        .toList());
    }

    /** The exits after a number. */
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
        return new Events(events, log.firstSeq(), lastSeq);
    }

    /** The last exit that can be replayed. */
    long lastSeq(ExitLog.Reader log) {
        return Math.max(log.lastSeq(), unwritten.lastSeq());
    }
}
