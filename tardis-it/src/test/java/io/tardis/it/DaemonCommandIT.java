package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** The commands that begin and end a daemon, and the others where none runs. */
@RequiresContainers
class DaemonCommandIT {

    private static final int BAD_USAGE = 2;
    private static final int NOT_KNOWN = 3;

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    void daemonInTheForegroundRunsUntilItIsStopped() {
        try (LiveProcess daemon = lab.tardis().startDaemon()) {
            assertThat(lab.tardis().tardis("status").code()).isEqualTo(0);

            Outcome _ = lab.tardis().tardis("stop").orFail();

            assertThat(daemon.awaitExit(SOON)).isEqualTo(0);
            assertGone();
        }
    }

    @ContainerTest
    void daemonInTheBackgroundAnswersWhenTheCommandReturns() {
        Outcome _ = lab.tardis().tardis("daemon", "--background").orFail();

        Outcome status = lab.tardis().tardis("status").orFail();

        Proc daemon = lab.tardis().runningDaemon();
        assertThat(status.out()).contains(Long.toString(daemon.pid()));
        assertThat(daemon.workingDirectory()).isEqualTo(Path.of("/"));
        assertThat(daemon.session())
                .isNotEqualTo(new Proc(ProcessHandle.current().pid()).session());
        Outcome _ = lab.tardis().tardis("stop").orFail();
        assertThat(daemon.isAlive()).isFalse();
        assertGone();
    }

    @ContainerTest
    void daemonStopsOnSigterm() {
        try (LiveProcess daemon = lab.tardis().startDaemon()) {
            lab.tardis().runningDaemon().signal("TERM");

            assertThat(daemon.awaitExit(SOON)).isEqualTo(0);
            assertThat(lab.tardis().pidFile()).doesNotExist();
            assertThat(lab.tardis().socket()).doesNotExist();
            assertGone();
        }
    }

    @ContainerTest
    void commandsSayWhenNoDaemonRuns() throws Exception {
        List<String> commands =
                List.of("status", "get default/tc", "wait default/tc --timeout 1s", "ls");
        // At the same time: each waits some seconds for an answer.
        try (ExecutorService pool = Executors.newFixedThreadPool(commands.size())) {
            List<Future<Integer>> codes =
                    pool.invokeAll(commands.stream().map(it -> codeOf(it.split(" "))).toList());
            for (Future<Integer> code : codes) {
                assertThat(code.get()).isEqualTo(NOT_KNOWN);
            }
        }
        // Asking starts nothing.
        assertThat(lab.tardis().processes()).isEmpty();
    }

    private Callable<Integer> codeOf(String... command) {
        return () -> lab.tardis().tardis(command).code();
    }

    @ContainerTest
    void settingsThatAreWrongAreRefusedByName() throws IOException {
        Path config = Path.of(lab.tardis().setting("TARDIS_CONFIG"));
        Files.writeString(config, "# a comment\nTARDIS_NO_SUCH_SETTING=1\n");

        Outcome outcome = lab.tardis().tardis("get", "tc");

        assertThat(outcome.code()).isEqualTo(BAD_USAGE);
        assertThat(outcome.err()).contains(config.toString(), "2", "TARDIS_NO_SUCH_SETTING");
    }

    @ContainerTest
    void restartPutsANewDaemonInPlaceAndMissesNothing() throws InterruptedException {
        restartsUnderLoadAndMissesNothing();
    }

    /** Then what the new daemon receives from containerd and its shims is all there is. */
    @ContainerTest
    void restartMissesNothingWithoutTheKernelsWitness() throws Exception {
        Files.writeString(
                Path.of(lab.tardis().setting("TARDIS_CONFIG")), "TARDIS_KERNEL_WITNESS=off\n");

        restartsUnderLoadAndMissesNothing();

        assertThat(lab.tardis().replayAll())
                .extracting(event -> event.path("source").asString())
                .containsOnly("containerd", "shim");
    }

    private void restartsUnderLoadAndMissesNothing() throws InterruptedException {
        Container before = lab.container("before").enabled();
        before.startEndingWith(5);
        Proc first = lab.tardis().runningDaemon();
        lab.tardis().awaitReceiving(lab.container("probe"));
        Queue<Container> load = new ConcurrentLinkedQueue<>();
        Queue<Outcome> ends = new ConcurrentLinkedQueue<>();
        AtomicBoolean restarted = new AtomicBoolean();
        Outcome restart;
        try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
            for (String name : List.of("one", "other")) {
                pool.execute(() -> {
                    for (int i = 0; !restarted.get(); i++) {
                        Container container = lab.container(name + i).enabled();
                        load.add(container);
                        ends.add(container.sh("exit 3"));
                    }
                });
            }
            try {
                Wait.until("some load", SOON, () -> ends.size() > 2);

                restart = lab.tardis().tardis("restart").orFail();

                int soFar = ends.size();
                Wait.until("load after it", SOON, () -> ends.size() > soFar + 2);
            } finally {
                restarted.set(true);
            }
        }
        Proc second = lab.tardis().runningDaemon();
        assertThat(second).isNotEqualTo(first);
        assertThat(restart.out()).contains(Long.toString(second.pid()), Long.toString(first.pid()));
        Wait.until("end of the first daemon", SOON, () -> !first.isAlive());
        assertThat(ends).allMatch(it -> it.code() == 3);
        before.end();
        assertThat(before.remove()).isEqualTo(5);
        List<Container> all = List.copyOf(load);
        Wait.until(
                () -> "ends of " + lab.tardis().exitCodes(all),
                SOON,
                () ->
                        lab.tardis().exitCodes(all).stream()
                                .allMatch(it -> it.path("exit_code").asInt(-1) == 3));
        lab.tardis().awaitCode(before, 5, SOON);
        List<JsonNode> published = lab.tardis().replayAll();
        assertThat(published.stream().map(DaemonCommandIT::name).filter(it -> !it.equals("probe")))
                .as("each end, and each once")
                .containsExactlyInAnyOrderElementsOf(
                        Stream.concat(load.stream(), Stream.of(before))
                                .map(Container::id)
                                .toList());
        long firstSeq = published.getFirst().path("seq").asLong();
        assertThat(published.stream().map(event -> event.path("seq").asLong()))
                .as("numbers without a hole")
                .containsExactlyElementsOf(
                        LongStream.range(firstSeq, firstSeq + published.size()).boxed().toList());
        assertThat(lab.tardis().log()).contains("taking over from process " + first.pid());
    }

    private static String name(JsonNode event) {
        return event.path("container_id").asString();
    }

    @ContainerTest
    void restartStartsADaemonWhereNoneRuns() {
        Outcome _ = lab.tardis().tardis("restart").orFail();

        assertThat(lab.tardis().daemon()).isPresent();
    }

    private void assertGone() {
        Wait.until("end of the daemon's children", SOON, () -> lab.tardis().processes().isEmpty());
        assertThat(lab.tardis().daemon()).isEmpty();
        assertThat(lab.tardis().tardis("status").code()).isEqualTo(NOT_KNOWN);
    }
}
