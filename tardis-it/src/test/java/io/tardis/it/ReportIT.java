package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code tardis report} of many exits, as a browser shows it. */
@RequiresContainers
class ReportIT {

    private static final int MOST_BYTES = 200 << 10;
    private static final int IMAGES = 15;
    private static final int NAMES = 60;
    private static final String HOSTILE = "<script>console.error('x')</script><!--&\"";

    @RegisterExtension
    final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_RECORD", "all")
                    .setting("TARDIS_CTR_CMD", ScriptedSource::command);

    @ContainerTest
    @Timeout(600)
    void aBrowserShowsTheFiguresOfTheDatabase() throws IOException {
        Browser browser = Browser.orSkip(lab.scratch().folder("profile"));
        record(Load.size("reported", 10_000));

        Outcome html = lab.tardis().tardis("report", "-o", "html").orFail();
        JsonNode json = json();
        Browser.Page page = browser.open(write("report.html", html.out()));

        assertThat(html.out().length()).isLessThan(MOST_BYTES);
        assertThat(page.console()).isEmpty();
        assertThat(browser.open(write("bad.html", HOSTILE)).console())
                .as("what an error looks like")
                .hasSize(1);
        for (String key : List.of("exits", "failed", "oom_killed")) {
            assertThat(number(page.document(), key)).isEqualTo(json.path(key).asLong());
        }
        assertSameAsDatabase(json);
        for (String table : List.of("images", "names")) {
            assertThat(rows(page.document(), table))
                    .extracting(row -> row.subList(0, 4))
                    .containsExactlyElementsOf(groups(json.path(table)));
        }
        assertThat(rows(page.document(), "codes"))
                .extracting(row -> row.subList(0, 2))
                .containsExactlyElementsOf(
                        json.path("codes")
                                .valueStream()
                                .map(it -> texts(it, "code", "exits"))
                                .toList());
        assertThat(rows(page.document(), "buckets"))
                .extracting(row -> row.subList(1, 4))
                .containsExactlyElementsOf(
                        json.path("buckets")
                                .valueStream()
                                .map(it -> texts(it, "exits", "failed", "oom_killed"))
                                .toList());
        assertThat(rows(page.document(), "names").getFirst().getFirst()).isEqualTo(HOSTILE);
    }

    /** So many exits within the last 20 hours; the first name has the most failures. */
    private void record(int exits) throws IOException {
        List<Path> bundles = new ArrayList<>();
        for (int i = 0; i < NAMES; i++) {
            bundles.add(bundle(i, i == 0 ? HOSTILE : "name" + i));
        }
        Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        ScriptedSource source = new ScriptedSource();
        for (int i = 0; i < exits; i++) {
            int name = i % NAMES;
            int status = name == 0 ? 137 : i % 7 == 0 ? i % 5 : 0;
            Instant end = now.minus(Duration.ofHours(20).multipliedBy(exits - i).dividedBy(exits));
            source.life("c" + i, bundles.get(name), status, 1000 + i, end);
        }
        source.exit("last", 0, 999).play(lab.tardis());
        ScriptedSource.await(lab.tardis(), lab.container("last"));
    }

    private Path bundle(int number, String name) throws IOException {
        Path bundle = lab.scratch().folder("bundle" + number);
        JsonNode config =
                JsonMapper.shared()
                        .valueToTree(
                                Map.of(
                                        "annotations",
                                        Map.of(
                                                "nerdctl/name",
                                                name,
                                                "io.kubernetes.cri.image-name",
                                                "example.org/image:" + number % IMAGES)));
        Files.writeString(bundle.resolve("config.json"), config.toString());
        return bundle;
    }

    /** Counts what the daemon has on disk, not as the report does. */
    private void assertSameAsDatabase(JsonNode json) {
        Instant from = Instant.parse(json.path("from").asString());
        Map<String, Long> codes = new TreeMap<>();
        Map<String, Long> names = new TreeMap<>();
        lab.tardis()
                .replay(event -> {
                    if (!Instant.parse(event.path("exited_at").asString()).isBefore(from)) {
                        codes.merge(event.path("exit_status").asString(), 1L, Long::sum);
                        String name = event.path("about").path("name").asString("");
                        names.merge(name, 1L, Long::sum);
                    }
                });
        long exits = codes.values().stream().mapToLong(Long::longValue).sum();

        assertThat(exits).isEqualTo(Load.size("reported", 10_000));
        assertThat(json.path("exits").asLong()).isEqualTo(exits);
        assertThat(json.path("failed").asLong()).isEqualTo(exits - codes.getOrDefault("0", 0L));
        assertThat(json.path("codes").valueStream())
                .hasSize(codes.size())
                .allSatisfy(it ->
                        assertThat(codes)
                                .containsEntry(
                                        it.path("code").asString(), it.path("exits").asLong()));
        assertThat(json.path("names").valueStream())
                .hasSize(10)
                .allSatisfy(it ->
                        assertThat(names)
                                .containsEntry(
                                        it.path("name").asString(), it.path("exits").asLong()));
        assertThat(json.path("more_names").asInt()).isEqualTo(NAMES - 10);
        assertThat(
                        json.path("buckets")
                                .valueStream()
                                .mapToLong(it -> it.path("exits").asLong())
                                .sum())
                .isEqualTo(exits);
    }

    private JsonNode json() {
        Outcome outcome = lab.tardis().tardis("report", "-o", "json").orFail();
        return JsonMapper.shared().readTree(utf8(outcome.out()));
    }

    private Path write(String name, String text) throws IOException {
        return Files.writeString(
                lab.scratch().folder("pages").resolve(name), text, StandardCharsets.ISO_8859_1);
    }

    private static String utf8(String bytes) {
        return new String(bytes.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
    }

    private static List<List<String>> groups(JsonNode groups) {
        return groups.valueStream()
                .map(it -> texts(it, "name", "exits", "failed", "oom_killed"))
                .toList();
    }

    private static List<String> texts(JsonNode object, String... keys) {
        return Stream.of(keys).map(it -> object.path(it).asString()).toList();
    }

    private static long number(String document, String id) {
        MatchResult found =
                Pattern.compile("<dd id=\"" + id + "\">(\\d+)</dd>")
                        .matcher(document)
                        .results()
                        .findFirst()
                        .orElseThrow();
        return Long.parseLong(found.group(1));
    }

    /** The cells of a table's body. */
    private static List<List<String>> rows(String document, String id) {
        int begin = document.indexOf(" id=\"" + id + "\"");
        String body =
                document.substring(
                        document.indexOf("<tbody>", begin), document.indexOf("</tbody>", begin));
        return Arrays.stream(body.split("<tr>", -1))
                .skip(1)
                .map(row ->
                        Pattern.compile("<td>(.*?)</td>")
                                .matcher(row)
                                .results()
                                .map(it -> unescape(it.group(1)))
                                .toList())
                .toList();
    }

    private static String unescape(String text) {
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    }
}
