package io.tardis.core.figures;

import static java.util.Objects.requireNonNull;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.figures.Figures.Exits;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The exits of one namespace. All counters are there from the begin, so that counting changes no
 * map. From any thread.
 */
final class ExitCounts {

    private final Map<CodeClass, Map<ExitSource, AtomicLong>> oomKilled = counters();
    private final Map<CodeClass, Map<ExitSource, AtomicLong>> others = counters();

    private static Map<CodeClass, Map<ExitSource, AtomicLong>> counters() {
        Map<CodeClass, Map<ExitSource, AtomicLong>> all = new EnumMap<>(CodeClass.class);
        for (CodeClass code : CodeClass.values()) {
            Map<ExitSource, AtomicLong> ofCode = new EnumMap<>(ExitSource.class);
            for (ExitSource source : ExitSource.values()) {
                ofCode.put(source, new AtomicLong());
            }
            all.put(code, ofCode);
        }
        return all;
    }

    void add(ExitEvent event) {
        var counters = event.oomKilled() ? oomKilled : others;
        requireNonNull(requireNonNull(counters.get(CodeClass.of(event))).get(event.source()))
                .getAndIncrement();
    }

    /** Adds those that are not 0. */
    void read(String namespace, List<Exits> into) {
        read(namespace, false, others, into);
        read(namespace, true, oomKilled, into);
    }

    private static void read(
            String namespace,
            boolean oom,
            Map<CodeClass, Map<ExitSource, AtomicLong>> counters,
            List<Exits> into) {
        counters.forEach((code, ofCode) ->
                ofCode.forEach((source, count) -> {
                    if (count.get() > 0) {
                        into.add(new Exits(namespace, code, oom, source, count.get()));
                    }
                }));
    }
}
