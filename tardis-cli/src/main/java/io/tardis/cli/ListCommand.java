package io.tardis.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.QueryCodec;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tardis ls}. */
@Command(
        name = "ls",
        description =
                "Lists the containers whose ends are kept or awaited, the running ones first, then the newest.")
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class ListCommand extends Subcommand {

    private enum Format {
        TABLE,
        JSON
    }

    private static final List<String> HEADER =
            List.of("NAMESPACE", "CONTAINER", "STATUS", "CODE", "SIGNAL", "SOURCE", "ENDED");

    @Option(names = "-n", paramLabel = "NS", description = "Only the containers of this namespace.")
    private Optional<String> namespace;

    @Option(
            names = "-o",
            paramLabel = "FORMAT",
            defaultValue = "table",
            description = "table (the default) or json.")
    private Format format;

    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "1000",
            description = "At most so many (default: 1000).")
    private int limit;

    @Override
    public Integer call() {
        if (namespace.isPresent() && !ContainerKey.isIdentifier(namespace.get())) {
            throw usageError("'" + namespace.get() + "' is not a namespace");
        }
        if (limit < 1 || limit > QueryCodec.MAX_LIMIT) {
            throw usageError("--limit is not within 1 to " + QueryCodec.MAX_LIMIT);
        }
        try (DaemonQueries queries = DaemonQueries.open(settings())) {
            Answer.Containers containers = queries.client().list(namespace, limit);
            switch (format) {
                case TABLE -> printTable(containers.containers());
                case JSON -> out().println(new String(AnswerCodec.encode(containers), UTF_8));
            }
        }
        return ExitStatus.OK;
    }

    private void printTable(List<OfContainer> containers) {
        List<List<String>> rows =
                Stream.concat(Stream.of(HEADER), containers.stream().map(ListCommand::row))
                        .toList();
        String format =
                IntStream.range(0, HEADER.size())
                        .map(i -> rows.stream().mapToInt(it -> it.get(i).length()).max().orElse(0))
                        .mapToObj(width -> "%-" + width + "s")
                        .collect(Collectors.joining("  "));
        rows.forEach(it -> out().println(format.formatted(it.toArray()).stripTrailing()));
    }

    private static List<String> row(OfContainer container) {
        String namespace = container.container().namespace();
        String id = container.container().id();
        return switch (container) {
            case Answer.Exited(ExitEvent event, boolean durable) ->
                    List.of(
                            namespace,
                            id,
                            durable ? "exited" : "exited (not on disk)",
                            Long.toString(event.exit().exitStatus()),
                            event.signal().isPresent()
                                    ? Integer.toString(event.signal().getAsInt())
                                    : "-",
                            event.source().word(),
                            Rfc3339.format(event.exit().exitedAt()));
            case Answer.Running _ -> List.of(namespace, id, "running", "-", "-", "-", "-");
            case Answer.Lost _ -> List.of(namespace, id, "lost", "-", "-", "-", "-");
            case Answer.Unknown _ -> List.of(namespace, id, "unknown", "-", "-", "-", "-");
        };
    }
}
