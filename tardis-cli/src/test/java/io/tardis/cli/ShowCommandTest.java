package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.Query;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShowCommandTest {

    private static final String OTHER_ID = "beef".repeat(16);
    private static final Lives.Builder WEB = Lives.named("moby", Lives.ID, "web").at(600);
    private static final Lives.Builder BEFORE = Lives.named("moby", OTHER_ID, "web");

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @Test
    void showsWhoItWasAndHowItEnded() {
        assertThat(show(Lives.daemon(WEB.outOfMemory()), "web"))
                .isEqualTo(
                        """
                        container  moby/%s
                        name       web
                        image      docker.io/library/nginx:1.29
                        command    nginx
                        hostname   host-of-web
                        status     exited 137 (OOM)
                        code       137 SIGKILL, out of memory: peak 511.8 of 512.0 MiB
                        source     the kernel reported the code
                        created    2025-04-04T19:10:00Z (AGO)
                        started    2025-04-04T19:10:00.1Z (AGO)
                        ended      2025-04-04T19:10:47.3Z (AGO)
                        ran for    47.2s
                        memory     peak 511.8 of 512.0 MiB
                        OOM kills  1
                        CPU        1.8s
                        throttled  250ms
                        pids       peak 7

                        no earlier life is recorded
                        """
                                .formatted(Lives.ID));
    }

    @Test
    void showsAPodAndWhatRuns() {
        String text =
                show(
                        Lives.daemon(Lives.inPod(Lives.ID, "shop", "web-0", "nginx").running()),
                        "pod/web-0");

        assertThat(text)
                .contains("pod        shop/web-0, container nginx\n")
                .contains("status     running\n", "\nruns for   ")
                .doesNotContain("ended", "code", "memory");
        assertThat(
                        show(
                                Lives.daemon(Lives.sandbox(Lives.ID, "shop", "web-0").lost()),
                                Lives.ID.substring(0, 12)))
                .contains("pod        shop/web-0, sandbox\n", "status     lost\n");
    }

    /** As a daemon of an earlier version answers. */
    @Test
    void showsWhatLittleIsKnown() {
        assertThat(show(Lives.daemon(Events.exited(Events.TC, 0)), "tc"))
                .isEqualTo(
                        """
                        container  default/tc
                        status     exited 0
                        code       0 success
                        source     containerd reported the code
                        ended      2025-04-04T19:10:59.78307293Z (AGO)

                        no earlier life is recorded
                        """);
        assertThat(show(Lives.daemon(new Answer.Running(Events.TC, Optional.empty())), "tc"))
                .startsWith("container  default/tc\nstatus     running\n\n");
    }

    @Test
    void showsTheEarlierLivesOfItsName() {
        List<ExitEvent> log =
                List.of(
                        BEFORE.at(10).exit(1, 3),
                        Events.exec(2, new ContainerKey("moby", OTHER_ID), "probe", 1),
                        BEFORE.at(100).withUsage().exit(3, 0),
                        Lives.named("moby", "other", "db").at(50).exit(4, 9),
                        WEB.exit(5, 7));

        String text = show(Lives.daemon(log, WEB.exited(7), BEFORE.at(100).exited(0)), "web");

        assertThat(text)
                .endsWith(
                        """
                        earlier lives, newest first:
                          WHEN      ENDED                   CODE       DURATION
                          AGO  2025-04-04T19:02:27.3Z  0 success  47.2s
                          AGO  2025-04-04T19:00:57.3Z  exited 3   47.2s
                        """);
    }

    @Test
    void showsTheEarlierLivesAlsoIfTheClockWasSetBackSince() {
        List<ExitEvent> log = List.of(BEFORE.at(4_200).exit(1, 3), WEB.exit(2, 7));
        Answer.OfContainer newest = new Answer.Exited(log.getLast(), true);
        Answer.OfContainer older = new Answer.Exited(log.getFirst(), true);

        assertThat(show(Lives.daemon(log, older, newest), "web"))
                .contains("code       exited 7\n")
                .contains("2025-04-04T20:10:47.3Z  exited 3  47.2s\n");
        assertThat(show(Lives.daemon(log, older, newest), OTHER_ID))
                .contains("code       exited 3\n")
                .endsWith("no earlier life is recorded\n");
    }

    @Test
    void showsTheEarlierLivesOfAContainerWithoutName() {
        List<ExitEvent> log =
                List.of(
                        Events.exit(1, Events.TC, 3),
                        new ExitEvent(
                                2,
                                new TaskExit(Events.TC, "tc", 1, 4, Events.TIME.plusSeconds(60)),
                                OptionalInt.empty(),
                                false,
                                ExitSource.KERNEL,
                                Optional.empty()));

        assertThat(show(Lives.daemon(log, new Answer.Exited(log.getLast(), true)), "tc"))
                .contains("code       exited 4\n")
                .contains("exited 3  -\n");
    }

    @Test
    void showsTenOfManyLivesAndTurnsThePages() {
        List<ExitEvent> log =
                LongStream.range(0, 2_500).mapToObj(i -> WEB.at(i).exit(i + 1, i % 7)).toList();
        List<Query> queries = new ArrayList<>();
        Function<Query, Answer> daemon = Lives.daemon(log, WEB.at(9_999).running());

        String text =
                show(
                        query -> {
                            queries.add(query);
                            return daemon.apply(query);
                        },
                        "web");

        assertThat(text).contains("the last 10 of 2500 earlier lives, newest first:\n");
        assertThat(text.lines().filter(it -> it.startsWith("  "))).hasSize(11);
        assertThat(queries).filteredOn(Query.Replay.class::isInstance).hasSize(3);
    }

    /** The daemon's memory has nanoseconds, its disk microseconds. */
    @Test
    void isNoEarlierLifeOfItselfWhereItsTimeWasRounded() {
        Answer.Running exact =
                new Answer.Running(
                        Events.TC,
                        Optional.of(
                                new Published.Begun(
                                        0,
                                        Events.TC,
                                        new LifeRef("life", Lives.BEGIN.plusNanos(1), true),
                                        OptionalLong.empty(),
                                        OptionalLong.empty(),
                                        OptionalLong.empty())));
        ExitEvent rounded =
                Events.exit(1, Events.TC, 7).ofLife(new LifeRef("life", Lives.BEGIN, true));

        assertThat(show(Lives.daemon(List.of(rounded), exact), "tc"))
                .endsWith("no earlier life is recorded\n");
    }

    @Test
    void printsAnEarlierEndAsItWasPublishedLast() {
        LifeRef earlier = new LifeRef("earlier", Lives.BEGIN.minusSeconds(60), true);
        List<ExitEvent> log =
                List.of(
                        Events.exit(1, Events.TC, 255).ofLife(earlier),
                        Events.exit(2, Events.TC, 3).ofLife(earlier));
        LifeRef now = new LifeRef("now", Lives.BEGIN, true);
        Answer.Exited last = new Answer.Exited(Events.exit(3, Events.TC, 7).ofLife(now), true);

        assertThat(show(Lives.daemon(log, last), "tc", "-o", "json"))
                .containsOnlyOnce("\"life\":\"earlier\"")
                .contains(",\"history\":[{\"status\":\"exited\",\"exit_code\":3,");
    }

    @Test
    void printsTheAnswerAsJsonWithItsHistory() {
        OfContainer life = WEB.exited(7);

        String json = show(Lives.daemon(List.of(), life, BEFORE.exited(3)), "web", "-o", "json");

        assertThat(json)
                .hasLineCount(1)
                .startsWith("{\"status\":\"exited\",\"exit_code\":7,")
                .contains("\"about\":{\"command\":\"nginx\"", "\"duration_ms\":47200")
                .contains(",\"history\":[{\"status\":\"exited\",\"exit_code\":3,")
                .endsWith("}]}\n");
        assertThat(show(Lives.daemon(life), "web", "-o", "json")).endsWith(",\"history\":[]}\n");
    }

    @Test
    void printsNamesAsATerminalMayGetThem() {
        assertThat(
                        show(
                                Lives.daemon(
                                        Lives.named("default", "tc", "a\u001b]0;x\u0007\nb\u202e")
                                                .exited(0)),
                                "tc"))
                .contains("name       a?]0;x??b?\n");
    }

    @Test
    void saysThatNothingIsKnown() {
        try (FakeDaemon _ = new FakeDaemon(tardis.environment().settings(), Lives.daemon())) {
            assertThat(tardis.run("show", "tc"))
                    .isEqualTo(
                            new Tardis.Result(
                                    3,
                                    "",
                                    "tardis: default/tc is not known: no exit code is recorded for such a container\n"));
        }
    }

    private String show(Function<Query, Answer> daemon, String... arguments) {
        try (FakeDaemon _ = new FakeDaemon(tardis.environment().settings(), daemon)) {
            List<String> words = new ArrayList<>(List.of("show"));
            words.addAll(List.of(arguments));
            Tardis.Result result = tardis.run(words.toArray(String[]::new));
            assertThat(result.status()).as(result.err()).isZero();
            assertThat(result.err()).isEmpty();
            return result.out().replaceAll("[0-9]+[smhd] ago", "AGO");
        }
    }
}
