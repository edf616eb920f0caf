package io.tardis.cli;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import io.tardis.core.config.Settings;
import io.tardis.listener.AlreadyRunningException;
import io.tardis.listener.InstanceLock;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tardis daemon}. */
@Command(
        name = "daemon",
        description = "Runs the daemon, until SIGTERM or Ctrl-C.",
        mixinStandardHelpOptions = true)
final class DaemonCommand implements Callable<Integer> {

    private static final Duration START_PATIENCE = Duration.ofSeconds(15);

    private final Environment environment;

    @Option(
            names = "--background",
            description = "Start it in the background, and return when it answers.")
    private boolean background;

    @Option(
            names = "--take-over",
            description =
                    "End the daemon that runs, when this one hears containerd, and go on in its place.")
    private boolean takeOver;

    DaemonCommand(Environment environment) {
        this.environment = environment;
    }

    @Override
    public Integer call() {
        Settings settings = environment.settings();
        return background ? startInBackground(settings) : runHere(settings);
    }

    private int runHere(Settings settings) {
        Logging.forDaemon(settings);
        try {
            return new Daemon(settings, takeOver).run();
        } catch (AlreadyRunningException e) {
            // What whoever started it wanted is there, and nobody has to act.
            LoggerFactory.getLogger(DaemonCommand.class)
                    .info("this daemon ends: {}", e.getMessage());
            throw e;
        } catch (TardisException e) {
            // Who started it in the background sees only the log.
            LoggerFactory.getLogger(DaemonCommand.class)
                    .error("the daemon cannot run: {}", e.getMessage());
            throw e;
        }
    }

    private static int startInBackground(Settings settings) {
        Logging.forCommand();
        OptionalLong running = InstanceLock.holder(settings.stateDir());
        if (running.isPresent()) {
            throw new AlreadyRunningException(settings.stateDir(), running);
        }
        RunningDaemon.refuseOtherDirectories(settings);
        if (!new BackgroundDaemon(settings, BackgroundDaemon.ownProgram())
                .ensureRunning(START_PATIENCE)) {
            throw new SetupException(
                    "the daemon did not start; " + settings.logFile() + " says why");
        }
        return ExitStatus.OK;
    }
}
