package io.tardis.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The figures as text, HTML and JSON. */
class ReportFormsTest {

    private static final int MOST_BYTES = 200 << 10;
    private static final String LONG =
            "registry.example.org/a/very/long/path/of/an/image/nginx:1.29";
    private static final String HOSTILE =
            "</td><script>alert('x')</script>\"&<!--\u001b[2J\u202egnp.exe\u0000\n\ud800";

    @Test
    void printsText() {
        assertThat(ReportText.of(small(), 80, false).replaceAll("█+", "█").replaceAll("░+", "░"))
                .isEqualTo(
                        """
                        2025-04-04 12:30 to 2025-04-05 12:30
                        times in UTC
                        oldest recorded exit at 2025-04-05 01:02

                               3 exits
                               2 failed
                               1 out of memory

                        Codes
                                 0        1  ░
                                 3        1  █
                               137        1  █

                        By image
                                   EXITS  FAILED  OOM  CODE  MEDIAN  PEAK
                          nginx:1      2       1    1   137   10.0s   98%
                          mysql:8      1       1    0     3   10.0s     -

                        By pod or name
                               EXITS  FAILED  OOM  CODE  MEDIAN  PEAK
                          web      2       1    1   137   10.0s   98%
                          db       1       1    0     3   10.0s     -

                        Ended most often
                               EXITS  LAST CODE          LAST END  MEDIAN
                          web      2        137  2025-04-05 12:25   10.0s

                        Killed for memory, or near the limit
                               OOM  NEAR LIMIT            MEMORY          LAST END
                          web    1           1  63.0 of 64.0 MiB  2025-04-05 12:25

                        Over time, 1h a line
                          █ failed  ░ code 0
                          BEGIN          EXITS  FAILED  CODE
                          04-05 10:00        2       1     3  █░
                          04-05 11:00        0       0     -
                          04-05 12:00        1       1   137  █
                        """);
    }

    @ParameterizedTest
    @CsvSource({"80, false", "80, true", "40, false", "40, true", "10, true", "200, false"})
    void printsNoLineThatIsLongerThanTheTerminalIsWide(int width, boolean ascii) {
        String text = ReportText.of(many(), width, ascii);

        assertThat(text.lines())
                .allSatisfy(it -> assertThat(it).hasSizeLessThanOrEqualTo(Math.max(width, 40)));
        assertThat(text.codePoints().allMatch(it -> it < 128)).isEqualTo(ascii);
        assertThat(text).contains("10000 exits").contains("and ");
    }

    @Test
    void isSmallForManyExits() {
        assertThat(ReportHtml.of(many()).getBytes(UTF_8)).hasSizeLessThan(MOST_BYTES);
        assertThat(ReportJson.of(many()).getBytes(UTF_8)).hasSizeLessThan(MOST_BYTES);
    }

    @Test
    void escapesNamesInHtml() {
        String html = ReportHtml.of(of(Deaths.of(HOSTILE, HOSTILE)));

        assertThat(html)
                .doesNotContain("<script", "<!--", "\u001b", "\u202e", "\u0000", "alert('")
                .contains(
                        "<td>&lt;/td&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;&lt;!--?[2J?gnp.exe???</td>");
    }

    @Test
    void isOneWellFormedHtmlFile() {
        String html = ReportHtml.of(many());

        assertThat(html)
                .startsWith("<!DOCTYPE html>\n<html lang=\"en\">\n")
                .contains(
                        "<title>Tardis report</title>", "name=\"viewport\"", "prefers-color-scheme")
                .doesNotContain("http://", "https://", "<script", "src=\"");
        for (String tag :
                new String[] {"table", "tr", "td", "th", "svg", "g", "div", "p", "dl", "details"}) {
            assertThat(count(html, "<" + tag + "[ >]"))
                    .as(tag)
                    .isEqualTo(count(html, "</" + tag + ">"));
        }
    }

    @Test
    void printsJson() {
        assertThat(ReportJson.of(small()))
                .startsWith(
                        """
                        {"from":"2025-04-04T12:30:00Z","to":"2025-04-05T12:30:00Z",\
                        "oldest_exit_at":"2025-04-05T01:02:03Z","exits":3,"failed":2,"oom_killed":1,\
                        "codes":[{"code":0,"exits":1},{"code":3,"exits":1},{"code":137,"exits":1}],"more_codes":0,\
                        "images":[{"name":"nginx:1","exits":2,"failed":1,"oom_killed":1,\
                        "codes":[{"code":0,"exits":1},{"code":137,"exits":1}],"more_codes":0,"near_limit":1,\
                        "median_ms":10000,"memory_peak":66060288,"memory_limit":67108864,\
                        "last":"2025-04-05T12:25:00Z","last_code":137},{"name":"mysql:8",\
                        """)
                .contains("\"more_images\":0,\"names\":[", "\"restarts\":[", "\"memory\":[")
                .endsWith(
                        """
                        "step_s":3600,"buckets":[\
                        {"begin":"2025-04-05T10:00:00Z","exits":2,"failed":1,"oom_killed":0,\
                        "codes":[{"code":0,"exits":1},{"code":3,"exits":1}],"more_codes":0},\
                        {"begin":"2025-04-05T11:00:00Z","exits":0,"failed":0,"oom_killed":0,"codes":[],"more_codes":0},\
                        {"begin":"2025-04-05T12:00:00Z","exits":1,"failed":1,"oom_killed":1,\
                        "codes":[{"code":137,"exits":1}],"more_codes":0}]}\
                        """);
    }

    @Test
    void escapesNamesInJson() {
        assertThat(ReportJson.of(of(Deaths.of("a\"b\\c\n\u202e</script>", "n"))))
                .contains("\"name\":\"a\\\"b\\\\c??</script>\"");
    }

    @Test
    void saysSoWhereNothingEnded() {
        Report empty = new ReportBuilder(Deaths.YESTERDAY, Deaths.NOW).build(Optional.empty());

        assertThat(ReportText.of(empty, 80, false))
                .contains("       0 exits\n")
                .endsWith(" out of memory\n");
        assertThat(ReportHtml.of(empty)).contains("<dd id=\"exits\">0</dd>").endsWith("</html>\n");
        assertThat(ReportJson.of(empty)).contains("\"exits\":0,").endsWith("\"buckets\":[]}");
    }

    private static Report small() {
        ReportBuilder builder = new ReportBuilder(Deaths.YESTERDAY, Deaths.NOW);
        builder.add(Deaths.of("nginx:1", "web").event(1));
        builder.add(
                Deaths.of("nginx:1", "web")
                        .outOfMemory()
                        .memory(63, 64)
                        .ago(Duration.ofMinutes(5))
                        .event(2));
        builder.add(Deaths.of("mysql:8", "db").code(3).event(3));
        return builder.build(Optional.of(Instant.parse("2025-04-05T01:02:03Z")));
    }

    private static Report of(Deaths... deaths) {
        ReportBuilder builder = new ReportBuilder(Deaths.YESTERDAY, Deaths.NOW);
        for (Deaths death : deaths) {
            builder.add(death.event(1));
        }
        return builder.build(Optional.empty());
    }

    /** 10,000 exits of 3,000 images and 5,000 names, with names as long as they can be. */
    private static Report many() {
        ReportBuilder builder = new ReportBuilder(Instant.EPOCH, Deaths.NOW);
        for (int i = 0; i < 10_000; i++) {
            Deaths death =
                    Deaths.of(LONG.repeat(4) + i % 3_000, "'".repeat(250) + i % 5_000)
                            .code(i % 256)
                            .memory(i % 64 + 1, 64)
                            .ago(Duration.ofMinutes(i / 4));
            builder.add((i % 7 == 0 ? death.outOfMemory() : death).event(i));
        }
        return builder.build(Optional.empty());
    }

    private static long count(String text, String pattern) {
        return Pattern.compile(pattern).matcher(text).results().count();
    }
}
