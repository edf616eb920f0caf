package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Containers;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Query;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Lists containers: open lives from the registry, ends from the log. For one thread. */
final class ListMaker {

    private final ExitLog.Reader log;
    private final ContainerRegistry registry;
    private final LifeStates lives;
    private final EndCache ends;

    ListMaker(ExitLog.Reader log, ContainerRegistry registry, LifeStates lives, EndCache ends) {
        this.log = log;
        this.registry = registry;
        this.lives = lives;
        this.ends = ends;
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
        Optional<String> namespace = query.namespace();
        Map<ContainerKey, OfContainer> containers = new LinkedHashMap<>();
        for (Life life : registry.openLives()) {
            if (namespace.isEmpty() || namespace.get().equals(life.container().namespace())) {
                containers.put(life.container(), stateOf(life.container()));
            }
        }
        List<End> known = new ArrayList<>(ends.notRecorded());
        // An end that is kept because its life is still registered counts as recorded anew, and
        // must not take the place of another one.
        known.addAll(log.latestEnds(namespace, query.limit() + containers.size()));
        for (End end : known) {
            if (namespace.isEmpty() || namespace.get().equals(end.container().namespace())) {
                containers.computeIfAbsent(end.container(), this::stateOf);
            }
        }
        return new Containers(
                containers.values().stream().sorted(ORDER).limit(query.limit()).toList());
    }

    private OfContainer stateOf(ContainerKey container) {
        return lives.stateOf(container, it -> ends.latest(it, log));
    }
}
