package io.tardis.store;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * The clock by which records grow old. It follows the wall clock back at once, and ahead by no more
 * than a day for each hour that really passes; a time in which no record is old enough to feel it
 * is skipped. So a wall clock that jumps ahead by years, and is set right again within an hour,
 * costs at most the records of a day, and one that is right makes everything due in the end.
 *
 * <p>For one thread.
 */
final class RetentionClock {

    private static final int MOST_TIMES_FASTER = 24;

    private Instant time;
    private long lastLook;

    /**
     * A clock that goes on where it was.
     *
     * @param time what it showed last
     * @param nanoTime now, by the monotonic clock
     */
    RetentionClock(Instant time, long nanoTime) {
        this.time = time;
        this.lastLook = nanoTime;
    }

    /**
     * What it shows now.
     *
     * @param wall now, by the wall clock
     * @param oldest when the oldest record was written; empty if there is none
     * @param nanoTime now, by the monotonic clock
     */
    Instant advance(Instant wall, Optional<Instant> oldest, long nanoTime) {
        Duration passed = Duration.ofNanos(nanoTime - lastLook);
        lastLook = nanoTime;
        Instant limit = time.plus(passed.multipliedBy(MOST_TIMES_FASTER));
        Instant skipTo = oldest.orElse(wall);
        Instant atMost = skipTo.isAfter(limit) ? skipTo : limit;
        time = wall.isBefore(atMost) ? wall : atMost;
        return time;
    }
}
