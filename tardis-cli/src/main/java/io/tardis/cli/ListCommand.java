package io.tardis.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.tardis.core.client.QueryClient;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.QueryCodec;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tardis ls}. */
@Command(
        name = "ls",
        description = {
            "Lists the containers whose ends are kept or awaited: the running ones first, then the"
                    + " lost ones, then those that ended, each newest first.",
            "With several filters, a container has to pass all of them."
        })
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class ListCommand extends Subcommand {

    private enum Format {
        TABLE,
        WIDE,
        JSON,
        JSONL
    }

    private static final List<String> HEADER =
            List.of("NAME/POD", "IMAGE", "STATUS", "AGE", "DURATION");
    private static final List<String> WIDE_HEADER =
            List.of(
                    "NAMESPACE",
                    "ID",
                    "NAME/POD",
                    "IMAGE",
                    "STATUS",
                    "AGE",
                    "DURATION",
                    "SOURCE",
                    "PEAK",
                    "ENDED");
    private static final String NOTHING = "-";

    private final InstantSource clock;

    @Mixin private Filters filters;

    @Option(names = "--running", description = "Only those that run.")
    private boolean running;

    @Option(
            names = "--since",
            paramLabel = "TIME",
            converter = TimeLength.class,
            description = "Only those that began or ended within this time, 2h for instance.")
    private Optional<Duration> since;

    @Option(names = "--all", description = "The sandboxes of pods (pause), too.")
    private boolean all;

    @Option(
            names = "-o",
            paramLabel = "FORMAT",
            description = "table (the default), wide, json, or jsonl: a JSON object a line.")
    private Optional<Format> format;

    @Option(
            names = "--format",
            paramLabel = "KEYS",
            converter = Keys.Reader.class,
            description =
                    "Prints these keys of the JSON, id,status,about.image for instance, with tabs"
                            + " between the values, and - for a value that is not known.")
    private Optional<Keys> keys;

    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "1000",
            description = "At most so many (default: 1000).")
    private int limit;

    ListCommand(InstantSource clock) {
        this.clock = clock;
    }

    @Override
    boolean isServed() {
        return true;
    }

    @Override
    public Integer call() {
        Optional<String> namespace = filters.namespace();
        if (limit < 1 || limit > QueryCodec.MAX_LIMIT) {
            throw usageError("--limit is not within 1 to " + QueryCodec.MAX_LIMIT);
        }
        if (format.isPresent() && keys.isPresent()) {
            throw usageError("-o and --format exclude each other");
        }
        Instant now = clock.instant();
        try (DaemonQueries queries = queriesOrLog(settings())) {
            QueryClient client = queries.client();
            List<OfContainer> answered = client.list(namespace, limit).containers();
            List<Life> lives = select(answered, now);
            if (lives.size() < limit && answered.size() == limit && limit < QueryCodec.MAX_LIMIT) {
                // Others may pass the filters.
                lives = select(client.list(namespace, QueryCodec.MAX_LIMIT).containers(), now);
            }
            print(lives, now);
        }
        return ExitStatus.OK;
    }

    private List<Life> select(List<OfContainer> answered, Instant now) {
        return answered.stream()
                .map(Life::new)
                .filter(it -> all || !it.about().sandbox())
                .filter(it -> !running || it.isRunning())
                .filter(it -> since.map(length -> isSince(it, now.minus(length))).orElse(true))
                .filter(filters::accept)
                .sorted(
                        Comparator.comparingInt(ListCommand::rank)
                                .thenComparing(
                                        it -> it.lastChange().orElseGet(it::firstTime),
                                        Comparator.reverseOrder()))
                .limit(limit)
                .toList();
    }

    private static boolean isSince(Life life, Instant time) {
        return Stream.of(life.endedAt(), life.begunAt())
                .flatMap(Optional::stream)
                .anyMatch(it -> !it.isBefore(time));
    }

    private static int rank(Life life) {
        return switch (life.answer()) {
            case Answer.Running _ -> 0;
            case Answer.Lost _ -> 1;
            case Answer.Exited _, Answer.Unknown _ -> 2;
        };
    }

    private void print(List<Life> lives, Instant now) {
        if (keys.isPresent()) {
            lives.forEach(it -> out().println(keys.get().values(it.answer())));
            return;
        }
        switch (format.orElse(Format.TABLE)) {
            case TABLE -> printTable(HEADER, lives.stream().map(it -> row(it, now)));
            case WIDE -> printTable(WIDE_HEADER, lives.stream().map(it -> wideRow(it, now)));
            case JSON ->
                    printJson(new Answer.Containers(lives.stream().map(Life::answer).toList()));
            case JSONL -> lives.forEach(it -> printJson(it.answer()));
        }
    }

    private void printJson(Answer answer) {
        out().println(new String(AnswerCodec.encode(answer), UTF_8));
    }

    private void printTable(List<String> header, Stream<List<String>> rows) {
        Table table = new Table(header);
        rows.forEach(table::add);
        table.print(out(), "");
    }

    private static List<String> row(Life life, Instant now) {
        return List.of(
                life.title(),
                life.about().image().orElse(NOTHING),
                Describe.status(life.answer()),
                life.lastChange().map(it -> Quantity.age(it, now)).orElse(NOTHING),
                life.duration(now).map(Quantity::duration).orElse(NOTHING));
    }

    private static List<String> wideRow(Life life, Instant now) {
        OptionalLong peak = life.details().usage().memoryPeak();
        List<String> row = new ArrayList<>();
        row.add(life.container().namespace());
        row.add(life.container().id());
        row.addAll(row(life, now));
        row.add(life.end().map(ExitEvent::source).map(ExitSource::word).orElse(NOTHING));
        row.add(peak.isPresent() ? Quantity.bytes(peak.getAsLong()) : NOTHING);
        row.add(life.endedAt().map(Rfc3339::format).orElse(NOTHING));
        return row;
    }
}
