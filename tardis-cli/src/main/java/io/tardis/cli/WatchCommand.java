package io.tardis.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.tardis.core.client.ExitSubscriber;
import io.tardis.core.client.PositionFile;
import io.tardis.core.config.Settings;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.event.TaskExit;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tardis watch}. */
@Command(
        name = "watch",
        description = {
            "Prints a line for each exit from now on, until Ctrl-C.",
            "With several filters, an exit has to pass all of them. Exits of exec'd processes have no"
                    + " pod and no image."
        })
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class WatchCommand extends Subcommand {

    private enum Format {
        TEXT,
        JSONL
    }

    private final InstantSource clock;

    @Mixin private Filters filters;

    @Option(
            names = "--all",
            description = "First prints the past exits that are still kept (TARDIS_REPLAY).")
    private boolean all;

    @Option(
            names = "--since",
            paramLabel = "TIME",
            converter = TimeLength.class,
            description = "First prints the past exits of this time, 2h for instance.")
    private Optional<Duration> since;

    @Option(
            names = "-o",
            paramLabel = "FORMAT",
            defaultValue = "text",
            description = "text (the default), or jsonl: each exit as it was published, a line.")
    private Format format;

    @Option(
            names = "--position",
            paramLabel = "FILE",
            description = {
                "Goes on after the exit that was printed last with this FILE, and notes in it what"
                        + " is printed.",
                "A new FILE begins with what comes from now on, or, with --all or --since, with the"
                        + " past."
            })
    private @Nullable Path file;

    @Option(
            names = "--after",
            paramLabel = "SEQ",
            hidden = true,
            description = "For the native tardis: goes on after this exit, where its daemon ended.")
    private @Nullable Long after;

    WatchCommand(InstantSource clock) {
        this.clock = clock;
    }

    /** A position file is the caller's. */
    @Override
    boolean isServed() {
        return file == null;
    }

    @Override
    public Integer call() {
        Settings settings = settings();
        Optional<String> _ = filters.namespace(); // refuses what is none
        if (all && since.isPresent()) {
            throw usageError("--all and --since exclude each other");
        }
        try (DaemonQueries queries = queries(settings);
                PositionFile position = file == null ? null : PositionFile.open(file)) {
            long newest = queries.client().ping().lastSeq();
            Optional<Instant> oldest = since.map(clock.instant()::minus);
            // Of the past; what comes from now on is printed whatever its time.
            Predicate<ExitEvent> wanted =
                    it ->
                            it.seq() > newest
                                    || oldest.map(time -> !it.exit().exitedAt().isBefore(time))
                                            .orElse(true);
            long begin =
                    oldest.map(it -> Math.min(newest, PastExits.before(it, queries.client())))
                            .orElse(all ? 0 : newest);
            if (position != null) {
                if (position.position().isPresent()) {
                    begin = position.position().getAsLong();
                    wanted = _ -> true;
                }
                position.acknowledge(begin);
                output().beginLine();
            }
            if (after != null) {
                begin = after;
                wanted = _ -> true;
            }
            watch(queries, begin, wanted, position);
        }
        return ExitStatus.READER_GONE; // unless the output says that something else is wrong
    }

    private void watch(
            DaemonQueries queries,
            long begin,
            Predicate<ExitEvent> wanted,
            @Nullable PositionFile position) {
        try (ExitSubscriber exits = queries.exitsAfter().apply(begin)) {
            queries.onPrinted().accept(begin);
            while (output().isWanted()) {
                ExitEvent event = exits.next(queries.patience());
                if (event == null) {
                    continue;
                }
                if (wanted.test(event) && filters.accept(Life.of(event))) {
                    print(event);
                    queries.onPrinted().accept(event.seq());
                }
                if (position != null && output().force()) {
                    position.acknowledge(event.seq());
                }
            }
        }
    }

    private void print(ExitEvent event) {
        switch (format) {
            case TEXT -> out().println(line(event));
            case JSONL ->
                    out().println(
                                    new String(
                                            PublishedCodec.encode(new Published.Exit(event)),
                                            UTF_8));
        }
    }

    static String line(ExitEvent event) {
        TaskExit exit = event.exit();
        return "%s %s%s exited with %d%s%s (%s)%s"
                .formatted(
                        Rfc3339.format(exit.exitedAt()),
                        exit.container(),
                        exit.isContainerExit() ? "" : " exec " + exit.id(),
                        exit.exitStatus(),
                        event.signal().isPresent() ? " by signal " + event.signal().getAsInt() : "",
                        event.oomKilled()
                                ? ", " + Describe.outOfMemory(event.details().usage())
                                : "",
                        event.source().word(),
                        Life.of(event).name().map(" "::concat).orElse(""));
    }
}
