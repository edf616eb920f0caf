package io.tardis.core;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Logs failures that can come again and again: each at first sight, and then once a minute how
 * often it came since, with the times of the first and the last one. After a minute without it the
 * next one is a first one.
 *
 * <p>It has no timer: a count is logged by the next call. For one thread, or under one lock.
 */
public final class FailureLog {

    private static final long SILENCE = Duration.ofMinutes(1).toNanos();

    /** The oldest of more failures is forgotten: their texts may come from outside. */
    private static final int MAX_FAILURES = 32;

    private static final class Failure {
        private final Level level;
        private long silentUntil;
        private long count;
        private Instant first = Instant.EPOCH;
        private Instant last = Instant.EPOCH;
        private Object latest = "";

        Failure(Level level, long silentUntil) {
            this.level = level;
            this.silentUntil = silentUntil;
        }
    }

    private final Logger log;
    private final InstantSource clock;
    private final LongSupplier nanoTime;
    private final SequencedMap<String, Failure> failures = new LinkedHashMap<>();

    /** Logs the failures of {@code owner}, as that class's own messages. */
    public FailureLog(Class<?> owner) {
        this(owner, InstantSource.system(), System::nanoTime);
    }

    FailureLog(Class<?> owner, InstantSource clock, LongSupplier nanoTime) {
        this.log = LoggerFactory.getLogger(owner);
        this.clock = clock;
        this.nanoTime = nanoTime;
    }

    /** Something failed, at WARN. As {@link #error(String, Object)}. */
    public void warn(String what, Object detail) {
        happened(Level.WARN, what, detail);
    }

    /**
     * Something failed, at ERROR.
     *
     * @param what a sentence that is the same each time: "a query cannot be answered"
     * @param detail what differs: a {@link Throwable}, a text, or an empty text
     */
    public void error(String what, Object detail) {
        happened(Level.ERROR, what, detail);
    }

    private void happened(Level level, String what, Object detail) {
        logCounts();
        Failure known = failures.get(what);
        if (known == null) {
            logFirst(level, what, detail);
            failures.put(what, new Failure(level, nanoTime.getAsLong() + SILENCE));
            if (failures.size() > MAX_FAILURES) {
                var _ = failures.pollFirstEntry();
            }
            return;
        }
        known.last = clock.instant();
        known.first = known.count == 0 ? known.last : known.first;
        known.latest = detail;
        known.count++;
    }

    private void logFirst(Level level, String what, Object detail) {
        if (detail instanceof Throwable cause) {
            log.atLevel(level).setCause(cause).log(what);
        } else {
            log.atLevel(level).log("{}{}", what, suffix(": ", detail));
        }
    }

    /** Logs the counts that are due. To be called now and then. */
    public void logCounts() {
        if (!failures.isEmpty()) {
            long now = nanoTime.getAsLong();
            failures.entrySet()
                    .removeIf(it ->
                            now - it.getValue().silentUntil >= 0
                                    && !logCount(it.getKey(), it.getValue(), now));
        }
    }

    /**
     * What failed is well again: the next failure is a first one.
     *
     * @return whether something had failed
     */
    public boolean over() {
        failures.forEach((what, failure) -> logCount(what, failure, 0));
        boolean failed = !failures.isEmpty();
        failures.clear();
        return failed;
    }

    /** Returns whether there was something to count. */
    private boolean logCount(String what, Failure failure, long now) {
        if (failure.count == 0) {
            return false;
        }
        log.atLevel(failure.level)
                .log(
                        "{}, {} more times from {} to {}{}",
                        what,
                        failure.count,
                        failure.first,
                        failure.last,
                        suffix(", at last: ", failure.latest));
        failure.count = 0;
        failure.silentUntil = now + SILENCE;
        return true;
    }

    private static String suffix(String separator, Object detail) {
        String text = detail.toString();
        return text.isEmpty() ? "" : separator + text;
    }
}
