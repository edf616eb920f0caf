package io.tardis.cli;

import io.tardis.core.TardisException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands a daemon over whose files were replaced beneath it, by an upgrade of Tardis or of Java:
 * once they stand still, the daemon of the new version is started, which ends this one when it can
 * serve. Until then, and if the new one cannot serve, this one goes on with what it has loaded.
 */
final class HandOver {

    private static final Logger LOG = LoggerFactory.getLogger(HandOver.class);

    private static final Duration PERIOD = Duration.ofSeconds(1);
    private static final int FIRST_PAUSE = 10;
    private static final int LONGEST_PAUSE = 600;

    private final Installation installation;
    private final boolean isService;
    private final BooleanSupplier successor;
    private final CountDownLatch stopping = new CountDownLatch(1);

    private Map<Path, String> last;
    private int failures;
    private int looksToNextTry;

    /**
     * A watch that does not run yet; what is there now counts as not replaced.
     *
     * @param installation what this daemon runs from
     * @param isService whether a service manager runs this daemon: then nobody else may replace it
     * @param successor starts the daemon of the new version, and ends this process if that serves;
     *     returns false if it does not
     */
    HandOver(Installation installation, boolean isService, BooleanSupplier successor) {
        this.installation = installation;
        this.isService = isService;
        this.successor = successor;
        this.last = installation.unchanged();
    }

    void start() {
        Thread.ofPlatform().daemon().name("tardis-hand-over").start(this::run);
    }

    private void run() {
        installation.loadClasses();
        try {
            while (!stopping.await(PERIOD.toMillis(), TimeUnit.MILLISECONDS)) {
                look();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Once a period. */
    void look() {
        Map<Path, String> now = installation.state();
        if (!now.equals(last)) {
            last = now;
            failures = 0;
            looksToNextTry = 2; // not on the heels of the last change: many files are copied
        } else if (!now.equals(installation.unchanged()) && looksToNextTry > 0) {
            looksToNextTry--;
            if (looksToNextTry == 0) {
                handOver(firstDifference(now));
            }
        }
    }

    private Path firstDifference(Map<Path, String> now) {
        return now.entrySet().stream()
                .filter(it -> !installation.unchanged().entrySet().contains(it))
                .findFirst()
                .orElseThrow()
                .getKey();
    }

    private void handOver(Path replaced) {
        if (isService) {
            LOG.warn(
                    "{} was replaced: restart the service of this daemon (systemctl restart), so that the new version runs",
                    replaced);
            return;
        }
        LOG.info("{} was replaced: {} takes over", replaced, installation.program());
        try {
            if (successor.getAsBoolean()) {
                return;
            }
        } catch (TardisException e) {
            LOG.warn("{}", e.getMessage());
        }
        looksToNextTry = Math.min(FIRST_PAUSE << Math.min(failures, 10), LONGEST_PAUSE);
        failures++;
        LOG.warn(
                "{} could not take over, for the reason above; this daemon goes on, and tries again in {} s",
                installation.program(),
                looksToNextTry);
    }

    void stop() {
        stopping.countDown();
    }
}
