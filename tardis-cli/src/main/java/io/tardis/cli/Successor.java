package io.tardis.cli;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The daemon that comes after one that failed. It waits for the state directory, or ends who has
 * it, so it can be started before the failed one has ended.
 *
 * <p>There is none for a daemon that has not lived for a while: its successor would most likely
 * fail as soon, and so on without end. And none under a service manager, who starts daemons itself.
 */
final class Successor {

    private static final Logger LOG = LoggerFactory.getLogger(Successor.class);
    private static final Duration LEAST_LIFE = Duration.ofSeconds(10);

    private final Path program;
    private final Map<String, String> environment;
    private final long pid;

    /**
     * A successor that is not started.
     *
     * @param program the {@code tardis} script
     * @param environment the failed daemon's environment
     * @param pid the failed daemon's process
     */
    Successor(Path program, Map<String, String> environment, long pid) {
        this.program = program;
        this.environment = Map.copyOf(environment);
        this.pid = pid;
    }

    /**
     * Starts it, if there is to be one.
     *
     * @param age how long the failed daemon has lived
     */
    void startAfter(Duration age) {
        if (age.compareTo(LEAST_LIFE) < 0) {
            LOG.info(
                    "no new daemon is started: this one failed within {} s",
                    LEAST_LIFE.toSeconds());
        } else if (isManaged()) {
            LOG.info("the service manager starts the next daemon");
        } else {
            start();
        }
    }

    private void start() {
        try {
            Process process =
                    BackgroundDaemon.detached(
                                    List.of(program.toString(), "daemon", "--take-over"),
                                    Redirect.DISCARD)
                            .start();
            LOG.info("process {} is to be the next daemon", process.pid());
        } catch (IOException
                | OutOfMemoryError e) { // of threads: the end of the heap is not caught
            LOG.error("no new daemon can be started; the next container starts one", e);
        }
    }

    /**
     * systemd puts its variables into the environment of what it starts, where all that comes from
     * there inherits them: a daemon that a container started has containerd's. The pid, of systemd
     * 248 and later, distinguishes them.
     */
    private boolean isManaged() {
        String started = environment.get("SYSTEMD_EXEC_PID");
        return started == null
                ? environment.containsKey("INVOCATION_ID")
                        || environment.containsKey("NOTIFY_SOCKET")
                : started.equals(Long.toString(pid));
    }
}
