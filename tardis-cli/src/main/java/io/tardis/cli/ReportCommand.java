package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.wire.Answer;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code tardis report}. */
@Command(
        name = "report",
        description =
                "Prints what ended, how often and why: the exits of containers that can still be replayed (TARDIS_REPLAY).")
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class ReportCommand extends Subcommand {

    private enum Format {
        TEXT,
        HTML,
        JSON
    }

    private static final int DEFAULT_WIDTH = 80;

    /** The clock may have been set back. */
    private static final Duration DISORDER = Duration.ofHours(1);

    private final InstantSource clock;

    @Option(
            names = "--since",
            paramLabel = "TIME",
            defaultValue = "24h",
            converter = TimeLength.class,
            description = "Only those that ended within this time (default: 24h).")
    private Duration since;

    @Option(
            names = "-n",
            paramLabel = "NS",
            description = "Only the containers of this containerd namespace.")
    private Optional<String> namespace;

    @Spec private CommandSpec command;

    @Option(
            names = "-o",
            paramLabel = "FORMAT",
            defaultValue = "text",
            description = "text (the default), html: one file, or json.")
    private Format format;

    ReportCommand(InstantSource clock) {
        this.clock = clock;
    }

    @Override
    boolean isServed() {
        return true;
    }

    @Override
    public Integer call() {
        namespace.ifPresent(it -> checkNamespace(it, command));
        Instant now = clock.instant();
        try (DaemonQueries queries = queriesOrLog(settings())) {
            Report report = read(queries.client(), begin(now), now);
            switch (format) {
                case TEXT -> out().print(ReportText.of(report, width(), isAscii()));
                case HTML -> out().print(ReportHtml.of(report));
                case JSON -> out().println(ReportJson.of(report));
            }
        }
        return ExitStatus.OK;
    }

    private Instant begin(Instant now) {
        try {
            return Rfc3339.inRange(now.minus(since));
        } catch (DateTimeException | ArithmeticException _) {
            return Rfc3339.MIN;
        }
    }

    private Report read(QueryClient client, Instant from, Instant now) {
        ReportBuilder report = new ReportBuilder(from, now);
        Answer.Events oldest = client.replay(0, 1);
        PastExits.forEach(
                PastExits.before(from.minus(DISORDER), client),
                client,
                event -> {
                    if (namespace.map(event.exit().container().namespace()::equals).orElse(true)) {
                        report.add(event);
                    }
                });
        return report.build(oldest.events().stream().map(it -> it.exit().exitedAt()).findFirst());
    }

    private int width() {
        String columns = environment().variables().getOrDefault("COLUMNS", "");
        return columns.matches("[1-9]\\d{0,3}") ? Integer.parseInt(columns) : DEFAULT_WIDTH;
    }
}
