package io.tardis.cli;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import io.tardis.core.config.Settings;
import io.tardis.listener.AlreadyRunningException;
import io.tardis.listener.InstanceLock;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tardis daemon}. */
@Command(
        name = "daemon",
        description = "Runs the daemon, until SIGTERM or Ctrl-C.",
        mixinStandardHelpOptions = true)
final class DaemonCommand implements Callable<Integer> {

    private static final Logger LOG = LoggerFactory.getLogger(DaemonCommand.class);
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

    @Option(
            names = "--after",
            hidden = true,
            description =
                    "PID,SECONDS: for the JVM of a daemon that ran out of memory; starts the next daemon and returns.")
    private @Nullable String after;

    DaemonCommand(Environment environment) {
        this.environment = environment;
    }

    @Override
    public Integer call() {
        if (after != null) {
            return succeed(after.split(",", 2));
        }
        Settings settings = environment.settings();
        return background ? startInBackground(settings) : runHere(settings);
    }

    private int runHere(Settings settings) {
        Logging.forDaemon(settings);
        Signals.handle(() -> readAgain());
        try {
            boolean isService = environment.isService();
            return new Daemon(
                            environment,
                            settings,
                            takeOver,
                            isService,
                            this::startSuccessor,
                            Daemon.ENDING)
                    .run();
        } catch (AlreadyRunningException e) {
            // What whoever started it wanted is there, and nobody has to act.
            LOG.info("this daemon ends: {}", e.getMessage());
            throw e;
        } catch (TardisException e) {
            // Who started it in the background sees only the log.
            LOG.error("the daemon cannot run: {}", e.getMessage());
            throw e;
        } catch (RuntimeException | Error e) {
            LOG.error("the daemon cannot run", e);
            throw e;
        }
    }

    private void startSuccessor(Duration age) {
        Successor.start(BackgroundDaemon.ownProgram(), environment.isService(), age);
    }

    private int succeed(String[] pidAndAge) {
        Logging.toFile(environment.settings());
        LOG.error("the daemon, process {}, had no memory left and has ended", pidAndAge[0]);
        startSuccessor(Duration.ofSeconds(Long.parseLong(pidAndAge[1])));
        return ExitStatus.OK;
    }

    /** What SIGHUP does: logrotate sends it, and an operator who has changed the settings. */
    private void readAgain() {
        Logging.reopen();
        try {
            Settings now = environment.settings();
            Logging.setLevel(now.logLevel());
            LOG.info(
                    "SIGHUP: the log is opened again, and its level is {}; other settings need"
                            + " 'tardis restart'",
                    now.logLevel());
        } catch (TardisException e) {
            LOG.error(
                    "SIGHUP: the log is opened again, and nothing else changes: {}",
                    e.getMessage());
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
