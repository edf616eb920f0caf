package io.tardis.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RetentionClockTest {

    private static final Instant T0 = Instant.parse("2026-11-23T06:51:23Z");
    private static final Optional<Instant> OLDEST = Optional.of(T0.minus(Duration.ofDays(3)));
    private static final Duration YEARS = Duration.ofDays(70 * 365);

    private long nanos = Long.MAX_VALUE - 1_000; // nanoTime may wrap
    private final RetentionClock clock = new RetentionClock(T0, nanos);

    @Test
    void showsTheWallClockThatIsRight() {
        for (int minute = 1; minute <= 100; minute++) {
            Instant wall = T0.plus(Duration.ofMinutes(minute));
            assertThat(after(Duration.ofMinutes(1), wall, OLDEST)).isEqualTo(wall);
        }
    }

    @Test
    void goesADayAheadInAnHourWhenTheWallClockJumps() {
        Instant wall = T0.plus(YEARS);

        assertThat(after(Duration.ZERO, wall, OLDEST)).isEqualTo(T0);
        assertThat(after(Duration.ofHours(1), wall, OLDEST)).isEqualTo(T0.plus(Duration.ofDays(1)));
        assertThat(after(Duration.ofHours(1), wall, OLDEST)).isEqualTo(T0.plus(Duration.ofDays(2)));
        Instant right = T0.plus(Duration.ofHours(2));
        assertThat(after(Duration.ZERO, right, OLDEST)).as("set right").isEqualTo(right);
    }

    @Test
    void followsTheWallClockBackAndStaysThere() {
        Instant wall = T0.minus(YEARS);

        assertThat(after(Duration.ofMinutes(1), wall, OLDEST)).isEqualTo(wall);
        assertThat(after(Duration.ofMinutes(1), wall.plusSeconds(60), OLDEST))
                .isEqualTo(wall.plusSeconds(60));
    }

    /** A machine without a clock of its own begins in 1970, until it has asked for the time. */
    @Test
    void skipsTheTimeThatNoRecordIsOldEnoughToFeel() {
        Instant wall = T0.plus(YEARS);
        Instant oldest = wall.minusSeconds(5);

        assertThat(after(Duration.ofSeconds(5), wall, Optional.of(oldest))).isEqualTo(oldest);
        assertThat(after(Duration.ofSeconds(5), wall, Optional.of(oldest))).isEqualTo(wall);
    }

    @Test
    void showsTheWallClockWhereNothingIsRecorded() {
        assertThat(after(Duration.ZERO, T0.plus(YEARS), Optional.empty()))
                .isEqualTo(T0.plus(YEARS));
    }

    private Instant after(Duration passed, Instant wall, Optional<Instant> oldest) {
        nanos += passed.toNanos();
        return clock.advance(wall, oldest, nanos);
    }
}
