package io.tardis.cli;

import io.tardis.core.config.Settings;
import io.tardis.core.event.ContainerKey;
import java.io.PrintWriter;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.IntSupplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** What the commands have in common that print something. {@link #call} returns an exit status. */
@Command(mixinStandardHelpOptions = true)
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
abstract class Subcommand implements Callable<Integer> {

    @ParentCommand private TardisCommand tardis;
    @Spec private CommandSpec spec;

    final Environment environment() {
        return tardis.environment();
    }

    /** The settings. From now on warnings are printed. */
    final Settings settings() {
        return tardis.host().settings(environment());
    }

    /** What asks the daemon. */
    final DaemonQueries queries(Settings settings) {
        return tardis.host().queries(settings);
    }

    /** The same, or, where no daemon runs, what reads its log; says so on standard error. */
    final DaemonQueries queriesOrLog(Settings settings) {
        Optional<DaemonQueries> log = tardis.host().ofStoppedDaemon(settings);
        if (log.isEmpty()) {
            return queries(settings);
        }
        err().println(
                        "tardis: no daemon runs; this is what %s has ('tardis daemon --background' starts one)"
                                .formatted(settings.exitLog()));
        return log.get();
    }

    /** As {@link Host#defersWaits}. */
    final boolean defersWaits() {
        return tardis.host().defersWaits();
    }

    /** As {@link Host#await}. */
    final int await(IntSupplier rest) {
        return tardis.host().await(rest);
    }

    /** Whether the user's terminal knows ASCII only. */
    final boolean isAscii() {
        return tardis.host().isAscii();
    }

    /**
     * Whether the daemon may run the command, with what was read from the command line, for a
     * client that may only read: see {@link ServedCommands}. A command that uses files or processes
     * of its caller may not.
     */
    boolean isServed() {
        return false;
    }

    final Output output() {
        return tardis.output();
    }

    final PrintWriter out() {
        return output().writer();
    }

    final PrintWriter err() {
        return spec.commandLine().getErr();
    }

    /**
     * Refuses what is no namespace of containerd.
     *
     * @throws ParameterException if {@code text} is none
     */
    static void checkNamespace(String text, CommandSpec command) {
        if (!ContainerKey.isIdentifier(text)) {
            throw new ParameterException(
                    command.commandLine(), "'" + text + "' is not a namespace");
        }
    }

    /** What to throw where the command line is wrong in a way that picocli does not see. */
    final ParameterException usageError(String message) {
        return new ParameterException(spec.commandLine(), message);
    }
}
