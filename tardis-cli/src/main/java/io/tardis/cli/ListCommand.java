package io.tardis.cli;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.QueryCodec;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code tardis ls}. */
@Command(
        name = "ls",
        description =
                "Lists the containers whose ends are kept or awaited, the running ones first, then the newest.",
        mixinStandardHelpOptions = true)
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class ListCommand implements Callable<Integer> {

    private enum Output {
        TABLE,
        JSON
    }

    private static final List<String> HEADER =
            List.of("NAMESPACE", "CONTAINER", "STATUS", "CODE", "SIGNAL", "SOURCE", "ENDED");

    private final Environment environment;

    @Spec private CommandSpec spec;

    @Option(names = "-n", paramLabel = "NS", description = "Only the containers of this namespace.")
    private Optional<String> namespace;

    @Option(
            names = "-o",
            paramLabel = "FORMAT",
            defaultValue = "table",
            description = "table (the default) or json.")
    private Output output;

    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "1000",
            description = "At most so many (default: 1000).")
    private int limit;

    ListCommand(Environment environment) {
        this.environment = environment;
    }

    @Override
    public Integer call() {
        Logging.forCommand();
        if (namespace.isPresent() && !ContainerKey.isIdentifier(namespace.get())) {
            throw new ParameterException(
                    spec.commandLine(), "'" + namespace.get() + "' is not a namespace");
        }
        if (limit < 1 || limit > QueryCodec.MAX_LIMIT) {
            throw new ParameterException(
                    spec.commandLine(), "--limit is not within 1 to " + QueryCodec.MAX_LIMIT);
        }
        try (DaemonQueries queries = new DaemonQueries(environment.settings())) {
            Answer.Containers containers = queries.client().list(namespace, limit);
            PrintWriter out = spec.commandLine().getOut();
            switch (output) {
                case TABLE -> printTable(out, containers.containers());
                case JSON ->
                        out.println(
                                new String(AnswerCodec.encode(containers), StandardCharsets.UTF_8));
            }
        }
        return ExitStatus.OK;
    }

    private static void printTable(PrintWriter out, List<OfContainer> containers) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(HEADER);
        containers.forEach(container -> rows.add(row(container)));
        int[] widths =
                IntStream.range(0, HEADER.size())
                        .map(column ->
                                rows.stream()
                                        .mapToInt(row -> row.get(column).length())
                                        .max()
                                        .orElse(0))
                        .toArray();
        for (List<String> row : rows) {
            out.println(
                    IntStream.range(0, row.size())
                            .mapToObj(column ->
                                    row.get(column)
                                            + " ".repeat(widths[column] - row.get(column).length()))
                            .collect(Collectors.joining("  "))
                            .stripTrailing());
        }
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
