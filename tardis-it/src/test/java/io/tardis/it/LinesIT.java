package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** An event source that prints what {@code ctr} never should: the lines are scripted. */
@RequiresContainers
class LinesIT {

    private static final Duration SOON = Duration.ofSeconds(60);
    private static final int LONG = 16 << 20;

    @RegisterExtension
    final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_RECORD", "all")
                    .setting("TARDIS_CTR_CMD", LinesIT::source);

    private final List<String> script = new ArrayList<>();

    @ContainerTest
    @Timeout(600)
    void goodLinesAreFoundAmongBadOnes() throws IOException {
        int good = 1000;
        int badBetween = Load.size("lines", 200_000) / good;
        for (int i = 0; i < good; i++) {
            exit("good" + i, i % 256, 1000 + i);
            script.add("{\"bad\":" + badBetween + "}");
            if (i % 250 == 0) {
                script.add("{\"long\":" + LONG + "}");
            }
        }
        exit("last", 7, 999);
        play();

        List<JsonNode> published = awaitPublished("last");

        assertThat(published)
                .extracting(event -> event.path("container_id").asString())
                .containsExactlyElementsOf(
                        IntStream.rangeClosed(0, good)
                                .mapToObj(i -> i < good ? "good" + i : "last")
                                .toList());
        assertThat(published.subList(0, good))
                .extracting(event -> event.path("exit_status").asInt())
                .containsExactlyElementsOf(
                        IntStream.range(0, good).mapToObj(i -> i % 256).toList());
        assertThat(lab.tardis().log().lines().filter(line -> line.contains("cannot be read")))
                .as("told, but not once a line")
                .hasSizeBetween(1, 60);
        assertThat(lab.tardis().sources()).isEmpty(); // not ctr
    }

    @ContainerTest
    void tellsEachExitOnceHoweverOftenAndLateItIsTold() throws IOException {
        exit("twice", 3, 11);
        exit("twice", 3, 11);
        exit("other", 0, 12);
        exit("twice", 0, 11);
        // A second life of the same container, then the first one's exit once more, late.
        exit("other", 5, 13);
        exit("other", 0, 12);
        exit("last", 0, 99);
        play();

        List<JsonNode> published = awaitPublished("last");

        assertThat(published)
                .extracting(event ->
                        event.path("container_id").asString()
                                + " "
                                + event.path("pid").asInt()
                                + " "
                                + event.path("exit_status").asInt())
                .containsExactly("twice 11 3", "other 12 0", "other 13 5", "last 99 0");
        assertThat(lab.tardis().code(lab.container("twice"))).isEqualTo("3");
        assertThat(lab.tardis().code(lab.container("other"))).isEqualTo("5");
    }

    private void exit(String id, int status, int pid) {
        script.add("{\"exit\":\"%s\",\"status\":%d,\"pid\":%d}".formatted(id, status, pid));
    }

    private void play() throws IOException {
        Files.write(scriptFile(lab.tardis()), script);
        Outcome _ = lab.tardis().tardis("daemon", "--background").orFail();
    }

    private List<JsonNode> awaitPublished(String last) {
        Wait.until(
                () -> "exit of " + last + "; log:\n" + lab.tardis().log(),
                SOON,
                () -> lab.tardis().status(lab.container(last)).equals("exited"));
        List<JsonNode> all = new ArrayList<>();
        long after = 0;
        while (true) {
            JsonNode page =
                    lab.tardis().ask("{\"op\":\"replay\",\"after\":" + after + ",\"limit\":10000}");
            if (page.path("events").isEmpty()) {
                return all;
            }
            for (JsonNode event : page.path("events")) {
                all.add(event);
                after = event.path("seq").asLong();
            }
        }
    }

    private static String source(TardisNode node) {
        return Machine.PYTHON + " " + TardisNode.script("source.py") + " " + scriptFile(node);
    }

    private static Path scriptFile(TardisNode node) {
        return Path.of(node.setting("TARDIS_CONFIG")).resolveSibling("script");
    }
}
