package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.config.Settings;
import io.tardis.listener.InstanceLock;
import io.tardis.store.Store;
import java.time.Duration;
import java.util.OptionalLong;
import picocli.CommandLine.Command;

/** {@code tardis restart}. */
@Command(
        name = "restart",
        description =
                "Puts a new daemon in the place of the one that runs, without missing an exit; starts one if none runs.")
final class RestartCommand extends Subcommand {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    @Override
    public Integer call() {
        Settings settings = settings();
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
        OptionalLong now = InstanceLock.holder(settings.stateDir());
        if (!answers) {
            throw new TardisException(
                    "the new daemon does not answer; %s says why%s"
                            .formatted(
                                    settings.logFile(),
                                    now.isEmpty() ? "" : "; process " + now.getAsLong() + " runs"));
        }
        String place = before.isEmpty() ? "" : " in the place of process " + before.getAsLong();
        now.ifPresent(pid -> out().println("process " + pid + " runs" + place));
        return ExitStatus.OK;
    }
}
