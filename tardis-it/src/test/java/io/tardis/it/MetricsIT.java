package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What the installed daemon counts of real containers. */
@RequiresContainers
class MetricsIT {

    @RegisterExtension
    final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_METRICS_ENDPOINT", _ -> "127.0.0.1:" + TardisNode.freePort());

    @ContainerTest
    void aScrapeCountsTheEndsOfContainersAsTheStatusDoes() throws IOException {
        Container good = lab.container("good").enabled();
        Container bad = lab.container("bad").enabled();
        Container killed = lab.container("killed").enabled();
        assertThat(good.run("/bin/true").code()).isEqualTo(0);
        assertThat(bad.sh("exit 7").code()).isEqualTo(7);
        killed.start("/bin/sleep", "3600");
        killed.end("SIGKILL");
        assertThat(killed.remove()).isEqualTo(137);
        Wait.until("three commits", SOON, () -> written(figures()) == 3);

        JsonNode figures = figures();
        String scraped = scrape();

        assertThat(count(figures, "zero")).isEqualTo(1);
        assertThat(count(figures, "error")).isEqualTo(1);
        assertThat(count(figures, "signal")).isEqualTo(1);
        assertThat(figures.path("lost").asInt(-1)).isZero();
        for (JsonNode each : figures.path("exits")) {
            assertThat(scraped)
                    .contains(
                            "\ntardis_exits_total{code=\"%s\",namespace=\"default\",oom=\"false\",source=\"%s\"} %d.0\n"
                                    .formatted(
                                            each.path("code").asString(),
                                            each.path("source").asString(),
                                            each.path("count").asInt()));
        }
        assertThat(scraped)
                .contains("\ntardis_event_to_disk_seconds_count 3\n")
                .doesNotContain("killed");
        // On an idle machine they are a millisecond; where the kernel reports none, there are none.
        JsonNode witnessed = figures.path("witness_to_publish");
        assertThat(witnessed.path("sum_seconds").asDouble(-1))
                .isBetween(0.0, 1.0 * SOON.toSeconds());
    }

    private static int count(JsonNode figures, String code) {
        int count = 0;
        for (JsonNode each : figures.path("exits")) {
            count += each.path("code").asString().equals(code) ? each.path("count").asInt() : 0;
        }
        return count;
    }

    private static int written(JsonNode figures) {
        return figures.path("event_to_disk").path("count").asInt(-1);
    }

    private JsonNode figures() {
        String status = lab.tardis().tardis("status", "-o", "json").orFail().out();
        return JsonMapper.shared().readTree(status).path("figures");
    }

    private String scrape() throws IOException {
        String url = "http://" + lab.tardis().setting("TARDIS_METRICS_ENDPOINT") + "/metrics";
        try (InputStream in = URI.create(url).toURL().openStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
