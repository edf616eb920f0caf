package io.tardis.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.HandClock;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

class RepeatedTest {

    private static final Logger LOG = LoggerFactory.getLogger(RepeatedTest.class);
    private static final long MINUTE = Duration.ofMinutes(1).toNanos();

    private final HandClock clock = new HandClock();
    private final Repeated repeated = new Repeated(LOG, "it failed", clock);

    /** The monotonic clock may begin anywhere, and wrap. */
    private long now = Long.MAX_VALUE - MINUTE / 2;

    @Test
    void tellsAtFirstSightAndThenHowOften() {
        try (CapturedLog told = new CapturedLog(RepeatedTest.class)) {
            for (int i = 0; i < 100; i++) {
                repeated.happened(new IllegalStateException("no disk"), now);
                clock.move(Duration.ofMillis(100));
            }
            assertThat(told.at(Level.ERROR)).containsExactly("it failed");

            now += MINUTE;
            repeated.tellIfDue(now);

            assertThat(told.at(Level.ERROR))
                    .hasSize(2)
                    .last()
                    .asString()
                    .contains("99 more times", "06:51:23.518Z", "06:51:33.318Z", "no disk");
        }
    }

    @Test
    void tellsOnceAMinuteAtTheMostAndAtFirstSightAgainAfterAQuietMinute() {
        try (CapturedLog told = new CapturedLog(RepeatedTest.class)) {
            for (int second = 0; second < 180; second++) {
                repeated.happened(new IllegalStateException("no disk"), now);
                now += MINUTE / 60;
            }
            assertThat(told.at(Level.ERROR)).hasSize(3);

            for (int minute = 0; minute < 5; minute++) {
                now += MINUTE;
                repeated.tellIfDue(now);
            }
            assertThat(told.at(Level.ERROR)).hasSize(4);

            repeated.happened(new IllegalStateException("no disk"), now);
            assertThat(told.at(Level.ERROR)).hasSize(5).last().isEqualTo("it failed");
        }
    }
}
