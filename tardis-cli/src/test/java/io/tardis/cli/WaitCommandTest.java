package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Query;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class WaitCommandTest {

    private static final Answer PONG =
            new Answer.Pong("1", 0, Answer.Backlog.NONE, Optional.empty());

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @Test
    void printsTheCodeOfAContainerThatHasEnded() {
        try (FakeDaemon _ = daemon(_ -> Events.exited(Events.TC, 137))) {
            assertThat(tardis.run("wait", "tc")).isEqualTo(new Tardis.Result(0, "137\n", ""));
        }
    }

    @Test
    void asksAgainWhileTheContainerRuns() {
        AtomicInteger asked = new AtomicInteger();
        try (FakeDaemon _ =
                daemon(_ ->
                        asked.incrementAndGet() < 3
                                ? new Answer.Running(Events.TC, Optional.empty())
                                : Events.exited(Events.TC, 7))) {
            assertThat(tardis.run("wait", "tc")).isEqualTo(new Tardis.Result(0, "7\n", ""));
        }
    }

    @Test
    void letsTheDaemonWaitAsLongAsItMayItself() {
        try (FakeDaemon daemon = daemon(_ -> Events.exited(Events.TC, 7))) {
            tardis.run("wait", "--timeout", "5s", "tc");
            tardis.run("wait", "--timeout", "5m", "tc");
            tardis.run("wait", "tc");

            assertThat(daemon.queries())
                    .filteredOn(Query.ExitCode.class::isInstance)
                    .extracting(it -> ((Query.ExitCode) it).maxWait())
                    .satisfiesExactly(
                            wait ->
                                    assertThat(wait)
                                            .isBetween(
                                                    Duration.ofSeconds(1), Duration.ofSeconds(5)),
                            wait -> assertThat(wait).isEqualTo(Duration.ofSeconds(10)),
                            wait -> assertThat(wait).isEqualTo(Duration.ofSeconds(10)));
        }
    }

    @Test
    void saysThatTheTimeIsOver() {
        try (FakeDaemon _ = daemon(_ -> new Answer.Running(Events.TC, Optional.empty()))) {
            assertThat(tardis.run("wait", "--timeout", "0s", "tc"))
                    .isEqualTo(
                            new Tardis.Result(
                                    124, "", "tardis: default/tc has not ended within 0 ms\n"));
        }
    }

    @Test
    void doesNotSayThatTheTimeIsOverBeforeItIs() {
        // A daemon that stops answers what waits with what is known.
        AtomicInteger asked = new AtomicInteger();
        try (FakeDaemon _ =
                daemon(_ ->
                        asked.incrementAndGet() == 1
                                ? new Answer.Running(Events.TC, Optional.empty())
                                : Events.exited(Events.TC, 0))) {
            assertThat(tardis.run("wait", "--timeout", "9s", "tc"))
                    .isEqualTo(new Tardis.Result(0, "0\n", ""));
        }
    }

    @Test
    void asksAgainWhereARestartedDaemonHasForgottenTheQuestion() {
        AtomicInteger asked = new AtomicInteger();
        try (FakeDaemon daemon = daemon(_ -> PONG)) {
            daemon.answer(query ->
                    !(query instanceof Query.ExitCode)
                            ? Optional.of(PONG)
                            : asked.incrementAndGet() == 1
                                    ? Optional.empty()
                                    : Optional.of(Events.exited(Events.TC, 7)));

            assertThat(tardis.run("wait", "--timeout", "50ms", "tc"))
                    .isEqualTo(new Tardis.Result(0, "7\n", ""));
        }
    }

    @Test
    void waitsForTheContainerThatANameMeans() {
        AtomicInteger asked = new AtomicInteger();
        Lives.Builder web = Lives.named("moby", Lives.ID, "web");
        try (FakeDaemon daemon = daemon(_ -> PONG)) {
            daemon.answer(query ->
                    Optional.of(
                            query instanceof Query.ExitCode && asked.incrementAndGet() > 1
                                    ? web.exited(7)
                                    : query instanceof Query.Ping
                                            ? PONG
                                            : Lives.daemon(web.running()).apply(query)));

            assertThat(tardis.run("wait", "web")).isEqualTo(new Tardis.Result(0, "7\n", ""));
            assertThat(daemon.queries())
                    .endsWith(
                            new Query.ExitCode(
                                    new ContainerKey("moby", Lives.ID),
                                    Optional.empty(),
                                    Duration.ofSeconds(10)));
        }
    }

    @Test
    void doesNotWaitForWhatIsNotKnown() {
        try (FakeDaemon daemon = daemon(_ -> PONG)) {
            daemon.answer(query ->
                    Optional.of(query instanceof Query.Ping ? PONG : Lives.daemon().apply(query)));

            assertThat(tardis.run("wait", "tc"))
                    .isEqualTo(
                            new Tardis.Result(
                                    3,
                                    "",
                                    "tardis: default/tc is not known: no exit code is recorded for such a container\n"));
        }
    }

    @Test
    void saysThatACodeCannotBeKnown() {
        try (FakeDaemon _ = daemon(_ -> new Answer.Lost(Events.TC, Optional.empty()))) {
            Tardis.Result result = tardis.run("wait", "tc");

            assertThat(result.status()).isEqualTo(3);
            assertThat(result.out()).isEmpty();
            assertThat(result.err()).contains("no source reported");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "5", "-1s", "1.5s", "5 s", "soon", "9999999999s"})
    void refusesWhatIsNoLengthOfTime(String time) {
        Tardis.Result result = tardis.run("wait", "--timeout", time, "tc");

        assertThat(result.status()).isEqualTo(2);
        assertThat(result.err())
                .contains("'" + time + "' is not a length of time such as 500ms, 30s");
    }

    /** Answers pings itself, and questions for an exit code as the test wants. */
    private FakeDaemon daemon(Function<Query, Answer> answers) {
        return new FakeDaemon(
                tardis.environment().settings(),
                query -> query instanceof Query.ExitCode ? answers.apply(query) : PONG);
    }
}
