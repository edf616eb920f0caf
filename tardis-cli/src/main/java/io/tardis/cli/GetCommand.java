package io.tardis.cli;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import java.time.Duration;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code tardis get}. */
@Command(
        name = "get",
        description =
                "Prints the exit code of a container's newest life. Exit status 3 if it is not known.")
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class GetCommand extends Subcommand {

    @Parameters(
            paramLabel = "[NS/]ID",
            converter = ContainerName.class,
            description = "The container; namespace 'default' if left out.")
    private ContainerKey container;

    @Override
    public Integer call() {
        try (DaemonQueries queries = DaemonQueries.open(settings())) {
            return print(queries.client().exitCode(container, Duration.ZERO), this);
        }
    }

    /** Prints the code, or on standard error why there is none. */
    static int print(Answer.OfContainer answer, Subcommand command) {
        String problem =
                switch (answer) {
                    case Answer.Exited(var event, boolean _) -> {
                        command.out().println(event.exit().exitStatus());
                        yield "";
                    }
                    case Answer.Running _ -> "has not ended";
                    case Answer.Lost _ -> "ended, but no source reported its exit code";
                    case Answer.Unknown _ ->
                            "is not known: no exit code is recorded for such a container";
                };
        if (problem.isEmpty()) {
            return ExitStatus.OK;
        }
        command.err().println("tardis: " + answer.container() + " " + problem);
        return ExitStatus.NOT_KNOWN;
    }
}
