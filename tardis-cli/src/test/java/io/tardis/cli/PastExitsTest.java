package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ExitEvent;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PastExitsTest {

    private static final Lives.Builder WEB = Lives.named("moby", "web", "web");

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @Test
    void findsATimeWithFewRequests() {
        List<ExitEvent> log = log(LongStream.range(0, 30_000));
        try (FakeDaemon daemon = daemon(log)) {
            assertThat(before(0)).isEqualTo(999_999);
            assertThat(before(1)).isEqualTo(1_000_000);
            assertThat(before(25_000)).isEqualTo(1_024_999);
            assertThat(before(29_999)).isEqualTo(1_029_998);
            assertThat(before(40_000)).isEqualTo(1_029_999);
            assertThat(daemon.queries()).hasSizeLessThan(40);
        }
    }

    /** As in the minutes after a boot without a clock, and before it is set. */
    @Test
    void passesExitsOfATimeWhenTheClockWasWrong() {
        List<ExitEvent> log =
                LongStream.range(0, 40_000)
                        .mapToObj(it ->
                                WEB.at(it < 21_000 || it >= 30_000 ? it + 1_000_000_000 : it)
                                        .exit(1_000_000 + it, 0))
                        .toList();
        try (FakeDaemon _ = daemon(log)) {
            assertThat(before(1_000_020_500)).isEqualTo(1_020_499);
            assertThat(before(1_000_031_000)).isEqualTo(1_030_999);
        }
    }

    /** As after the machine went down. */
    @Test
    void passesMissingNumbers() {
        List<ExitEvent> log =
                log(LongStream.concat(LongStream.range(0, 10), LongStream.range(900_000, 900_010)));
        try (FakeDaemon _ = daemon(log)) {
            assertThat(before(900_000 - 100)).isEqualTo(1_899_999L);
            assertThat(before(5)).isEqualTo(1_000_004L);
            assertThat(before(950_000)).isEqualTo(1_900_009L);
        }
    }

    @Test
    void beginsAtTheBeginningOfALogThatIsEmpty() {
        try (FakeDaemon _ = daemon(List.of())) {
            assertThat(before(5)).isZero();
        }
    }

    private static List<ExitEvent> log(LongStream seconds) {
        return seconds.mapToObj(it -> WEB.at(it).exit(1_000_000 + it, 0)).toList();
    }

    private FakeDaemon daemon(List<ExitEvent> log) {
        return new FakeDaemon(tardis.environment().settings(), Lives.daemon(log));
    }

    private long before(long second) {
        try (DaemonQueries queries = DaemonQueries.open(tardis.environment().settings())) {
            return PastExits.before(WEB.at(second).exit(1, 0).exit().exitedAt(), queries.client());
        }
    }
}
