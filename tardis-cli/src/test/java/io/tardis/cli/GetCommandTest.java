package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Query;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GetCommandTest {

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 137, 4_294_967_295L})
    void printsJustTheCode(long code) {
        Tardis.Result result = get(_ -> Events.exited(Events.TC, code), "tc");

        assertThat(result).isEqualTo(new Tardis.Result(0, code + System.lineSeparator(), ""));
    }

    @Test
    void asksForTheContainerWithoutWaiting() {
        try (FakeDaemon daemon =
                new FakeDaemon(tardis.environment().settings(), _ -> Events.exited(Events.TC, 1))) {
            tardis.run("get", "tc");
            tardis.run("get", "k8s.io/tc");

            assertThat(daemon.queries())
                    .isEqualTo(
                            List.of(
                                    new Query.ExitCode(Events.TC, Optional.empty(), Duration.ZERO),
                                    new Query.ExitCode(
                                            new ContainerKey("k8s.io", "tc"),
                                            Optional.empty(),
                                            Duration.ZERO)));
        }
    }

    @Test
    void saysThatACodeIsNotKnownAndPrintsNone() {
        assertThat(get(_ -> new Answer.Running(Events.TC, Optional.empty()), "tc"))
                .isEqualTo(new Tardis.Result(3, "", "tardis: default/tc has not ended\n"));
        assertThat(get(_ -> new Answer.Lost(Events.TC, Optional.empty()), "tc"))
                .isEqualTo(
                        new Tardis.Result(
                                3,
                                "",
                                "tardis: default/tc ended, but no source reported its exit code\n"));
        assertThat(get(GetCommandTest::knowsNone, "tc"))
                .isEqualTo(
                        new Tardis.Result(
                                3,
                                "",
                                "tardis: default/tc is not known: no exit code is recorded for such a container\n"));
    }

    @Test
    void saysThatNoDaemonAnswers() {
        Tardis.Result result = tardis.run("get", "tc");

        assertThat(result.status()).isEqualTo(3);
        assertThat(result.out()).isEmpty();
        assertThat(result.err())
                .startsWith("tardis: no answer from tcp://127.0.0.1:")
                .hasLineCount(1);
    }

    @Test
    void failsWithAMessageWhereTheDaemonRefuses() {
        Tardis.Result result =
                get(_ -> new Answer.Refused("unavailable", "the disk is gone"), "tc");

        assertThat(result.status()).isEqualTo(1);
        assertThat(result.err())
                .isEqualTo(
                        "tardis: the daemon refused the question (unavailable): the disk is gone\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a b", "../x", "/tc", "ns/", "a/b/c", ".tc", "pod/", "pod/a/b/c"})
    void refusesWhatIsNoContainer(String name) {
        Tardis.Result result = tardis.run("get", name);

        assertThat(result.status()).isEqualTo(2);
        assertThat(result.err()).contains("not a con");
    }

    @Test
    void refusesNoContainerAndTwo() {
        assertThat(tardis.run("get").status()).isEqualTo(2);
        assertThat(tardis.run("get").err())
                .contains("Missing required parameter: 'CONTAINER'")
                .contains("Usage: tardis get");
        assertThat(tardis.run("get", "a", "b").status()).isEqualTo(2);
    }

    @Test
    void printsTheCodeOfTheContainerThatANameMeans() {
        Answer.OfContainer web = Lives.named("moby", Lives.ID, "web").exited(7);

        assertThat(get(Lives.daemon(web), "web")).isEqualTo(new Tardis.Result(0, "7\n", ""));
        assertThat(get(Lives.daemon(web), Lives.ID.substring(0, 12)))
                .isEqualTo(new Tardis.Result(0, "7\n", ""));
    }

    @Test
    void saysWhichContainerItIsAboutWhereTheWordMayMeanAnother() {
        Answer.OfContainer job = Events.exited(new ContainerKey("default", "job-17"), 7);

        assertThat(get(Lives.daemon(job), "job-1"))
                .isEqualTo(new Tardis.Result(0, "7\n", "tardis: this is about default/job-17\n"));
    }

    @Test
    void listsTheContainersThatANameMayMean() {
        Tardis.Result result =
                get(
                        Lives.daemon(
                                Lives.named("moby", "one", "web").running(),
                                Lives.named("default", "two", "web").exited(7)),
                        "web");

        assertThat(result)
                .isEqualTo(
                        new Tardis.Result(
                                2,
                                "",
                                """
                                tardis: web means 2 containers:
                                  moby/one  web  running
                                  default/two  web  exited 7
                                """));
    }

    @Test
    void saysThatAPodIsNotKnown() {
        assertThat(get(GetCommandTest::knowsNone, "pod/web-0/nginx"))
                .isEqualTo(
                        new Tardis.Result(
                                3,
                                "",
                                "tardis: pod/web-0/nginx is not known: no exit code is recorded for such a container\n"));
    }

    @Test
    void takesTheNamespaceAsAnOption() {
        try (FakeDaemon daemon =
                new FakeDaemon(tardis.environment().settings(), _ -> Events.exited(Events.TC, 1))) {
            tardis.run("get", "-n", "k8s.io", "tc");

            assertThat(daemon.queries())
                    .containsExactly(
                            new Query.ExitCode(
                                    new ContainerKey("k8s.io", "tc"),
                                    Optional.empty(),
                                    Duration.ZERO));
        }
        assertThat(tardis.run("get", "-n", "k8s.io", "default/tc").err())
                .startsWith("two namespaces: -n and default/tc");
        assertThat(tardis.run("get", "-n", "a/b", "tc").status()).isEqualTo(2);
    }

    private static Answer knowsNone(Query query) {
        return Lives.daemon().apply(query);
    }

    private Tardis.Result get(Function<Query, Answer> answers, String container) {
        try (FakeDaemon _ = new FakeDaemon(tardis.environment().settings(), answers)) {
            return tardis.run("get", container);
        }
    }
}
