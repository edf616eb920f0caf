package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Query;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ListCommandTest {

    private static final ContainerKey WEB = new ContainerKey("k8s.io", "a-longer-name");
    private static final String POD_ID = "beef".repeat(16);
    private static final String OTHER_ID = "cafe".repeat(16);

    /** As a daemon of an earlier version answers. */
    private static final OfContainer[] OLD = {
        new Answer.Running(new ContainerKey("default", "r"), Optional.empty()),
        new Answer.Exited(Events.exit(2, Events.TC, 0), true),
        new Answer.Exited(Events.killed(1, WEB), false),
        new Answer.Lost(new ContainerKey("default", "l"), Optional.empty())
    };

    private static final OfContainer[] NAMED = {
        Lives.named("moby", Lives.ID, "db").running(),
        Lives.inPod(OTHER_ID, "test", "web-0", "nginx").at(2).running(),
        Lives.sandbox("s1", "shop", "web-0").at(3).running(),
        Lives.named("moby", "l", "gone").lost(),
        Lives.inPod(POD_ID, "shop", "web-0", "nginx").at(20).outOfMemory(),
        Lives.named("moby", "k", "killed").at(10).killed(),
        Lives.named("moby", "z", "zero").exited(0)
    };

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @Test
    void printsATable() {
        assertThat(list(NAMED))
                .isEqualTo(
                        """
                        NAME/POD         IMAGE                        STATUS            AGE       DURATION
                        pod/web-0/nginx  example.org/nginx:1          running           AGO  RUN
                        db               docker.io/library/nginx:1.29  running           AGO  RUN
                        gone             docker.io/library/nginx:1.29  lost              -  -
                        pod/web-0/nginx  example.org/nginx:1          exited 137 (OOM)  AGO  47.2s
                        killed           docker.io/library/nginx:1.29  killed SIGKILL    AGO  47.2s
                        zero             docker.io/library/nginx:1.29  exited 0          AGO  47.2s
                        """
                                .replaceAll(" +", " "));
    }

    @Test
    void printsAWideTable() {
        assertThat(
                        list(
                                new OfContainer[] {
                                    Lives.named("moby", Lives.ID, "db").outOfMemory()
                                },
                                "-o",
                                "wide"))
                .isEqualTo(
                        """
                        NAMESPACE ID NAME/POD IMAGE STATUS AGE DURATION SOURCE PEAK ENDED
                        moby %s db docker.io/library/nginx:1.29 exited 137 (OOM) AGO 47.2s kernel 511.8 MiB 2025-04-04T19:00:47.3Z
                        """
                                .formatted(Lives.ID));
    }

    @Test
    void printsWhatLittleAnOlderDaemonKnows() {
        assertThat(list(OLD))
                .isEqualTo(
                        """
                        NAME/POD IMAGE STATUS AGE DURATION
                        r - running - -
                        l - lost - -
                        tc - exited 0 AGO -
                        a-longer-name - exited 137 (OOM) (not on disk) AGO -
                        """);
    }

    @Test
    void shortensTheIdsThatNobodyChose() {
        OfContainer nameless = Events.exited(new ContainerKey("moby", Lives.ID), 0);

        assertThat(list(new OfContainer[] {nameless})).contains("\n3f9c12ab34cd - exited 0 ");
    }

    @Test
    void printsOnlyTheHeaderWhereThereIsNothing() {
        assertThat(list(new OfContainer[0])).isEqualTo("NAME/POD IMAGE STATUS AGE DURATION\n");
    }

    @Test
    void printsNamesAsATerminalMayGetThem() {
        OfContainer odd = Lives.named("moby", "o", "a\u001b[2J\u202e\nb").exited(0);

        assertThat(list(new OfContainer[] {odd})).contains("\na?[2J??b docker.io");
        assertThat(list(new OfContainer[] {odd}, "--format", "about.name")).isEqualTo("a?[2J??b\n");
        assertThat(list(new OfContainer[] {odd}, "-o", "json")).contains("\"a\\u001B[2J");
    }

    @ParameterizedTest
    @CsvSource({
        "--failed, gone nginx killed",
        "--oom, nginx",
        "--running, nginx db",
        "--all, sandbox nginx db gone nginx killed zero",
        "-n moby, db gone killed zero",
        "--pod web-0, nginx nginx",
        "--pod shop/web-0, nginx",
        "--pod web, ''",
        "--image library/nginx, db gone killed zero",
        "--image nginx --failed -n k8s.io, nginx",
        "--since 1h, ''",
        "--since 99999d, nginx db gone nginx killed zero",
        "--limit 2, nginx db",
        "--limit 1 --oom, nginx"
    })
    void filters(String options, String names) {
        String arguments = options + " --format about.name,about.container,about.sandbox";

        assertThat(
                        list(NAMED, arguments.split(" "))
                                .lines()
                                .map(it -> it.replaceAll("\t-|-\t|true", "").strip())
                                .map(it -> it.replaceAll("^-$|^$", "sandbox")))
                .containsExactly(names.isEmpty() ? new String[0] : names.split(" "));
    }

    @Test
    void takesWhatBeganOrEndedLately() {
        Lives.Builder now = Lives.named("moby", Lives.ID, "now");
        long second = Instant.now().getEpochSecond() - Lives.BEGIN.getEpochSecond();
        OfContainer[] lives = {
            now.at(second - 60).running(),
            Lives.named("moby", "b", "before").at(second - 7200).running(),
            Lives.named("moby", "e", "ended").at(second - 60).exited(0),
            Lives.named("moby", "o", "old").at(second - 7200).exited(0),
            Lives.named("moby", "l", "lost").at(second - 60).lost()
        };

        assertThat(list(lives, "--since", "1h", "--format", "about.name"))
                .isEqualTo("now\nlost\nended\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"json", "JSON"})
    void printsTheAnswerAsJson(String format) {
        assertThat(
                        list(
                                new OfContainer[] {
                                    new Answer.Running(
                                            new ContainerKey("default", "r"), Optional.empty()),
                                    Events.exited(Events.TC, 7)
                                },
                                "-o",
                                format))
                .hasLineCount(1)
                .startsWith(
                        "{\"status\":\"ok\",\"containers\":[{\"status\":\"running\",\"namespace\":\"default\",\"container_id\":\"r\"},")
                .contains("{\"status\":\"exited\",\"exit_code\":7,")
                .endsWith("\"source\":\"containerd\"}]}\n");
        assertThat(list(NAMED, "-o", format, "--oom"))
                .contains("\"exited_at\":\"2025-04-04T19:01:07.3Z\"")
                .doesNotContain("zero");
    }

    @Test
    void printsAnObjectALine() {
        assertThat(list(NAMED, "-o", "jsonl").lines())
                .hasSize(6)
                .allSatisfy(it -> assertThat(it).startsWith("{\"status\":").endsWith("}"));
    }

    @Test
    void printsTheKeysThatAreAskedFor() {
        assertThat(
                        list(
                                NAMED,
                                "--format",
                                "id,status,exit_code,about.image,usage.memory_peak,about.pod.name",
                                "--limit",
                                "4"))
                .isEqualTo(
                        """
                        %s\trunning\t-\texample.org/nginx:1\t-\tweb-0
                        %s\trunning\t-\tdocker.io/library/nginx:1.29\t-\t-
                        l\tlost\t-\tdocker.io/library/nginx:1.29\t-\t-
                        %s\texited\t137\texample.org/nginx:1\t536660800\tweb-0
                        """
                                .formatted(OTHER_ID, Lives.ID, POD_ID));
    }

    @Test
    void asksForWhatItsOptionsName() {
        try (FakeDaemon daemon =
                new FakeDaemon(tardis.environment().settings(), Lives.daemon(NAMED))) {
            tardis.run("ls");
            tardis.run("ls", "-n", "moby", "--limit", "10");

            assertThat(daemon.queries())
                    .isEqualTo(
                            List.of(
                                    new Query.ListContainers(Optional.empty(), 1000),
                                    new Query.ListContainers(Optional.of("moby"), 10)));
        }
    }

    /** What is left out does not count. */
    @Test
    void asksForMoreWhereItsFiltersLeaveRoom() {
        try (FakeDaemon daemon =
                new FakeDaemon(tardis.environment().settings(), Lives.daemon(NAMED))) {
            tardis.run("ls", "--limit", "2");
            tardis.run("ls", "--limit", "3");

            assertThat(daemon.queries())
                    .isEqualTo(
                            IntStream.of(2, 3, 10_000)
                                    .mapToObj(it -> new Query.ListContainers(Optional.empty(), it))
                                    .toList());
        }
    }

    @Test
    void refusesBadOptions() {
        assertThat(tardis.run("ls", "-n", "a/b"))
                .satisfies(it -> assertThat(it.status()).isEqualTo(2))
                .satisfies(it -> assertThat(it.err()).startsWith("'a/b' is not a namespace"));
        assertThat(tardis.run("ls", "--limit", "0").err())
                .startsWith("--limit is not within 1 to 10000");
        assertThat(tardis.run("ls", "--limit", "10001").status()).isEqualTo(2);
        assertThat(tardis.run("ls", "--limit", "many").status()).isEqualTo(2);
        assertThat(tardis.run("ls", "-o", "yaml"))
                .satisfies(it -> assertThat(it.status()).isEqualTo(2))
                .satisfies(it -> assertThat(it.err()).contains("-o").contains("yaml"));
        assertThat(tardis.run("ls", "tc").status()).isEqualTo(2);
        assertThat(tardis.run("ls", "--since", "soon").status()).isEqualTo(2);
        assertThat(tardis.run("ls", "--pod", "a/b/c").err()).contains("'a/b/c' is not a pod");
        assertThat(tardis.run("ls", "--format", "id, status").err())
                .contains("is not a list of keys such as id,status,about.image");
        assertThat(tardis.run("ls", "--format", "id", "-o", "json").err())
                .startsWith("-o and --format exclude each other");
    }

    /** What is printed; ages and blanks differ from run to run. */
    private String list(OfContainer[] lives, String... options) {
        try (FakeDaemon _ = new FakeDaemon(tardis.environment().settings(), Lives.daemon(lives))) {
            String[] words = new String[options.length + 1];
            words[0] = "ls";
            System.arraycopy(options, 0, words, 1, options.length);
            Tardis.Result result = tardis.run(words);
            assertThat(result.status()).as(result.err()).isZero();
            assertThat(result.err()).isEmpty();
            return result.out()
                    .replaceAll("[0-9]+[smhd] ago", "AGO")
                    .replaceAll("AGO +[0-9]+d[0-9]+h", "AGO RUN")
                    .replaceAll(" +", " ");
        }
    }
}
