package io.tardis.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.HandClock;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.slf4j.event.Level;

class FailureLogTest {

    private static final long MINUTE = Duration.ofMinutes(1).toNanos();

    private final HandClock clock = new HandClock();
    private final CapturedLog logged = new CapturedLog(FailureLogTest.class);

    /** The monotonic clock may begin anywhere, and wrap. */
    private long now = Long.MAX_VALUE - MINUTE / 2;

    private final FailureLog failures = new FailureLog(FailureLogTest.class, clock, () -> now);

    @AfterEach
    void close() {
        logged.close();
    }

    @Test
    void logsAtFirstSightAndThenHowOften() {
        for (int i = 0; i < 100; i++) {
            failures.error("it failed", new IllegalStateException("no disk"));
            clock.move(Duration.ofMillis(100));
        }
        assertThat(logged.at(Level.ERROR)).containsExactly("it failed");

        now += MINUTE;
        failures.logCounts();

        assertThat(logged.at(Level.ERROR))
                .hasSize(2)
                .last()
                .asString()
                .contains("99 more times", "06:51:23.518Z", "06:51:33.318Z", "no disk");
    }

    @Test
    void logsOnceAMinuteAtTheMostAndAtFirstSightAgainAfterAQuietMinute() {
        for (int second = 0; second < 180; second++) {
            failures.error("it failed", new IllegalStateException("no disk"));
            now += MINUTE / 60;
        }
        assertThat(logged.at(Level.ERROR)).hasSize(3);

        for (int minute = 0; minute < 5; minute++) {
            now += MINUTE;
            failures.logCounts();
        }
        assertThat(logged.at(Level.ERROR)).hasSize(4);

        failures.error("it failed", new IllegalStateException("no disk"));
        assertThat(logged.at(Level.ERROR)).hasSize(5).last().isEqualTo("it failed");
    }

    @Test
    void logsEachFailureForItself() {
        failures.warn("one failed", "{} is a text");
        failures.warn("another {} failed", "");
        failures.warn("one failed", "again");

        assertThat(logged.at(Level.WARN))
                .containsExactly("one failed: {} is a text", "another {} failed");
    }

    @Test
    void logsTheRestAndTheNextOneWhenAFailureIsOver() {
        assertThat(failures.over()).isFalse();
        failures.warn("it failed", "first");
        failures.warn("it failed", "second");

        assertThat(failures.over()).isTrue();

        assertThat(logged.at(Level.WARN))
                .hasSize(2)
                .last()
                .asString()
                .contains("1 more times", "at last: second");
        assertThat(failures.over()).isFalse();
        failures.warn("it failed", "third");
        assertThat(logged.at(Level.WARN)).hasSize(3).last().isEqualTo("it failed: third");
    }

    @Test
    void forgetsTheOldestOfManyFailures() {
        for (int i = 0; i < 1_000; i++) {
            failures.warn("failure " + i, "");
        }
        failures.warn("failure 999", "");
        failures.warn("failure 0", "");

        assertThat(logged.at(Level.WARN)).hasSize(1_001).last().isEqualTo("failure 0");
    }
}
