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

    /** For the last look for the daemon, half a second, and for what is done here without it. */
    private static final Duration RESERVE = Duration.ofSeconds(1);

    private final Path socket;
    private final DaemonStarter daemon;
    private final RuncShim local;
    private final Duration patience;

    /**
     * A cold shim.
     *
     * @param socket the daemon's socket
     * @param daemon starts the daemon
     * @param local does what can be done without a daemon
     * @param timeLeft until the launcher ends this process and goes on to the runtime
     */
    public ColdShim(Path socket, DaemonStarter daemon, RuncShim local, Duration timeLeft) {
        this.socket = socket;
        this.daemon = daemon;
        this.local = local;
        Duration patience = timeLeft.minus(RESERVE);
        this.patience = patience.isNegative() ? Duration.ZERO : patience;
    }

    /** Does what is to be done before the runtime gets these arguments. */
    public void before(List<String> arguments, Path directory) {
        RuncCommandLine command = RuncCommandLine.parse(arguments, directory);
        switch (command) {
            case RuncCommandLine.PassThrough _ -> {}
            // First the record: if the launcher runs out of patience, it is not that which is
            // missing.
            case RuncCommandLine.Create _ -> {
                local.before(command);
                isRunning();
            }
            case RuncCommandLine.Start _ -> {
                local.before(command);
                handOn(arguments, directory);
            }
            // Only once: a life that is deleted here is none for the daemon any more.
            case RuncCommandLine.Delete _ -> {
                if (!handOn(arguments, directory)) {
                    local.before(command);
                }
            }
        }
    }

    /** Lets the daemon do it, which knows more, and can watch the process. */
    private boolean handOn(List<String> arguments, Path directory) {
        return isRunning() && ShimClient.call(socket, directory, arguments);
    }

    private boolean isRunning() {
        try {
            return daemon.ensureRunning(patience);
        } catch (TardisException e) {
            LOG.error("the daemon cannot be started: {}", e.getMessage());
            return false;
        }
    }
}
