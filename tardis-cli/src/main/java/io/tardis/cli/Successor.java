package io.tardis.cli;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
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

    private Successor() {}

    /**
     * Starts it, if there is to be one.
     *
     * @param program the {@code tardis} script
     * @param isService whether a service manager started the daemon that failed
     * @param age how long that one has lived
     */
    static void start(Path program, boolean isService, Duration age) {
        if (age.compareTo(LEAST_LIFE) < 0) {
            LOG.info(
                    "no new daemon is started: this one failed within {} s",
                    LEAST_LIFE.toSeconds());
        } else if (isService) {
            LOG.info("the service manager starts the next daemon");
        } else {
            start(program);
        }
    }

    private static void start(Path program) {
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
}
