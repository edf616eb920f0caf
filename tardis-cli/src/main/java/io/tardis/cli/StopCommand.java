package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.config.Layout;
import io.tardis.core.config.Settings;
import io.tardis.listener.InstanceLock;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code tardis stop}. */
@Command(
        name = "stop",
        description = "Stops the daemon, and returns when it has ended.",
        mixinStandardHelpOptions = true)
final class StopCommand implements Callable<Integer> {

    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Duration POLL = Duration.ofMillis(20);

    private final Environment environment;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    StopCommand(Environment environment) {
        this.environment = environment;
    }

    @Override
    public Integer call() throws InterruptedException {
        Logging.forCommand();
        Settings settings = environment.settings();
        PrintWriter out = spec.commandLine().getOut();
        Optional<ProcessHandle> running = InstanceLock.holdingProcess(settings.stateDir());
        if (running.isEmpty()) {
            RunningDaemon.refuseOtherDirectories(settings);
            out.println("no daemon runs on " + settings.stateDir());
            return ExitStatus.OK;
        }
        ProcessHandle daemon = running.get();
        long pid = daemon.pid();
        daemon.destroy();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        // It gives back the lock, which is the last thing it does, before its process ends.
        while (InstanceLock.holder(settings.stateDir()).equals(OptionalLong.of(pid))
                || isRunning(daemon)) {
            if (System.nanoTime() > deadline) {
                throw new TardisException(
                        "process "
                                + pid
                                + " did not end within "
                                + PATIENCE.toSeconds()
                                + " s of SIGTERM");
            }
            Thread.sleep(POLL);
        }
        forgetStart(settings.runDir());
        out.println("stopped process " + pid);
        return ExitStatus.OK;
    }

    /** An end by order is no failure, for which the next container would not wait. */
    private static void forgetStart(Path runDir) {
        try {
            boolean _ = Files.deleteIfExists(runDir.resolve(Layout.LAST_START));
        } catch (IOException e) {
            throw new TardisException(
                    "the daemon has ended, but the note of its start stays: " + e, e);
        }
    }

    /** A zombie, which its parent may never look at, has ended. */
    private static boolean isRunning(ProcessHandle process) {
        Path status = Path.of("/proc", Long.toString(process.pid()), "status");
        try {
            return process.isAlive() && !Files.readString(status).contains("\nState:\tZ");
        } catch (IOException _) {
            return false; // it went meanwhile
        }
    }
}
