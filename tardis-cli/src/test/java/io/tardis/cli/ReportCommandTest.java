package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Query;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ReportCommandTest {

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @Test
    void reportsTheLastDay() {
        String out =
                report(List.of(death(Duration.ofHours(25), 1), death(Duration.ofHours(23), 2)));

        assertThat(out)
                .contains("       1 exits\n", "       1 failed\n")
                .doesNotContain("log begins");
    }

    @Test
    void reportsTheTimeAndTheNamespaceThatAreAskedFor() {
        List<ExitEvent> log =
                List.of(
                        death(Duration.ofDays(3), 1),
                        death(Duration.ofHours(2), 2),
                        at(Duration.ofMinutes(1)).in("other").event(3));

        assertThat(report(log, "--since", "7d", "-o", "json"))
                .contains("\"exits\":3,\"failed\":3,")
                .contains("\"oldest_exit_at\":");
        assertThat(report(log, "--since", "1h", "-o", "json"))
                .contains("\"exits\":1,\"failed\":1,");
        assertThat(report(log, "-n", "moby", "-o", "json")).contains("\"exits\":1,\"failed\":1,");
        assertThat(report(log, "--since", "999999999d")).contains("       3 exits\n");
    }

    @Test
    void readsAllPagesButNotWhatIsOld() {
        List<ExitEvent> log = new ArrayList<>();
        for (int i = 1; i <= 20_000; i++) {
            log.add(death(Duration.ofDays(i <= 17_500 ? 9 : 0).plusMinutes(5), i));
        }
        try (FakeDaemon daemon =
                new FakeDaemon(tardis.environment().settings(), Lives.daemon(log))) {
            assertThat(tardis.run("report").out()).contains("    2500 exits\n");
            assertThat(daemon.queries())
                    .hasSizeLessThan(15)
                    .allMatch(it -> it instanceof Query.Replay);
        }
    }

    @Test
    void printsOneFileOfHtml() {
        assertThat(report(List.of(death(Duration.ofHours(1), 1)), "-o", "html"))
                .startsWith("<!DOCTYPE html>")
                .contains("<dd id=\"exits\">1</dd>")
                .endsWith("</html>\n");
    }

    @Test
    void reportsAnEmptyLog() {
        assertThat(report(List.of())).contains("       0 exits\n");
    }

    @ParameterizedTest
    @CsvSource({"40, 40", "120, 120", "'', 80", "0, 80", "many, 80", "99999, 80"})
    void fillsTheTerminal(String columns, int width) {
        tardis.set("COLUMNS", columns);

        assertThat(report(List.of(death(Duration.ofHours(1), 1))).lines())
                .anyMatch(it -> it.length() == width && it.endsWith("█"))
                .noneMatch(it -> it.length() > width);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-o pdf", "--since soon", "-n a/b"})
    void refusesABadCommandLine(String arguments) {
        Tardis.Result result = tardis.run(("report " + arguments).split(" ", -1));

        assertThat(result.status()).isEqualTo(2);
        assertThat(result.out()).isEmpty();
    }

    @Test
    void endsWith3WithoutDaemon() {
        assertThat(tardis.run("report").status()).isEqualTo(3);
    }

    private static Deaths at(Duration ago) {
        return Deaths.of("nginx", "web").code(3).before(Instant.now(), ago);
    }

    private static ExitEvent death(Duration ago, long seq) {
        return at(ago).event(seq);
    }

    private String report(List<ExitEvent> log, String... arguments) {
        List<String> command = new ArrayList<>(List.of("report"));
        command.addAll(List.of(arguments));
        try (FakeDaemon _ = new FakeDaemon(tardis.environment().settings(), Lives.daemon(log))) {
            Tardis.Result result = tardis.run(command.toArray(String[]::new));
            assertThat(result.err()).isEmpty();
            assertThat(result.status()).isZero();
            return result.out();
        }
    }
}
