package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.config.Settings;
import io.tardis.listener.InstanceLock;
import io.tardis.store.Store;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code tardis restart}. */
@Command(
        name = "restart",
        description =
                "Puts a new daemon in the place of the one that runs, without missing an exit; starts one if none runs.",
        mixinStandardHelpOptions = true)
final class RestartCommand implements Callable<Integer> {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final Environment environment;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    RestartCommand(Environment environment) {
        this.environment = environment;
    }

    @Override
    public Integer call() {
        Logging.forCommand();
        Settings settings = environment.settings();
        RunningDaemon.refuseOtherDirectories(settings);
        OptionalLong before = InstanceLock.holder(settings.stateDir());
        Rehearsal.of(settings, before);
        if (before.isPresent()) {
            // Here alone: the new daemon, which rehearses, too, has not loaded its SQLite yet.
            Store.rehearse(settings);
        }
        BackgroundDaemon daemon = new BackgroundDaemon(settings, BackgroundDaemon.ownProgram());
        boolean answers =
                before.isPresent() ? daemon.replace(PATIENCE) : daemon.ensureRunning(PATIENCE);
        if (!answers) {
            OptionalLong now = InstanceLock.holder(settings.stateDir());
            throw new TardisException(
                    "the new daemon does not answer; "
                            + settings.logFile()
                            + " says why"
                            + (now.isPresent() ? "; process " + now.getAsLong() + " runs" : ""));
        }
        InstanceLock.holder(settings.stateDir())
                .ifPresent(pid ->
                        spec.commandLine()
                                .getOut()
                                .println(
                                        "process "
                                                + pid
                                                + (before.isPresent()
                                                        ? " runs in the place of process "
                                                                + before.getAsLong()
                                                        : " runs")));
        return ExitStatus.OK;
    }
}
