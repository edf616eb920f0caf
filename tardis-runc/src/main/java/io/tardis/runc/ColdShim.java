package io.tardis.runc;

import io.tardis.core.TardisException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The shim in a process of its own, which the launcher starts when it cannot reach the daemon. It
 * makes sure that the daemon runs and hands the command line on to it. A daemon that cannot be
 * started, or does not answer in time, costs what only the daemon knows: the life is registered
 * here all the same, and a {@code delete} keeps everything.
 */
public final class ColdShim {

    private static final Logger LOG = LoggerFactory.getLogger(ColdShim.class);

    /** Makes sure that a daemon runs. */
    @FunctionalInterface
    public interface DaemonStarter {
        /**
         * Starts the daemon if none runs, and returns when it answers.
         *
         * @param patience the longest wait
         * @return whether it answers
         * @throws TardisException if it cannot be started
         */
        boolean ensureRunning(Duration patience);
    }

    /**
     * The launcher ends a cold shim after 5 s, at {@code delete} after 3 s: a JVM's start and the
     * last call must fit in.
     */
    private static final Duration PATIENCE = Duration.ofMillis(3500);

    private static final Duration DELETE_PATIENCE = Duration.ofMillis(1500);

    private final Path socket;
    private final DaemonStarter daemon;
    private final RuncShim local;

    /**
     * A cold shim.
     *
     * @param socket the daemon's socket
     * @param daemon starts the daemon
     * @param local does what can be done without a daemon
     */
    public ColdShim(Path socket, DaemonStarter daemon, RuncShim local) {
        this.socket = socket;
        this.daemon = daemon;
        this.local = local;
    }

    /** Does what is to be done before the runtime gets these arguments. */
    public void before(List<String> arguments, Path directory) {
        RuncCommandLine command = RuncCommandLine.parse(arguments, directory);
        switch (command) {
            case RuncCommandLine.PassThrough _ -> {}
            case RuncCommandLine.Create _ -> {
                // First the registration: if the launcher runs out of patience, it is not the
                // record that is missing.
                local.before(command);
                isRunning(PATIENCE);
            }
            case RuncCommandLine.Start _ -> handOn(command, arguments, directory, PATIENCE);
            case RuncCommandLine.Delete _ -> handOn(command, arguments, directory, DELETE_PATIENCE);
        }
    }

    private void handOn(
            RuncCommandLine command, List<String> arguments, Path directory, Duration patience) {
        boolean answered = isRunning(patience) && ShimClient.call(socket, directory, arguments);
        if (!answered) {
            local.before(command);
        }
    }

    private boolean isRunning(Duration patience) {
        try {
            return daemon.ensureRunning(patience);
        } catch (TardisException e) {
            LOG.error("the daemon cannot be started: {}", e.getMessage());
            return false;
        }
    }
}
