package io.tardis.core.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.DateTimeException;
import java.time.Instant;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class Rfc3339Test {

    /** What Go's {@code time.RFC3339Nano} writes for these. */
    @ParameterizedTest
    @CsvSource({
        "1795405552, 0,         2026-11-23T03:45:52Z",
        "1795405552, 100000000, 2026-11-23T03:45:52.1Z",
        "1795405552, 120000000, 2026-11-23T03:45:52.12Z",
        "1795405552, 783072930, 2026-11-23T03:45:52.78307293Z",
        "1795405552, 123456789, 2026-11-23T03:45:52.123456789Z",
        "1795405552, 1,         2026-11-23T03:45:52.000000001Z",
        "1795405560, 0,         2026-11-23T03:46:00Z",
        "-1,         999999999, 1969-12-31T23:59:59.999999999Z",
        "1709164800, 0,         2024-02-29T00:00:00Z",
        "-62135596800, 0,       0001-01-01T00:00:00Z"
    })
    void formatsAsGoDoes(long seconds, int nanos, String expected) {
        Instant instant = Instant.ofEpochSecond(seconds, nanos);

        assertThat(Rfc3339.format(instant)).isEqualTo(expected);
        assertThat(Rfc3339.parse(expected)).isEqualTo(instant);
    }

    @ParameterizedTest
    @CsvSource({
        "2026-11-23T04:45:52+01:00,        2026-11-23T03:45:52Z",
        "2026-11-22T22:15:52.250-05:30,    2026-11-23T03:45:52.25Z",
        "2026-11-23T03:45:52+00:00,        2026-11-23T03:45:52Z",
        "2026-11-23T03:45:52.100000000Z,   2026-11-23T03:45:52.1Z",
        "2026-11-23t03:45:52z,             2026-11-23T03:45:52Z"
    })
    void parsesAnyOffset(String text, Instant expected) {
        assertThat(Rfc3339.parse(text)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "now",
                "2026-11-23",
                "2026-11-23T03:45:52",
                "2026-11-23 03:45:52Z",
                "2026-11-23T03:45Z",
                "2026-11-23T03:45:52.Z",
                "2026-11-23T03:45:52,5Z",
                "2026-11-23T03:45:52.1234567890Z",
                "2026-11-23T03:45:52+01",
                "2026-11-23T03:45:52+0100",
                "2026-11-23T03:45:52+01:00:30",
                "2026-11-23T03:45:52Z ",
                "2026-11-23T03:45:52Z[UTC]",
                "2026-02-29T00:00:00Z",
                "2026-13-01T00:00:00Z",
                "2026-11-23T24:00:00Z",
                "2026-11-23T03:45:61Z",
                "26-11-23T03:45:52Z",
                "+12026-11-23T03:45:52Z",
                "-0001-11-23T03:45:52Z",
                "٢٠٢٦-11-23T03:45:52Z",
                "0000-01-01T00:00:00+00:01",
                "9999-12-31T23:59:59-00:01"
            })
    void refusesWhatIsNotRfc3339(String text) {
        assertThatThrownBy(() -> Rfc3339.parse(text)).isInstanceOf(DateTimeException.class);
    }

    @Test
    void keepsTimesWithinFourDigitYears() {
        assertThat(Rfc3339.inRange(Rfc3339.MIN)).isEqualTo(Rfc3339.MIN);
        assertThat(Rfc3339.inRange(Rfc3339.MAX)).isEqualTo(Rfc3339.MAX);
        assertThat(Rfc3339.format(Rfc3339.MIN)).isEqualTo("0000-01-01T00:00:00Z");
        assertThat(Rfc3339.format(Rfc3339.MAX)).isEqualTo("9999-12-31T23:59:59.999999999Z");
    }

    @Test
    void refusesTimesThatFourDigitsCannotWrite() {
        assertThatThrownBy(() -> Rfc3339.inRange(Rfc3339.MIN.minusNanos(1)))
                .isInstanceOf(DateTimeException.class);
        assertThatThrownBy(() -> Rfc3339.inRange(Rfc3339.MAX.plusNanos(1)))
                .isInstanceOf(DateTimeException.class);
    }

    @Test
    void parsesBackWhatItFormats() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < 10_000; round++) {
            Instant instant =
                    Instant.ofEpochSecond(
                            random.nextLong(
                                    Rfc3339.MIN.getEpochSecond(), Rfc3339.MAX.getEpochSecond()),
                            random.nextInt(1_000_000_000));

            assertThat(Rfc3339.parse(Rfc3339.format(instant)))
                    .as("seed %d, round %d", seed, round)
                    .isEqualTo(instant);
        }
    }
}
