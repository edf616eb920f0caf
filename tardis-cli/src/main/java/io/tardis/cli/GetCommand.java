package io.tardis.cli;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code tardis get}. */
@Command(
        name = "get",
        description =
                "Prints the exit code of a container's newest life. Exit status 3 if it is not known.",
        mixinStandardHelpOptions = true)
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class GetCommand implements Callable<Integer> {

    private final Environment environment;

    @Spec private CommandSpec spec;

    @Parameters(
            paramLabel = "[NS/]ID",
            converter = ContainerName.class,
            description = "The container; namespace 'default' if left out.")
    private ContainerKey container;

    GetCommand(Environment environment) {
        this.environment = environment;
    }

    @Override
    public Integer call() {
        Logging.forCommand();
        try (DaemonQueries queries = new DaemonQueries(environment.settings())) {
            return print(spec, queries.client().exitCode(container, Duration.ZERO));
        }
    }

    /** Prints the code, or on standard error why there is none. */
    static int print(CommandSpec spec, Answer.OfContainer answer) {
        String problem =
                switch (answer) {
                    case Answer.Exited(var event, boolean _) -> {
                        spec.commandLine().getOut().println(event.exit().exitStatus());
                        yield "";
                    }
                    case Answer.Running _ -> "has not ended";
                    case Answer.Lost _ -> "ended, but nobody could observe its exit code";
                    case Answer.Unknown _ ->
                            "is not known: no exit code is kept for such a container";
                };
        if (problem.isEmpty()) {
            return ExitStatus.OK;
        }
        spec.commandLine().getErr().println("tardis: " + answer.container() + " " + problem);
        return ExitStatus.NOT_KNOWN;
    }
}
