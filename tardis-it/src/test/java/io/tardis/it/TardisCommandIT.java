package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The {@code tardis} command beside a daemon: what it prints, and the codes that it ends with. */
@RequiresContainers
class TardisCommandIT {

    private static final int KNOWN = 0;
    private static final int FAILED = 1;
    private static final int BAD_USAGE = 2;
    private static final int NOT_KNOWN = 3;
    private static final int TIME_IS_OVER = 124;

    @RegisterExtension static final Lab lab = Lab.withTardis();

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
    void badUsageIsDistinguishedFromNotKnown() {
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
    void waitPrintsTheCodeWhenTheContainerEnds() {
        Container container = lab.freshContainer().enabled();
        container.startEndingWith(3);

        Outcome early = lab.tardis().tardis("wait", container.name(), "--timeout", "1s");
        assertThat(early.code()).isEqualTo(TIME_IS_OVER);
        assertThat(early.out()).isEmpty();

        Path output = lab.scratch().folder("out").resolve(container.id());
        try (LiveProcess waiting =
                lab.tardis().command("wait", container.id(), "--timeout", "60s").start(output)) {
            container.end();

            assertThat(waiting.awaitExit(SOON)).isEqualTo(KNOWN);
            assertThat(waiting.output()).isEqualTo("3\n");
        }
        container.remove();
        assertThat(lab.tardis().tardis("wait", container.id()).orFail().out()).isEqualTo("3\n");
        assertThat(lab.tardis().tardis("wait", "never", "--timeout", "20s").code())
                .isEqualTo(NOT_KNOWN);
    }

    @ContainerTest
    void lsListsContainersOfANamespace() {
        Outcome _ = lab.container("one", "good").enabled().run("/bin/true");
        Outcome _ = lab.container("two", "bad").enabled().sh("exit 3");
        Container busy = lab.container("two", "busy").enabled();
        busy.startEndingWith(0);

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
        busy.end();
        assertThat(busy.remove()).isEqualTo(0);
    }

    @ContainerTest
    void watchPrintsALineForEachExit() {
        Outcome _ = lab.container("first").enabled().run("/bin/true").orFail();
        Container watched = lab.freshContainer().enabled();
        Path output = lab.scratch().folder("out").resolve(watched.id());
        try (LiveProcess watch = lab.tardis().command("watch").start(output)) {
            // It does not say when it has subscribed: containers run until one is seen.
            Wait.until(
                    () -> "line:\n" + watch.output(),
                    SOON,
                    () -> {
                        Outcome _ = lab.container("probe").run("/bin/true");
                        return watch.lines().stream().anyMatch(line -> line.contains("probe"));
                    });

            Outcome _ = watched.sh("exit 42");

            watch.awaitLine("exit", SOON, line -> line.contains(watched + " exited with 42"));
            assertThat(watch.lines().stream().filter(line -> line.contains(watched + " ")))
                    .hasSize(1);
        }
    }

    @ContainerTest
    void watchBeginsWithThePastIfAskedTo() {
        Outcome _ = lab.container("past").enabled().sh("exit 9");
        Path output = lab.scratch().folder("out").resolve("watch-all");

        try (LiveProcess watch = lab.tardis().command("watch", "--all").start(output)) {
            watch.awaitLine("past", SOON, line -> line.contains("past exited with 9"));
        }
    }

    /** Tardis's directories are root's alone, which is no sign that no daemon runs. */
    @ContainerTest
    void anotherUserIsAnsweredThatPermissionIsDenied() {
        Outcome _ = lab.container("asked-for").enabled().sh("exit 3");
        Path copy = lab.scratch().root().resolve("copy.db");
        Path config = Path.of(lab.tardis().setting("TARDIS_CONFIG"));
        Outcome _ = Command.of("chmod", "600", config.toString()).run().orFail();
        Outcome _ = Command.of("chmod", "711", lab.scratch().root().toString()).run().orFail();

        for (List<String> command :
                List.of(
                        List.of("status"),
                        List.of("stop"),
                        List.of("restart"),
                        List.of("ls"),
                        List.of("backup", copy.toString()),
                        List.of("get", "asked-for"),
                        List.of("wait", "asked-for"),
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
        Path exits = lab.tardis().stateDir().resolve("exits.db");
        for (List<String> command :
                List.of(
                        List.of("status"),
                        List.of("stop"),
                        List.of("restart"),
                        List.of("backup", copy.toString()))) {
            Outcome denied = asNobody(command);

            Path file = command.size() > 1 ? exits : lock;
            assertThat(denied.code()).as("%s", denied).isEqualTo(FAILED);
            assertThat(denied.out()).as("%s", denied).isEmpty();
            assertThat(denied.err())
                    .as("%s", denied)
                    .isEqualTo("tardis: cannot tell: permission denied on " + file + "\n");
        }
        // What is asked over ZeroMQ needs no directory, but a user who may read.
        for (List<String> command : List.of(List.of("get", "asked-for"), List.of("ls"))) {
            Outcome denied = asNobody(command);

            assertThat(denied.code()).as("%s", denied).isEqualTo(FAILED);
            assertThat(denied.out()).as("%s", denied).isEmpty();
            assertThat(denied.err()).contains("permission denied on tcp://127.0.0.1:");
        }
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
}
