package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.wire.Published;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * What an exit log of many records takes: {@code LogBenchmark [RECORDS [FOLDER]]}, 10 million, and
 * the system's folder for temporary files, if left out. The log is made in a new folder there,
 * which is removed at the end. One exit of nine ends a life whose code is kept, so nine tenths of
 * the records are exits for replay, and one tenth ends.
 *
 * <p>In the store's package, since the log itself is measured, and not what is around it.
 */
public final class LogBenchmark {

    private static final int BATCH = 10_000;
    private static final int ENDS = 9;
    private static final int CONTAINERS_LOOKED_UP = 10_000;
    private static final Instant BEGIN = Instant.parse("2026-01-01T00:00:00Z");

    private final PrintStream out = System.out;
    private final Random random = new Random(20_261_123);
    private final List<ContainerKey> some = new ArrayList<>();
    private final long exits;
    private final Path file;
    private Instant now = BEGIN;
    private final InstantSource clock = () -> now;

    private LogBenchmark(long records, Path folder) {
        // At least one of each kind, so that there is something to measure.
        this.exits = Math.max(ENDS, records * ENDS / (ENDS + 1));
        this.file = folder.resolve("exits.db");
    }

    /** Runs it and prints figures. */
    public static void main(String[] arguments) throws IOException {
        long records = arguments.length > 0 ? Long.parseLong(arguments[0]) : 10_000_000;
        // One of its own also there: it is removed at the end with all that is in it.
        Path folder =
                arguments.length > 1
                        ? Files.createTempDirectory(
                                Files.createDirectories(Path.of(arguments[1])), "tardis-log-")
                        : Files.createTempDirectory("tardis-log-");
        try {
            new LogBenchmark(records, folder).run();
        } finally {
            try (Stream<Path> files = Files.list(folder)) {
                for (Path each : files.toList()) {
                    Files.delete(each);
                }
            }
            Files.delete(folder);
        }
    }

    private interface Step {
        Object run();
    }

    private void run() throws IOException {
        long begin = System.nanoTime();
        try (SqliteExitLog log = SqliteExitLog.openWriter(file, clock, () -> true)) {
            for (long seq = 1; seq <= exits; seq += BATCH) {
                log.append(batch(seq));
            }
        }
        double seconds = Duration.ofNanos(System.nanoTime() - begin).toMillis() / 1000.0;
        out.printf(
                "%,d exits, %,d ends written in %.0f s (%,.0f exits/s); exits.db has %,d MiB%n",
                exits, exits / ENDS, seconds, exits / seconds, Files.size(file) >> 20);
        measure(
                "open the log",
                3,
                () -> {
                    SqliteExitLog.openWriter(file, clock, () -> true).close();
                    return file;
                });
        try (SqliteExitLog log = SqliteExitLog.openWriter(file, clock, () -> true)) {
            read(log);
            write(log);
        }
    }

    private void read(SqliteExitLog log) {
        measure(
                "exit_code, a container that is known",
                10_000,
                () -> log.newest(some.get(random.nextInt(some.size()))).orElseThrow());
        measure(
                "exit_code, one that is not",
                10_000,
                () -> log.newest(new ContainerKey("default", "x" + random.nextInt())));
        for (int limit : new int[] {100, 10_000}) {
            measure("list " + limit, 20, () -> log.newestOfEach(Optional.empty(), limit));
            measure(
                    "list " + limit + " of a namespace",
                    20,
                    () -> log.newestOfEach(Optional.of("moby"), limit));
        }
        for (int limit : new int[] {500, 10_000}) {
            measure(
                    "replay " + limit + " from anywhere",
                    50,
                    () -> log.eventsAfter(random.nextLong(Math.max(1, exits - limit)), limit));
        }
        measure("first and last number", 1_000, () -> log.firstSeq() + log.lastSeq());
    }

    private void write(SqliteExitLog log) {
        long[] seq = {exits};
        measure(
                "record one end",
                1_000,
                () -> {
                    log.append(List.of(recorded(++seq[0], true)));
                    return seq;
                });
        now = now.plus(Duration.ofDays(400));
        measure("oldest record", 1_000, log::oldest);
        measure("remove 1,000 exits and 1,000 ends", 100, () -> log.prune(now, now, 1_000));
    }

    private void measure(String what, int times, Step step) {
        long[] nanos = new long[times];
        for (int i = 0; i < times; i++) {
            long begin = System.nanoTime();
            if (step.run() == null) {
                throw new IllegalStateException(what + " gave nothing");
            }
            nanos[i] = System.nanoTime() - begin;
        }
        Arrays.sort(nanos);
        out.printf(
                "%-40s median %8.3f ms, 99 %% within %8.3f ms, longest %8.3f ms (%,d times)%n",
                what,
                nanos[times / 2] / 1e6,
                nanos[(int) (times * 0.99)] / 1e6,
                nanos[times - 1] / 1e6,
                times);
    }

    private List<Recorded> batch(long first) {
        List<Recorded> batch = new ArrayList<>(BATCH);
        for (long seq = first; seq < first + BATCH && seq <= exits; seq++) {
            batch.add(recorded(seq, seq % ENDS == 0));
        }
        now = now.plusSeconds(10);
        return batch;
    }

    private Recorded recorded(long seq, boolean end) {
        String id = "%016x%016x%016x%016x".formatted(random.nextLong(), seq, 0, random.nextLong());
        ContainerKey container = new ContainerKey(seq % 10 == 0 ? "moby" : "k8s.io", id);
        LifeRef life =
                new LifeRef(
                        new UUID(random.nextLong(), random.nextLong()).toString(),
                        now.minusSeconds(30).plusNanos(seq * 1_000),
                        end);
        if (end && (random.nextLong(exits / ENDS) < CONTAINERS_LOOKED_UP || some.isEmpty())) {
            some.add(container);
        }
        return new Recorded(
                seq,
                new Published.Exit(
                        new ExitEvent(
                                seq,
                                new TaskExit(container, id, 1 + seq % 4_000_000, seq % 256, now),
                                OptionalInt.empty(),
                                false,
                                ExitSource.KERNEL,
                                Optional.of(life))));
    }
}
