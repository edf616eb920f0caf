package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.config.Layout;
import io.tardis.core.config.Settings;
import io.tardis.core.registry.InitProcess;
import io.tardis.listener.InstanceLock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import picocli.CommandLine.Command;

/** {@code tardis stop}. */
@Command(name = "stop", description = "Stops the daemon, and returns when it has ended.")
final class StopCommand extends Subcommand {

    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Duration POLL = Duration.ofMillis(20);

    @Override
    public Integer call() throws InterruptedException {
        Settings settings = settings();
        Optional<ProcessHandle> running = InstanceLock.holdingProcess(settings.stateDir());
        if (running.isEmpty()) {
            RunningDaemon.refuseOtherDirectories(settings);
            out().println("no daemon runs on " + settings.stateDir());
            return ExitStatus.OK;
        }
        long pid = running.get().pid();
        InitProcess daemon = InitProcess.of(pid);
        running.get().destroy();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        // It gives back the lock, which is the last thing it does, before its process ends.
        while (InstanceLock.holder(settings.stateDir()).equals(OptionalLong.of(pid))
                || daemon.isRunning()) { // a zombie, which its parent may never look at, has ended
            if (System.nanoTime() > deadline) {
                throw new TardisException(
                        "process %d did not end within %d s of SIGTERM"
                                .formatted(pid, PATIENCE.toSeconds()));
            }
            Thread.sleep(POLL);
        }
        forgetStart(settings.runDir());
        out().println("stopped process " + pid);
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
}
