package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
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
import tools.jackson.databind.json.JsonMapper;

/** The {@code tardis} command: what its subcommands print, and the codes that they end with. */
@RequiresContainers
class TardisCommandIT {

    private static final int KNOWN = 0;
    private static final int FAILED = 1;
    private static final int BAD_USAGE = 2;
    private static final int NOT_KNOWN = 3;
    private static final int TIME_IS_OVER = 124;
    private static final Duration SOON = Duration.ofSeconds(30);

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
    void getPrintsTheCodeAndNothingElse() {
        Container three = lab.container("three").enabled();
        Container zero = lab.container("other", "zero").enabled();
        Outcome _ = three.sh("exit 3");
        Outcome _ = zero.run("/bin/true");

        Outcome get = lab.tardis().tardis("get", "default/three");

        assertThat(get.code()).isEqualTo(KNOWN);
        assertThat(get.out()).isEqualTo("3\n");
        assertThat(get.err()).isEmpty();
        assertThat(lab.tardis().tardis("get", "three").out()).isEqualTo("3\n");
        assertThat(lab.tardis().tardis("get", "other/zero").out()).isEqualTo("0\n");
        for (String unknown : List.of("zero", "other/three", "never")) {
            Outcome nothing = lab.tardis().tardis("get", unknown);
            assertThat(nothing.code()).as("%s", nothing).isEqualTo(NOT_KNOWN);
            assertThat(nothing.out()).isEmpty();
        }
    }

    @ContainerTest
    void badUsageIsToldFromNotKnown() {
        for (List<String> arguments :
                List.of(
                        List.of("get"),
                        List.of("get", "a/b/c"),
                        List.of("get", "../etc"),
                        List.of("get", ""),
                        List.of("get", "one", "two"),
                        List.of("get", "--no-such-option", "tc"),
                        List.of("wait"),
                        List.of("wait", "tc", "--timeout", "soon"),
                        List.of("ls", "-o", "no-such-format"),
                        List.of("no-such-command"))) {
            Outcome outcome = lab.tardis().tardis(arguments.toArray(String[]::new));

            assertThat(outcome.code()).as("%s", outcome).isEqualTo(BAD_USAGE);
            assertThat(outcome.out()).as("%s", outcome).isEmpty();
            assertThat(outcome.err()).as("%s", outcome).isNotEmpty();
        }
    }

    @ContainerTest
    void helpAndVersionAreThere() {
        assertThat(lab.tardis().tardis("--help").orFail().out())
                .contains("daemon", "stop", "status", "get", "wait", "ls", "watch");
        assertThat(lab.tardis().tardis("--version").orFail().text()).isNotEmpty();
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
    void waitPrintsTheCodeWhenTheContainerEnds() {
        Container container = lab.container("tc").enabled();
        container.startEndingWith(3);

        Outcome early = lab.tardis().tardis("wait", "default/tc", "--timeout", "1s");
        assertThat(early.code()).isEqualTo(TIME_IS_OVER);
        assertThat(early.out()).isEmpty();

        Path output = lab.scratch().folder("out").resolve("wait");
        try (LiveProcess waiting =
                lab.tardis().command("wait", "tc", "--timeout", "60s").start(output)) {
            container.end();

            assertThat(waiting.awaitExit(SOON)).isEqualTo(KNOWN);
            assertThat(waiting.output()).isEqualTo("3\n");
        }
        container.remove();
        assertThat(lab.tardis().tardis("wait", "tc").orFail().out()).isEqualTo("3\n");
        assertThat(lab.tardis().tardis("wait", "never", "--timeout", "20s").code())
                .isEqualTo(NOT_KNOWN);
    }

    @ContainerTest
    void lsListsContainersOfANamespace() {
        Outcome _ = lab.container("one", "good").enabled().run("/bin/true");
        Outcome _ = lab.container("two", "bad").enabled().sh("exit 3");
        lab.container("two", "busy").enabled().startEndingWith(0);

        Outcome table = lab.tardis().tardis("ls", "-n", "two").orFail();

        assertThat(table.out()).contains("bad").contains("busy").doesNotContain("good");
        assertThat(table.out().lines())
                .anySatisfy(line -> assertThat(line).contains("bad").contains("3"));
        JsonNode json =
                JsonMapper.shared()
                        .readTree(
                                lab.tardis()
                                        .tardis("ls", "-n", "two", "-o", "json")
                                        .orFail()
                                        .out());
        assertThat(json.findValuesAsString("container_id")).contains("bad").doesNotContain("good");
        assertThat(lab.tardis().tardis("ls").code()).isEqualTo(0);
    }

    @ContainerTest
    void watchPrintsALineForEachExit() {
        Outcome _ = lab.container("first").enabled().run("/bin/true").orFail();
        Path output = lab.scratch().folder("out").resolve("watch");
        try (LiveProcess watch = lab.tardis().command("watch").start(output)) {
            // It does not tell when it has subscribed: containers run until one is seen.
            Wait.until(
                    () -> "line:\n" + watch.output(),
                    SOON,
                    () -> {
                        Outcome _ = lab.container("probe").run("/bin/true");
                        return watch.lines().stream().anyMatch(line -> line.contains("probe"));
                    });

            Outcome _ = lab.container("tc").enabled().sh("exit 42");

            watch.awaitLine("exit", SOON, line -> line.contains("tc") && line.contains("42"));
            assertThat(watch.lines().stream().filter(line -> line.contains("tc"))).hasSize(1);
        }
    }

    @ContainerTest
    void watchBeginsWithThePastIfAskedTo() {
        Outcome _ = lab.container("past").enabled().sh("exit 9");
        Path output = lab.scratch().folder("out").resolve("watch");

        try (LiveProcess watch = lab.tardis().command("watch", "--all").start(output)) {
            watch.awaitLine("past", SOON, line -> line.contains("past exited with 9"));
        }
    }

    /** Tardis's directories are root's alone, which is no sign that no daemon runs. */
    @ContainerTest
    void anotherUserIsToldThatItCannotBeTold() {
        Outcome _ = lab.container("tc").enabled().sh("exit 3");
        Path config = Path.of(lab.tardis().setting("TARDIS_CONFIG"));
        Outcome _ = Command.of("chmod", "600", config.toString()).run().orFail();
        Outcome _ = Command.of("chmod", "711", lab.scratch().root().toString()).run().orFail();

        for (List<String> command :
                List.of(
                        List.of("status"),
                        List.of("stop"),
                        List.of("restart"),
                        List.of("ls"),
                        List.of("get", "tc"),
                        List.of("wait", "tc"),
                        List.of("watch"))) {
            Outcome denied = asNobody(command);

            assertThat(denied.code()).as("%s", denied).isEqualTo(FAILED);
            assertThat(denied.out()).as("%s", denied).isEmpty();
            assertThat(denied.err())
                    .as("%s", denied)
                    .isEqualTo("tardis: cannot tell: permission denied on " + config + "\n");
        }
        Outcome _ = Command.of("chmod", "644", config.toString()).run().orFail();
        Path directory = Objects.requireNonNull(config.getParent());
        Outcome _ = Command.of("chmod", "711", directory.toString()).run().orFail();
        Path lock = lab.tardis().stateDir().resolve("event_listener.lock");
        for (String command : List.of("status", "stop", "restart")) {
            Outcome denied = asNobody(List.of(command));

            assertThat(denied.code()).as("%s", denied).isEqualTo(FAILED);
            assertThat(denied.out()).as("%s", denied).isEmpty();
            assertThat(denied.err())
                    .as("%s", denied)
                    .isEqualTo("tardis: cannot tell: permission denied on " + lock + "\n");
        }
        // What is asked over ZeroMQ needs no permission.
        assertThat(asNobody(List.of("get", "tc")).out()).isEqualTo("3\n");
        assertThat(asNobody(List.of("ls")).out()).contains("tc");
        assertThat(lab.tardis().daemon()).isPresent();
    }

    private Outcome asNobody(List<String> arguments) {
        Command command = lab.tardis().command(arguments.toArray(String[]::new));
        List<String> argv =
                new ArrayList<>(
                        List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"));
        argv.addAll(command.argv());
        return Command.of(argv).with(command.environment()).run();
    }

    @ContainerTest
    void restartPutsANewDaemonInPlaceAndMissesNothing() throws InterruptedException {
        restartsUnderLoadAndMissesNothing();
    }

    /** Then what the new daemon hears from containerd is all there is. */
    @ContainerTest
    void restartMissesNothingWithoutTheKernelsWitness() throws Exception {
        Files.writeString(
                Path.of(lab.tardis().setting("TARDIS_CONFIG")), "TARDIS_KERNEL_WITNESS=off\n");

        restartsUnderLoadAndMissesNothing();

        assertThat(lab.tardis().replayAll())
                .allMatch(event -> event.path("source").asString().equals("containerd"));
    }

    private void restartsUnderLoadAndMissesNothing() throws InterruptedException {
        Container before = lab.container("before").enabled();
        before.startEndingWith(5);
        Proc first = lab.tardis().runningDaemon();
        lab.tardis().awaitHearing(lab.container("probe"));
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
        for (Container container : load) {
            lab.tardis().awaitCode(container, 3, SOON);
        }
        lab.tardis().awaitCode(before, 5, SOON);
        List<JsonNode> published = lab.tardis().replayAll();
        assertThat(published.stream().map(TardisCommandIT::name).filter(it -> !it.equals("probe")))
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
