package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Containers;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Query;
import java.time.Instant;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Lists containers, each with its newest life. For one thread. */
final class ListMaker {

    private final ExitLog.Reader log;
    private final LifeCache lives;

    /**
     * Lists what is in the log, and what it could not take yet.
     *
     * @param log a connection of the thread's own
     */
    ListMaker(ExitLog.Reader log, LifeCache lives) {
        this.log = log;
        this.lives = lives;
    }

    /** Who runs comes first, then whose end nobody observed, then the newest end. */
    private static final Comparator<OfContainer> ORDER =
            Comparator.comparing((OfContainer it) ->
                            switch (it) {
                                case Answer.Running _ -> Instant.MAX;
                                case Answer.Lost _, Answer.Unknown _ -> Instant.MAX.minusNanos(1);
                                case Answer.Exited exited -> exited.event().exit().exitedAt();
                            })
                    .reversed();

    /** As {@link #ORDER} says: a life of a month that ends now comes before one of a second ago. */
    Containers list(Query.ListContainers query) {
        Map<ContainerKey, OfContainer> containers = new LinkedHashMap<>();
        List<LifeState> inMemory = lives.notRecorded();
        for (LifeState each : inMemory) {
            if (isAskedFor(query.namespace(), each)) {
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

    private static boolean isAskedFor(Optional<String> namespace, LifeState state) {
        return namespace.isEmpty() || namespace.get().equals(state.container().namespace());
    }
}
