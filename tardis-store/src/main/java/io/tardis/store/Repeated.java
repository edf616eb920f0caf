package io.tardis.store;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.event.Level;

/**
 * Tells of a failure that anybody can bring about again and again: at first sight with all that is
 * known, then once in a while how often it came since, and when first and last. For one thread.
 */
final class Repeated {

    private static final Duration SILENCE = Duration.ofMinutes(1);

    private final Logger log;
    private final Level level;
    private final String what;
    private final InstantSource clock;
    private long silentUntil;
    private boolean silent;
    private long count;
    private Instant first = Instant.EPOCH;
    private Instant last = Instant.EPOCH;
    private @Nullable RuntimeException latest;

    /**
     * Nothing happened yet.
     *
     * @param log where it is told, at ERROR
     * @param what what failed, as a sentence: "a question cannot be answered"
     * @param clock the wall clock
     */
    Repeated(Logger log, String what, InstantSource clock) {
        this(log, Level.ERROR, what, clock);
    }

    /** As the other one, with the level at which it is told. */
    Repeated(Logger log, Level level, String what, InstantSource clock) {
        this.log = log;
        this.level = level;
        this.what = what;
        this.clock = clock;
    }

    /**
     * It happened.
     *
     * @param nanoTime now, by the monotonic clock
     */
    void happened(RuntimeException failure, long nanoTime) {
        tellIfDue(nanoTime);
        if (!silent) {
            log.atLevel(level).setCause(failure).log(what);
            silent = true;
            silentUntil = nanoTime + SILENCE.toNanos();
            return;
        }
        last = clock.instant();
        first = count == 0 ? last : first;
        latest = failure;
        count++;
    }

    /**
     * To be called now and then, so that the last ones are told, too.
     *
     * @param nanoTime now, by the monotonic clock
     */
    void tellIfDue(long nanoTime) {
        if (!silent || nanoTime - silentUntil < 0) {
            return;
        }
        silent = count > 0;
        silentUntil = nanoTime + SILENCE.toNanos();
        if (count > 0) {
            log.atLevel(level)
                    .log(
                            "{}, {} more times from {} to {}, at last: {}",
                            what,
                            count,
                            first,
                            last,
                            String.valueOf(latest));
            count = 0;
        }
    }
}
