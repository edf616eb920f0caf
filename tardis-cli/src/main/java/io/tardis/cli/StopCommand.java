package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.config.Layout;
import io.tardis.core.config.Settings;
import io.tardis.core.registry.InitProcess;
import io.tardis.listener.InstanceLock;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;
import java.util.function.LongFunction;
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
        // A zombie, which its parent may never look at, has ended.
        end(running.get(), settings.stateDir(), pid -> InitProcess.of(pid)::isRunning);
        forgetStart(settings.runDir());
        out().println("stopped process " + running.get().pid());
        return ExitStatus.OK;
    }

    /**
     * Ends the daemon, and returns when it has ended.
     *
     * @param observer looks at a process: whether it still runs
     * @throws TardisException if it does not end, or that cannot be seen
     */
    static void end(ProcessHandle daemon, Path stateDir, LongFunction<BooleanSupplier> observer)
            throws InterruptedException {
        long pid = daemon.pid();
        try {
            BooleanSupplier runs = observer.apply(pid);
            daemon.destroy();
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            // It gives back the lock, which is the last thing it does, before its process ends.
            while (InstanceLock.holder(stateDir).equals(OptionalLong.of(pid))
                    || runs.getAsBoolean()) {
                if (System.nanoTime() > deadline) {
                    throw new TardisException(
                            "process %d did not end within %d s of SIGTERM"
                                    .formatted(pid, PATIENCE.toSeconds()));
                }
                Thread.sleep(POLL);
            }
        } catch (UncheckedIOException e) { // for want of descriptors
            throw new TardisException(
                    "whether process %d has ended cannot be seen: %s; run this again"
                            .formatted(pid, e.getCause()),
                    e);
        }
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
