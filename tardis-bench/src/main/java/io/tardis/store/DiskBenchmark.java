package io.tardis.store;

import io.tardis.core.event.About;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.event.Usage;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * How many bytes of {@code exits.db} one exit takes: {@code DiskBenchmark [EXITS [FOLDER [KIND]]]},
 * a million of each {@link Kind} in {@code /tmp} if left out. Each log is made in a new folder
 * there, which is removed at the end. A life begins, and then ends, as the recorder writes it; a
 * log is measured once with all that can be replayed, and once after {@code TARDIS_REPLAY}, with
 * the lives alone.
 */
public final class DiskBenchmark {

    private static final int BATCH = 1_000;
    private static final Instant BEGIN = Instant.parse("2026-01-01T00:00:00.123456789Z");

    /** The longest id; CRI and Docker make ids of 64. */
    private static final int LONGEST_ID = 76;

    /** What is known of the containers, and how long their ids are. */
    private enum Kind {
        NOT_KEPT("not recorded: for replay alone", 64),
        POD("of a Kubernetes pod", 64),
        LARGEST("with everything at its limit", LONGEST_ID),
        ESCAPED("the same, of quotation marks", LONGEST_ID);

        private final String text;
        private final int idLength;

        Kind(String text, int idLength) {
            this.text = text;
            this.idLength = idLength;
        }
    }

    private final PrintStream out = System.out;
    private final Random random = new Random(20_261_129);
    private final long exits;
    private final Path folder;
    private Instant now = BEGIN;
    private final InstantSource clock = () -> now;

    private DiskBenchmark(long exits, Path folder) {
        this.exits = exits;
        this.folder = folder;
    }

    /** Runs it and prints figures. */
    public static void main(String[] arguments) throws IOException {
        long exits = arguments.length > 0 ? Long.parseLong(arguments[0]) : 1_000_000;
        Path parent = Path.of(arguments.length > 1 ? arguments[1] : "/tmp");
        List<Kind> kinds =
                arguments.length > 2
                        ? List.of(Kind.valueOf(arguments[2].toUpperCase(Locale.ROOT)))
                        : List.of(Kind.values());
        for (Kind kind : kinds) {
            Path folder =
                    Files.createTempDirectory(Files.createDirectories(parent), "tardis-disk-");
            try {
                new DiskBenchmark(exits, folder).run(kind);
            } finally {
                try (Stream<Path> files = Files.list(folder)) {
                    for (Path each : files.toList()) {
                        Files.delete(each);
                    }
                }
                Files.delete(folder);
            }
        }
    }

    private void run(Kind kind) throws IOException {
        Path file = folder.resolve("exits.db");
        long json = 0;
        try (SqliteExitLog log = SqliteExitLog.openWriter(file, clock, () -> true)) {
            for (long seq = 1; seq <= exits; seq += BATCH) {
                List<ExitEvent> batch = batch(kind, seq);
                if (kind != Kind.NOT_KEPT) {
                    log.append(batch.stream().map(DiskBenchmark::begun).toList());
                }
                log.append(batch.stream().map(DiskBenchmark::ended).toList());
                json = PublishedCodec.encode(new Published.Exit(batch.getLast())).length;
            }
        }
        long all = Files.size(file);
        try (SqliteExitLog log = SqliteExitLog.openWriter(file, clock, () -> true)) {
            while (log.prune(now.plusSeconds(1), BEGIN, 10_000)) {
                while (log.shrink()) {
                    // Step by step.
                }
            }
            while (log.shrink()) {
                // An eighth of the file stays free.
            }
        }
        out.printf(
                "%,d exits, %-30s  JSON %,5d bytes  exits.db %,5d MiB, %,5d bytes an exit; after the replay %,5d MiB, %,5d bytes%n",
                exits,
                kind.text,
                json,
                all >> 20,
                all / exits,
                Files.size(file) >> 20,
                Files.size(file) / exits);
    }

    private List<ExitEvent> batch(Kind kind, long first) {
        List<ExitEvent> batch = new ArrayList<>(BATCH);
        for (long seq = first; seq < first + BATCH && seq <= exits; seq++) {
            batch.add(exit(kind, seq));
        }
        now = now.plusMillis(10_007);
        return batch;
    }

    private ExitEvent exit(Kind kind, long seq) {
        String id =
                "%016x%016x%016x%028x"
                        .formatted(random.nextLong(), random.nextLong(), seq, random.nextLong())
                        .substring(LONGEST_ID - kind.idLength);
        String namespace = kind.idLength == LONGEST_ID ? "n".repeat(LONGEST_ID) : "k8s.io";
        LifeRef life =
                new LifeRef(
                        new UUID(random.nextLong(), random.nextLong()).toString(),
                        now.minusSeconds(30).plusNanos(seq * 1_000),
                        kind != Kind.NOT_KEPT);
        LifeDetails details =
                switch (kind) {
                    case NOT_KEPT -> LifeDetails.NONE;
                    case POD -> details(pod(), usage(536_660_800L, 536_870_912L));
                    case LARGEST -> details(about("x"), usage(Long.MAX_VALUE, Long.MAX_VALUE));
                    case ESCAPED -> details(about("\""), usage(Long.MAX_VALUE, Long.MAX_VALUE));
                };
        return new ExitEvent(
                // As large as the numbers of a real log.
                1_732_330_000_000_000L + seq,
                new TaskExit(
                        new ContainerKey(namespace, id), id, 1 + seq % 4_000_000, seq % 256, now),
                OptionalInt.empty(),
                false,
                ExitSource.KERNEL,
                Optional.of(life),
                details);
    }

    private LifeDetails details(About about, Usage usage) {
        return new LifeDetails(Optional.of(now.minusSeconds(30)), about, usage);
    }

    private About pod() {
        String pod = "checkout-api-%08x-%05x".formatted(random.nextInt(), random.nextInt(1 << 20));
        return new About(
                Optional.of("java"),
                Optional.of("registry.example.org/shop/checkout-api:2026.11.29-4f1c9d0a"),
                Optional.empty(),
                Optional.of(pod),
                Optional.of(
                        new About.Pod(
                                "shop-production",
                                pod,
                                Optional.of(
                                        new UUID(random.nextLong(), random.nextLong())
                                                .toString()))),
                Optional.of("checkout-api"),
                false);
    }

    /** 600 bytes. */
    private static About about(String character) {
        Optional<String> text = Optional.of(character.repeat(75));
        return new About(
                text,
                text,
                text,
                text,
                Optional.of(new About.Pod(text.get(), text.get(), text)),
                text,
                true);
    }

    private static Usage usage(long memory, long limit) {
        boolean largest = memory == Long.MAX_VALUE;
        return new Usage(
                OptionalLong.of(memory),
                OptionalLong.of(limit),
                OptionalLong.of(largest ? memory : 0),
                OptionalLong.of(largest ? memory : 1_830_211),
                OptionalLong.of(largest ? memory : 0),
                OptionalLong.of(largest ? memory : 47));
    }

    private static Recorded begun(ExitEvent end) {
        return new Recorded(
                end.seq(),
                new Published.Begun(
                        end.seq(),
                        end.exit().container(),
                        end.life().orElseThrow(),
                        OptionalLong.of(end.exit().pid()),
                        OptionalLong.of(123_456),
                        OptionalLong.empty(),
                        new LifeDetails(
                                end.details().startedAt(), end.details().about(), Usage.NOTHING)));
    }

    private static Recorded ended(ExitEvent end) {
        Recorded recorded = new Recorded(end.seq(), new Published.Exit(end));
        // As the recorder does where no other life of the container is known.
        return end.life().orElseThrow().kept() ? recorded : recorded.withoutState();
    }
}
