package io.tardis.core.zmq;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts the connections that are ended for a reason, and tells it: at first sight, and then once a
 * minute. Who is refused tries again, ten times a second and more. For one thread.
 */
final class Refusals {

    private static final Logger LOG = LoggerFactory.getLogger(Refusals.class);
    private static final Duration TOLD_EVERY = Duration.ofMinutes(1);

    private static final class Reason {
        private long count;
        private long toldAt;
    }

    private final String endpoint;
    private final Map<String, Reason> reasons = new HashMap<>();

    Refusals(String endpoint) {
        this.endpoint = endpoint;
    }

    /**
     * One more.
     *
     * @param reason one of few texts
     */
    void add(String reason) {
        Reason known = reasons.computeIfAbsent(reason, _ -> new Reason());
        known.count++;
        if (known.count == 1 || System.nanoTime() - known.toldAt > TOLD_EVERY.toNanos()) {
            known.toldAt = System.nanoTime();
            LOG.warn(
                    "a connection to {} was ended: {} ({} since the start)",
                    endpoint,
                    reason,
                    known.count);
        }
    }
}
