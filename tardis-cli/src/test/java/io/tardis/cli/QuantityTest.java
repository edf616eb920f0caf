package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class QuantityTest {

    @ParameterizedTest
    @CsvSource({
        "PT0S, 0ms",
        "PT0.999S, 999ms",
        "PT47.183S, 47.1s",
        "PT59.999S, 59.9s",
        "PT3M2S, 3m02s",
        "PT5H3M59S, 5h03m",
        "P12DT4H, 12d04h"
    })
    void writesALengthOfTime(Duration duration, String text) {
        assertThat(Quantity.duration(duration)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({
        "-PT5S, 0s ago",
        "PT59.9S, 59s ago",
        "PT3M59S, 3m ago",
        "PT23H, 23h ago",
        "P9DT5H, 9d ago"
    })
    void writesHowLongAgoATimeIs(Duration ago, String text) {
        assertThat(Quantity.age(Instant.EPOCH.minus(ago), Instant.EPOCH)).isEqualTo(text);
    }

    @Test
    void writesASizeInTheUnitThatFits() {
        assertThat(Quantity.bytes(1023)).isEqualTo("1023 bytes");
        assertThat(Quantity.bytes(1024)).isEqualTo("1.0 KiB");
        assertThat(Quantity.bytes(Lives.MIB * 5 / 2)).isEqualTo("2.5 MiB");
        assertThat(Quantity.bytes(Lives.MIB * 1536)).isEqualTo("1.5 GiB");
        assertThat(Quantity.bytes(Lives.MIB, Lives.MIB * 512)).isEqualTo("1.0 of 512.0 MiB");
    }

    @Test
    void writesMicroseconds() {
        assertThat(Quantity.micros(1_830_211)).isEqualTo("1.8s");
    }
}
