package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** An event source that prints what {@code ctr} never should: the lines are scripted. */
@RequiresContainers
class LinesIT {

    private static final int LONG = 16 << 20;

    @RegisterExtension
    final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_RECORD", "all")
                    .setting("TARDIS_CTR_CMD", ScriptedSource::command);

    private final ScriptedSource source = new ScriptedSource();

    @ContainerTest
    @Timeout(600)
    void goodLinesAreFoundAmongMalformedOnes() throws IOException {
        int good = 1000;
        int between = Load.size("lines", 100_000) / good;
        goodLinesAreFound(good, _ -> source.malformed(between));
    }

    @ContainerTest
    void goodLinesAreFoundAmongLinesOf16MiB() throws IOException {
        goodLinesAreFound(5, _ -> source.longLine(LONG));
    }

    @ContainerTest
    void goodLinesAreFoundAmongLinesThatAreNotUtf8() throws IOException {
        goodLinesAreFound(100, _ -> source.notUtf8(100));
    }

    private void goodLinesAreFound(int good, IntConsumer addBadOnes) throws IOException {
        for (int i = 0; i < good; i++) {
            source.exit("good" + i, i % 256, 1000 + i);
            addBadOnes.accept(i);
        }
        List<JsonNode> published = published();

        assertThat(published)
                .extracting(LinesIT::idAndStatus)
                .containsExactlyElementsOf(
                        IntStream.rangeClosed(0, good)
                                .mapToObj(i -> i < good ? "good" + i + " " + i % 256 : "last 7")
                                .toList());
        assertThat(lab.tardis().log().lines().filter(line -> line.contains("cannot be read")))
                .as("logged, but not once a line")
                .hasSizeBetween(1, 60);
    }

    private static String idAndStatus(JsonNode event) {
        return event.path("container_id").asString() + " " + event.path("exit_status").asInt();
    }

    @ContainerTest
    void publishesEachExitOnceHoweverOftenAndLateItIsReported() throws IOException {
        source.exit("twice", 3, 11)
                .exit("twice", 3, 11)
                .exit("other", 0, 12)
                .exit("twice", 0, 11)
                // A second life of the same container, then the first one's exit once more, late.
                .exit("other", 5, 13)
                .exit("other", 0, 12);

        assertThat(published())
                .extracting(event -> idAndStatus(event) + " " + event.path("pid").asInt())
                .containsExactly("twice 3 11", "other 0 12", "other 5 13", "last 7 999");
        assertThat(lab.tardis().code(lab.container("twice"))).isEqualTo("3");
        assertThat(lab.tardis().code(lab.container("other"))).isEqualTo("5");
    }

    @ContainerTest
    void publishesAGapForALineThatCannotBeRead() throws IOException {
        Path subscribed = lab.scratch().folder("signals").resolve("subscribed");
        source.exit("before", 3, 11).await(subscribed).malformed(1).play(lab.tardis());

        try (LiveProcess subscriber = lab.tardis().subscribeAndAwait("/tardis/gap/")) {
            ScriptedSource.await(lab.tardis(), lab.container("before"));
            long last = lab.tardis().lastSeq();
            Files.writeString(subscribed, "");

            JsonNode gap = TardisNode.awaitGap(subscriber, "a line cannot be read: ");
            assertThat(gap.path("v").asInt()).isEqualTo(1);
            assertThat(gap.path("last_seq").asLong()).isEqualTo(last);
            assertThat(Instant.parse(gap.path("from").asString()))
                    .isBeforeOrEqualTo(Instant.parse(gap.path("to").asString()));
        }
    }

    /** All that the daemon made of the script, and of one more line after it. */
    private List<JsonNode> published() throws IOException {
        source.exit("last", 7, 999).play(lab.tardis());
        ScriptedSource.await(lab.tardis(), lab.container("last"));
        return lab.tardis().replayAll();
    }
}
