package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer.OfContainer;
import java.util.Optional;
import java.util.function.Function;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** What a command line says of the container that the command is about. */
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class ContainerArgument {

    @Parameters(
            paramLabel = "CONTAINER",
            converter = ContainerName.Reader.class,
            description = {
                "[NS/]ID, the beginning of an id, a name, or pod/NAME[/CONTAINER].",
                "Without NS, an id is of the namespace 'default'."
            })
    private ContainerName name;

    @Option(
            names = "-n",
            paramLabel = "NS",
            description = "The namespace; for pod/NAME, the one of Kubernetes.")
    private Optional<String> namespace;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** The container as the user named it. */
    ContainerName name() {
        if (namespace.isEmpty()) {
            return name;
        }
        String given = namespace.get();
        Subcommand.checkNamespace(given, command);
        return name.in(given)
                .orElseThrow(() ->
                        new ParameterException(
                                command.commandLine(), "two namespaces: -n and " + name));
    }

    /**
     * The container; empty if none is known.
     *
     * @param ask asks the daemon for the container of that id
     */
    Optional<OfContainer> find(QueryClient client, Function<ContainerKey, OfContainer> ask) {
        ContainerName wanted = name();
        Optional<OfContainer> found = new Names(client).find(wanted, ask);
        found.map(Life::new).filter(it -> isGuess(it, wanted)).ifPresent(this::sayWhichItIs);
        return found;
    }

    /** An id that people chose may begin like another one by chance: job-1 and job-17. */
    private static boolean isGuess(Life life, ContainerName wanted) {
        return wanted instanceof ContainerName.Plain(var _, String word)
                && !life.container().id().equals(word)
                && !life.about().name().equals(Optional.of(word))
                && !Life.isRandomId(life.container().id());
    }

    private void sayWhichItIs(Life life) {
        command.commandLine().getErr().println("tardis: this is about " + life.container());
    }
}
