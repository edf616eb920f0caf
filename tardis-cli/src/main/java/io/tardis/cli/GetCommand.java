package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.wire.Answer;
import java.io.PrintWriter;
import java.time.Duration;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code tardis get}. */
@Command(
        name = "get",
        description =
                "Prints the exit code of a container's newest life. Exit status 3 if it is not known.")
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class GetCommand extends Subcommand {

    private static final String NOT_KNOWN =
            "is not known: no exit code is recorded for such a container";

    @Mixin private ContainerArgument container;

    @Override
    boolean isServed() {
        return true;
    }

    @Override
    public Integer call() {
        try (DaemonQueries queries = queriesOrLog(settings())) {
            QueryClient client = queries.client();
            return container
                    .find(client, it -> client.exitCode(it, Duration.ZERO))
                    .map(it -> print(it, out(), err()))
                    .orElseGet(() -> notKnown(container.name(), this));
        }
    }

    /** Prints the code, or on standard error why there is none. */
    static int print(Answer.OfContainer answer, PrintWriter out, PrintWriter err) {
        String problem =
                switch (answer) {
                    case Answer.Exited(var event, boolean _) -> {
                        out.println(event.exit().exitStatus());
                        yield "";
                    }
                    case Answer.Running _ -> "has not ended";
                    case Answer.Lost _ -> "ended, but no source reported its exit code";
                    case Answer.Unknown _ -> NOT_KNOWN;
                };
        if (problem.isEmpty()) {
            return ExitStatus.OK;
        }
        return refuse(answer.container(), problem, err);
    }

    /** Says that no such container is known. */
    static int notKnown(ContainerName name, Subcommand command) {
        return refuse(name, NOT_KNOWN, command.err());
    }

    private static int refuse(Object what, String problem, PrintWriter err) {
        err.println("tardis: " + what + " " + problem);
        return ExitStatus.NOT_KNOWN;
    }
}
