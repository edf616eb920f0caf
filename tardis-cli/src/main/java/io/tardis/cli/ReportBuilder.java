package io.tardis.cli;

import io.tardis.cli.Report.Bucket;
import io.tardis.cli.Report.Code;
import io.tardis.cli.Report.Group;
import io.tardis.cli.Report.Memory;
import io.tardis.cli.Report.Tally;
import io.tardis.cli.Report.Top;
import io.tardis.core.Printable;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeRef;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * Counts exits, one after the other. An exit takes some bytes, and a name some hundred. The number
 * of names is bounded: a log may hold a million exits, and the command has a small heap. The last
 * message of a life counts.
 */
final class ReportBuilder {

    private static final int MOST_GROUPS = 20_000;
    private static final String OTHERS = "(others)";
    private static final String NO_IMAGE = "(no image known)";

    /** Two days of hours; a longer time has longer steps. */
    private static final int MOST_BUCKETS = 48;

    /** In hours, up to a year. */
    private static final List<Long> STEPS = List.of(1L, 6L, 24L, 7 * 24L, 30 * 24L, 365 * 24L);

    private static final Comparator<Group> BY_FAILURES =
            most(it -> it.tally().failed(), it -> it.tally().exits());
    private static final Comparator<Group> BY_EXITS =
            most(it -> it.tally().exits(), it -> it.tally().failed());
    private static final Comparator<Group> BY_MEMORY =
            most(it -> it.tally().oomKilled(), Group::nearLimit);

    private static final int MOST_ASSUMED = 20_000;

    /**
     * More than a node can run in the minute in which an exit can turn out to be one for memory.
     */
    private static final int MOST_UNCOUNTED = 100_000;

    private final Instant from;
    private final Instant to;

    /** By life, the ends that containerd made up; a real code may follow. */
    private final SequencedMap<String, ExitEvent> assumed = new LinkedHashMap<>();

    /** The lives that are counted, and where the kernel's counter of kills is not known. */
    private final SequencedSet<String> uncounted = new LinkedHashSet<>();

    private final Counter total = new Counter();
    private final Map<Object, Figures> images = new HashMap<>();
    private final Map<Object, Figures> names = new HashMap<>();

    /** By the hours since 1970. */
    private final NavigableMap<Long, Counter> hours = new TreeMap<>();

    /** Counts the exits from {@code from} on, for a report that is made at {@code to}. */
    ReportBuilder(Instant from, Instant to) {
        this.from = from;
        this.to = to;
    }

    private static Comparator<Group> most(
            ToLongFunction<Group> first, ToLongFunction<Group> second) {
        return Comparator.comparingLong(first)
                .thenComparingLong(second)
                .reversed()
                .thenComparing(Group::name);
    }

    /** Counts an exit, unless it is too old, an exec's or a sandbox's; a life's last one counts. */
    void add(ExitEvent event) {
        Life life = Life.of(event);
        if (!event.exit().isContainerExit()
                || life.about().sandbox()
                || event.exit().exitedAt().isBefore(from)) {
            return;
        }
        life.ref().map(LifeRef::id).ifPresentOrElse(it -> add(it, event), () -> count(event));
    }

    private void add(String life, ExitEvent event) {
        assumed.remove(life);
        boolean isOpen =
                event.source() != ExitSource.ASSUMED
                        && event.details().usage().oomKills().isEmpty();
        if (event.source() == ExitSource.ASSUMED) {
            assumed.put(life, event);
            if (assumed.size() > MOST_ASSUMED) {
                count(assumed.pollFirstEntry().getValue());
            }
        } else if (isOpen && event.oomKilled() && uncounted.remove(life)) {
            // All but this is as before.
            counters(event).forEach(it -> it.oomKilled++);
        } else {
            count(event);
            if (isOpen
                    && !event.oomKilled()
                    && uncounted.add(life)
                    && uncounted.size() > MOST_UNCOUNTED) {
                uncounted.removeFirst();
            }
        }
    }

    private void count(ExitEvent event) {
        Life life = Life.of(event);
        counters(event).forEach(it -> it.add(event));
        image(life).add(life, event);
        name(life).add(life, event);
    }

    /** Where this exit is counted. */
    private List<Counter> counters(ExitEvent event) {
        Life life = Life.of(event);
        long hour = Math.floorDiv(event.exit().exitedAt().getEpochSecond(), 3600L);
        return List.of(
                total,
                hours.computeIfAbsent(hour, _ -> new Counter()),
                image(life).counter,
                name(life).counter);
    }

    private Figures image(Life life) {
        String image = life.about().image().map(Printable::of).orElse(NO_IMAGE);
        return figures(images, image, "", image);
    }

    private Figures name(Life life) {
        Optional<Life.Identity> identity = life.identity();
        String namespace =
                identity.map(Life.Identity::namespace).orElse(life.container().namespace());
        Object key = identity.isPresent() ? identity.get() : life.container();
        return figures(names, key, namespace, life.title());
    }

    private static Figures figures(
            Map<Object, Figures> all, Object key, String namespace, String name) {
        return all.containsKey(key) || all.size() < MOST_GROUPS
                ? all.computeIfAbsent(key, _ -> new Figures(namespace, name))
                : all.computeIfAbsent(OTHERS, _ -> new Figures("", OTHERS));
    }

    /**
     * The report.
     *
     * @param oldest when the oldest exit ended that the daemon still has
     */
    Report build(Optional<Instant> oldest) {
        assumed.values().forEach(this::count);
        assumed.clear();
        List<Group> byName = groups(names.values());
        long step = step();
        return new Report(
                from,
                to,
                oldest,
                total.tally(),
                top(groups(images.values()), _ -> true, BY_FAILURES),
                top(byName, _ -> true, BY_FAILURES),
                top(byName, it -> it.tally().exits() > 1 && !it.name().equals(OTHERS), BY_EXITS),
                top(byName, it -> it.tally().oomKilled() + it.nearLimit() > 0, BY_MEMORY),
                Duration.ofHours(step),
                buckets(step));
    }

    private static Top<Group> top(
            List<Group> groups, Predicate<Group> wanted, Comparator<Group> order) {
        return Top.of(groups.stream().filter(wanted).sorted(order).toList());
    }

    /** Equal names of different namespaces are followed by these. */
    private static List<Group> groups(Collection<Figures> all) {
        Map<String, Long> uses =
                all.stream().collect(Collectors.groupingBy(it -> it.name, Collectors.counting()));
        return all.stream().map(it -> it.group(uses.getOrDefault(it.name, 1L) > 1)).toList();
    }

    /** Only a clock that was wrong makes a span of more than 48 years. */
    private long step() {
        long span = hours.isEmpty() ? 0 : hours.lastKey() - hours.firstKey();
        long year = STEPS.getLast();
        return STEPS.stream()
                .filter(it -> span <= it * (MOST_BUCKETS - 1))
                .findFirst()
                .orElse(year * (span / year / (MOST_BUCKETS - 1) + 1));
    }

    private List<Bucket> buckets(long step) {
        TreeMap<Long, Counter> buckets = new TreeMap<>();
        hours.forEach((hour, counter) ->
                buckets.computeIfAbsent(Math.floorDiv(hour, step), _ -> new Counter())
                        .add(counter));
        return buckets.isEmpty()
                ? List.of()
                : LongStream.rangeClosed(buckets.firstKey(), buckets.lastKey())
                        .mapToObj(it ->
                                new Bucket(
                                        Instant.ofEpochSecond(it * step * 3600),
                                        buckets.getOrDefault(it, new Counter()).tally()))
                        .toList();
    }

    private static final class Counter {

        private long failed;
        private long oomKilled;
        private final Map<Long, Long> codes = new HashMap<>();

        void add(ExitEvent event) {
            long code = event.exit().exitStatus();
            codes.merge(code, 1L, Long::sum);
            failed += code == 0 ? 0 : 1;
            oomKilled += event.oomKilled() ? 1 : 0;
        }

        void add(Counter other) {
            other.codes.forEach((code, exits) -> codes.merge(code, exits, Long::sum));
            failed += other.failed;
            oomKilled += other.oomKilled;
        }

        Tally tally() {
            List<Code> sorted =
                    codes.entrySet().stream()
                            .map(it -> new Code(it.getKey(), it.getValue()))
                            .sorted(
                                    Comparator.comparingLong((Code it) -> -it.exits())
                                            .thenComparingLong(Code::code))
                            .toList();
            long exits = sorted.stream().mapToLong(Code::exits).sum();
            return new Tally(exits, failed, oomKilled, Top.of(sorted));
        }
    }

    private static final class Figures {

        private static final Comparator<Memory> MOST_MEMORY =
                Comparator.comparingDouble(Memory::percent).thenComparingLong(Memory::peak);

        private final String namespace;
        private final String name;
        private final Counter counter = new Counter();
        private final LongStream.Builder millis = LongStream.builder();
        private long nearLimit;
        private Optional<Memory> peak = Optional.empty();
        private Instant last = Instant.MIN;
        private long lastCode;

        Figures(String namespace, String name) {
            this.namespace = namespace;
            this.name = name;
        }

        void add(Life life, ExitEvent event) {
            life.duration(event.exit().exitedAt()).ifPresent(it -> millis.add(it.toMillis()));
            if (!event.exit().exitedAt().isBefore(last)) {
                last = event.exit().exitedAt();
                lastCode = event.exit().exitStatus();
            }
            var usage = event.details().usage();
            usage.memoryPeak().ifPresent(it -> add(new Memory(it, usage.memoryLimit())));
        }

        private void add(Memory memory) {
            nearLimit += memory.isNearLimit() ? 1 : 0;
            peak = Stream.concat(peak.stream(), Stream.of(memory)).max(MOST_MEMORY);
        }

        Group group(boolean isAmbiguous) {
            String suffix =
                    isAmbiguous && !namespace.isEmpty() ? " (" + Printable.of(namespace) + ")" : "";
            return new Group(
                    name + suffix, counter.tally(), nearLimit, median(), peak, last, lastCode);
        }

        private Optional<Duration> median() {
            long[] sorted = millis.build().sorted().toArray();
            int length = sorted.length;
            return length == 0
                    ? Optional.empty()
                    : Optional.of(
                            Duration.ofMillis((sorted[(length - 1) / 2] + sorted[length / 2]) / 2));
        }
    }
}
