package io.tardis.cli;

import io.tardis.core.SetupException;
import io.tardis.core.config.Layout;
import io.tardis.core.config.Settings;
import io.tardis.listener.InstanceLock;
import io.tardis.runc.ShimClient;
import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Starts a daemon in the background: in a session of its own, without a descriptor of its parent's
 * (the JDK closes all but the standard streams, which are {@code /dev/null} and the log file), in
 * the directory {@code /}. Of several processes that want one at the same time only one starts it,
 * and all wait for its answer.
 */
final class BackgroundDaemon {

    private static final Duration POLL = Duration.ofMillis(10);
    private static final Duration PUT_BACK_PATIENCE = Duration.ofSeconds(20);

    private final Settings settings;
    private final Path program;

    /**
     * A starter.
     *
     * @param settings the settings that the daemon will have, from the same environment
     * @param program the {@code tardis} script
     */
    BackgroundDaemon(Settings settings, Path program) {
        this.settings = settings;
        this.program = program;
    }

    /** The {@code tardis} script that started this process. */
    static Path ownProgram() {
        String home = System.getProperty("tardis.home");
        if (home == null) {
            throw new SetupException(
                    "the daemon can only be started by bin/tardis of an installation");
        }
        return Path.of(home, "bin", "tardis");
    }

    /** Whether the daemon answers now. */
    static boolean answers(Settings settings) {
        return ShimClient.isAnswered(settings.socket());
    }

    /**
     * Starts the daemon if none runs, and returns when it answers.
     *
     * @param patience the longest wait
     * @return whether it answers
     * @throws SetupException if it cannot be started
     */
    boolean ensureRunning(Duration patience) {
        return answers(settings) || start(patience, false);
    }

    /**
     * Puts a new daemon in the place of the one that runs, which goes on until the new one hears
     * containerd. Nobody else starts one meanwhile, who could be faster than it when the lock is
     * handed over. If the new one ends nevertheless after it has ended the old one, that is started
     * again, with the command line and the environment that it had.
     *
     * @return whether the new daemon answers
     */
    boolean replace(Duration patience) {
        return start(patience, true);
    }

    private boolean start(Duration patience, boolean takeOver) {
        long deadline = System.nanoTime() + patience.toNanos();
        try (FileChannel channel = openStartLock()) {
            Optional<StoppedDaemon> before =
                    takeOver ? StoppedDaemon.remember(settings.stateDir()) : Optional.empty();
            FileLock lock = null;
            Process daemon = null;
            while (System.nanoTime() < deadline) {
                lock = lock == null ? channel.tryLock() : lock;
                if (hasFailed(daemon)) {
                    if (takeOver || isFree()) {
                        break;
                    }
                    // Somebody else's, which will answer soon: one whose starter has given up on
                    // it, and the start lock with it.
                    daemon = null;
                }
                if (lock != null && daemon == null && (takeOver || isFree())) {
                    daemon = start(takeOver);
                }
                Thread.sleep(POLL);
                if ((!takeOver || isHolder(daemon)) && answers(settings)) {
                    return true;
                }
            }
            if (hasFailed(daemon) && before.isPresent()) {
                putBack(before.get());
            }
            return false;
        } catch (IOException e) {
            throw new SetupException("the daemon cannot be started: " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** One that is to end closes its socket first, and gives its lock back last. */
    private void putBack(StoppedDaemon before) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + PUT_BACK_PATIENCE.toNanos();
        Process again = null;
        while (!answers(settings) && !hasFailed(again) && System.nanoTime() < deadline) {
            if (again == null && isFree()) {
                again = before.startAgain(log());
            }
            Thread.sleep(POLL);
        }
    }

    private FileChannel openStartLock() throws IOException {
        Directories.makeRunDir(settings);
        Directories.makePrivate(settings.stateDir());
        return FileChannel.open(
                settings.runDir().resolve(Layout.START_LOCK),
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
                // Who can read it can lock it, and hold up the next start.
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    }

    /** Whether no daemon has the state directory. */
    private boolean isFree() {
        return InstanceLock.holder(settings.stateDir()).isEmpty();
    }

    /**
     * Whether it has the state directory: {@code setsid}, the script and Java are one process, each
     * becomes the next.
     */
    private boolean isHolder(@Nullable Process daemon) {
        return daemon != null
                && InstanceLock.holder(settings.stateDir()).equals(OptionalLong.of(daemon.pid()));
    }

    private Process start(boolean takeOver) throws IOException {
        List<String> command = new ArrayList<>(List.of(program.toString(), "daemon"));
        if (takeOver) {
            command.add("--take-over");
        }
        ProcessBuilder builder = detached(command, log());
        builder.environment().remove("INVOCATION_ID"); // no service of the caller's manager
        return builder.start();
    }

    /** A process in a session of its own, in the directory {@code /}, without input. */
    static ProcessBuilder detached(List<String> command, Redirect output) {
        List<String> words = new ArrayList<>(command);
        words.addFirst("setsid");
        return new ProcessBuilder(words)
                .directory(new File("/"))
                .redirectInput(new File("/dev/null"))
                .redirectOutput(output)
                .redirectError(output);
    }

    /** For what the script and the JVM say if they do not even get to the daemon, too. */
    private Redirect log() {
        return Redirect.appendTo(Logging.openable(settings.logFile()).toFile());
    }

    private static boolean hasFailed(@Nullable Process daemon) {
        return daemon != null && !daemon.isAlive();
    }
}
