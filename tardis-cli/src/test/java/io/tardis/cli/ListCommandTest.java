package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Query;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ListCommandTest {

    private static final ContainerKey WEB = new ContainerKey("k8s.io", "a-longer-name");
    private static final Answer.Containers SOME =
            new Answer.Containers(
                    List.of(
                            new Answer.Running(new ContainerKey("default", "r"), Optional.empty()),
                            new Answer.Exited(Events.exit(2, Events.TC, 0), true),
                            new Answer.Exited(Events.killed(1, WEB), false),
                            new Answer.Lost(new ContainerKey("default", "l"), Optional.empty())));

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @Test
    void printsATable() {
        assertThat(list(SOME, "ls"))
                .isEqualTo(
                        new Tardis.Result(
                                0,
                                """
                                NAMESPACE  CONTAINER      STATUS                CODE  SIGNAL  SOURCE      ENDED
                                default    r              running               -     -       -           -
                                default    tc             exited                0     -       containerd  2025-04-04T19:10:59.78307293Z
                                k8s.io     a-longer-name  exited (not on disk)  137   9       kernel      2025-04-04T19:10:59.78307293Z
                                default    l              lost                  -     -       -           -
                                """,
                                ""));
    }

    @Test
    void printsOnlyTheHeaderWhereThereIsNothing() {
        assertThat(list(new Answer.Containers(List.of()), "ls").out())
                .isEqualTo("NAMESPACE  CONTAINER  STATUS  CODE  SIGNAL  SOURCE  ENDED\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"json", "JSON"})
    void printsTheAnswerAsJson(String format) {
        Tardis.Result result =
                list(
                        new Answer.Containers(
                                List.of(
                                        Events.exited(Events.TC, 7),
                                        new Answer.Running(
                                                new ContainerKey("default", "r"),
                                                Optional.empty()))),
                        "ls",
                        "-o",
                        format);

        assertThat(result.out())
                .hasLineCount(1)
                .startsWith(
                        "{\"status\":\"ok\",\"containers\":[{\"status\":\"exited\",\"exit_code\":7,")
                .endsWith(
                        "{\"status\":\"running\",\"namespace\":\"default\",\"container_id\":\"r\"}]}\n");
    }

    @Test
    void asksForWhatItsOptionsName() {
        try (FakeDaemon daemon = new FakeDaemon(tardis.environment().settings(), _ -> SOME)) {
            tardis.run("ls");
            tardis.run("ls", "-n", "k8s.io", "--limit", "10");

            assertThat(daemon.queries())
                    .isEqualTo(
                            List.of(
                                    new Query.ListContainers(Optional.empty(), 1000),
                                    new Query.ListContainers(Optional.of("k8s.io"), 10)));
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
    }

    private Tardis.Result list(Answer.Containers answer, String... arguments) {
        try (FakeDaemon _ = new FakeDaemon(tardis.environment().settings(), _ -> answer)) {
            return tardis.run(arguments);
        }
    }
}
