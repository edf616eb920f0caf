package io.tardis.cli;

import io.tardis.core.Owner;
import io.tardis.core.SetupException;
import io.tardis.core.config.Layout;
import io.tardis.core.config.Settings;
import io.tardis.listener.InstanceLock;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A daemon that runs, and where: found by the lock on the state directory of the settings, or by
 * the socket in their run directory. Either leads to its process, and that to both of its own
 * directories. The kernel is asked: a daemon that hangs has them, too.
 *
 * @param pid its process
 * @param stateDir the directory whose lock it has; empty if that is not known
 * @param runDir the directory of its socket; empty if that is not known
 */
record RunningDaemon(long pid, Optional<Path> stateDir, Optional<Path> runDir) {

    /**
     * The daemon that has the state directory, or else the run directory, of {@code settings}.
     *
     * @throws SetupException if {@code /proc} cannot be read
     */
    static Optional<RunningDaemon> find(Settings settings) {
        try {
            OptionalLong pid = InstanceLock.holder(settings.stateDir());
            if (pid.isEmpty()) {
                pid = daemonOn(settings.socket());
            }
            return pid.isEmpty() ? Optional.empty() : Optional.of(of(pid.getAsLong()));
        } catch (IOException e) {
            throw new SetupException("it cannot be found out whether a daemon runs: " + e, e);
        }
    }

    /**
     * Any user can have a socket whose name, with a line feed in it, looks like two rows of {@code
     * /proc/net/unix}: a process that is no daemon is passed over.
     */
    private static OptionalLong daemonOn(Path socket) throws IOException {
        Map<Long, Path> sockets = ListeningSockets.unix();
        sockets.values().removeIf(it -> !isSame(it, socket));
        OptionalLong owner = ListeningSockets.owner(sockets.keySet());
        return owner.isPresent() && isDaemon(owner.getAsLong()) ? owner : OptionalLong.empty();
    }

    private static boolean isDaemon(long pid) throws IOException {
        Path process = Path.of("/proc", Long.toString(pid));
        try {
            return Owner.isUs(Files.getOwner(process))
                    && Files.readString(process.resolve("cmdline"), StandardCharsets.ISO_8859_1)
                            .contains(Main.class.getName());
        } catch (NoSuchFileException _) {
            return false; // it has ended
        }
    }

    private static RunningDaemon of(long pid) throws IOException {
        Map<Long, Path> sockets = ListeningSockets.unix();
        sockets.keySet().retainAll(ListeningSockets.of(pid));
        return new RunningDaemon(
                pid,
                directoryOf(Layout.LOCK, ListeningSockets.openFiles(pid)),
                directoryOf(Layout.SOCKET, sockets.values()));
    }

    private static Optional<Path> directoryOf(String name, Collection<Path> files) {
        return files.stream()
                .filter(it -> it.endsWith(name))
                .map(it -> it.resolveSibling(""))
                .findFirst();
    }

    /**
     * Makes sure that a daemon with {@code settings} would take the place of the one that runs, and
     * not split its work with it.
     *
     * @throws SetupException if it has one of the two directories, and another one than the
     *     settings say in the place of the other
     */
    static void refuseOtherDirectories(Settings settings) {
        find(settings).ifPresent(it -> it.refuseOther(settings));
    }

    private void refuseOther(Settings settings) {
        boolean same =
                stateDir.map(it -> isSame(it, settings.stateDir())).orElse(true)
                        && runDir.map(it -> isSame(it, settings.runDir())).orElse(true);
        if (!same) {
            throw new SetupException(
                    ("the daemon that runs as process %d has the state directory %s and the run"
                                    + " directory %s, but the settings say %s and %s; stop it with"
                                    + " its own settings first, or take those")
                            .formatted(
                                    pid,
                                    name(stateDir),
                                    name(runDir),
                                    settings.stateDir(),
                                    settings.runDir()));
        }
    }

    private static String name(Optional<Path> directory) {
        return directory.map(Path::toString).orElse("(not known)");
    }

    /** Also by another name, such as {@code /var/run} for {@code /run}. */
    private static boolean isSame(Path one, Path other) {
        try {
            return one.equals(other) || one.toRealPath().equals(other.toRealPath());
        } catch (IOException _) {
            return false; // one of them does not exist
        }
    }
}
