package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code tardis-runc} cannot be distinguished from the runtime behind it: with the daemon down, and
 * with the daemon up. Some tests put a stand-in behind it, which prints what it was started with.
 */
@RequiresContainers
class RuncTransparencyIT {

    /** What {@code tardis-runc} exits with where there is none to run. */
    private static final int NO_RUNTIME = 127;

    private static final List<List<String>> PASSED_ON =
            List.of(
                    List.of("--version"),
                    List.of("-v"),
                    List.of("features"),
                    List.of("spec"),
                    List.of(),
                    List.of("--help"),
                    List.of("help", "create"),
                    List.of("no-such-command"),
                    List.of("--no-such-option"),
                    List.of("--root"),
                    List.of("list", "--format", "json"),
                    List.of("state", "no-such-container"),
                    List.of("--log-format", "json", "state", "no-such-container"),
                    List.of("create"),
                    List.of("start"),
                    List.of("start", "no-such-container"),
                    List.of("delete"),
                    List.of("delete", "no-such-container"),
                    List.of("delete", "--force", "no-such-container"),
                    List.of("delete", "../../etc"),
                    List.of("create", "--bundle", "/no/such/bundle", "tc"),
                    List.of("create", "--no-such-option", "tc"));

    /** What the launcher logs where the daemon did not do its work. */
    private static final String GIVEN_UP = " goes on without Tardis";

    /** A thread of the daemon's that serves a launcher. */
    private static boolean isByTheDaemon(String line) {
        return line.contains("[tardis-runc-shim-");
    }

    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_LOG_LEVEL", "DEBUG");

    @ContainerTest
    void answersAsRuncDoes() {
        withDaemonDownAndUp(node -> {
            for (List<String> arguments : PASSED_ON) {
                Path direct = lab.scratch().folder("direct");
                Path through = lab.scratch().folder("through");

                Outcome expected = run(Programs.find("runc").toString(), arguments, node, direct);
                Outcome actual = run(node.runtime(), arguments, node, through);

                assertThat(actual.code()).as("code of %s", actual).isEqualTo(expected.code());
                assertThat(timeless(actual.out())).isEqualTo(timeless(expected.out()));
                assertThat(timeless(actual.err())).isEqualTo(timeless(expected.err()));
                assertThat(files(through)).isEqualTo(files(direct));
                Scratch.delete(direct);
                Scratch.delete(through);
            }
        });
    }

    /**
     * Arguments, environment, input, descriptors, working directory, umask, limits, signals, code,
     * and the pid.
     */
    @ContainerTest
    void handsEverythingOn() throws IOException {
        Path standIn = standIn();
        Path passed = passed();
        withDaemonDownAndUp(plain -> {
            TardisNode node = plain.with("TARDIS_REAL_RUNC_CMD", standIn.toString());
            for (List<String> arguments :
                    List.of(
                            words("--root /r --log /dev/null run --preserve-fds 1 id"),
                            words("exec --process=/p --detach id"),
                            words("kill create KILL"),
                            words("ps --format json delete"),
                            List.of("start", "id", "", "two words", "*", "--"),
                            words("delete --force create"))) {
                handsOn(node, standIn, passed, "", arguments);
            }
        });
    }

    @ContainerTest
    @Timeout(300)
    void handsEverythingOnAfterTheDaemonsWork() throws IOException {
        try (LiveProcess _ = lab.tardis().startDaemon()) {
            List<Container> containers = handsOnCreateStartAndDelete(() -> {}, () -> {});

            for (Container container : containers) {
                for (String work : List.of("is created", "starts as pid", "is deleted")) {
                    // A thread of its own writes the log.
                    Wait.until(work, SOON, () -> !workersOf(container, work).isEmpty());
                    assertThat(workersOf(container, work))
                            .allMatch(RuncTransparencyIT::isByTheDaemon)
                            .hasSize(1);
                }
                assertThat(lab.tardis().isKept(container)).isTrue();
            }
            assertThat(lab.tardis().log()).doesNotContain(GIVEN_UP);
        }
    }

    @ContainerTest
    @Timeout(300)
    void handsEverythingOnAfterItStartedTheDaemon() throws IOException {
        List<Container> containers =
                handsOnCreateStartAndDelete(
                        () -> {
                            lab.tardis().daemon().ifPresent(_ -> lab.tardis().killDaemon());
                        },
                        () -> {
                            lab.tardis().awaitDaemon();
                            // Else the end of this daemon would count as a start that failed.
                            Wait.until(
                                    "end of the starter",
                                    SOON,
                                    () ->
                                            lab.tardis().processes().stream()
                                                    .noneMatch(it ->
                                                            it.arguments()
                                                                    .toString()
                                                                    .contains(
                                                                            "starts the daemon")));
                        });

        // On a busy machine a start takes longer than the launcher waits.
        assertThat(containers).hasSize(2);
    }

    @ContainerTest
    @Timeout(300)
    void handsEverythingOnWhileTheDaemonHangs() throws IOException {
        // Its clocks go on while it is stopped: the deadline of a question may pass.
        lab.expectErrors("the store does not answer");
        try (LiveProcess _ = lab.tardis().startDaemon()) {
            Proc daemon = lab.tardis().runningDaemon();
            List<Container> containers =
                    handsOnCreateStartAndDelete(
                            () -> daemon.signal("STOP"), () -> daemon.signal("CONT"));

            assertThat(containers).hasSize(2);
            assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        }
    }

    /**
     * The three calls that something is done before, of containers that are enabled, by a caller
     * that meddled with signals and by one that did not.
     */
    private List<Container> handsOnCreateStartAndDelete(Runnable before, Runnable after)
            throws IOException {
        Path standIn = standIn();
        Path passed = passed();
        Path bundle = lab.scratch().folder("bundle");
        Files.writeString(
                bundle.resolve("config.json"), "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");
        TardisNode node = lab.tardis().with("TARDIS_REAL_RUNC_CMD", standIn.toString());
        String root = lab.scratch().folder("runc/default").toString();
        List<Container> containers = new ArrayList<>();
        try (LiveProcess init = Command.of("sleep", "3600").start(output("init"))) {
            Files.writeString(bundle.resolve("init.pid"), Long.toString(init.pid()));
            for (String signals :
                    List.of("", "ignore=CHLD,ignore=PIPE,ignore=INT,block=USR1,block=TERM")) {
                Container container = lab.freshContainer();
                containers.add(container);
                for (List<String> call :
                        List.of(
                                List.of(
                                        "create",
                                        "--preserve-fds",
                                        "1",
                                        "--bundle",
                                        bundle.toString()),
                                List.of("start"),
                                List.of("delete", "--force"))) { // its process runs
                    List<String> arguments =
                            new ArrayList<>(List.of("--root", root, "--log", "/dev/null"));
                    arguments.addAll(call);
                    arguments.add(container.id());
                    before.run();
                    try {
                        handsOn(node, standIn, passed, signals, arguments);
                    } finally {
                        after.run();
                    }
                }
            }
        }
        return containers;
    }

    private static void handsOn(
            TardisNode node, Path standIn, Path passed, String signals, List<String> arguments) {
        Outcome expected = launch(standIn.toString(), arguments, node, passed, signals);
        Outcome actual = launch(node.runtime(), arguments, node, passed, signals);

        assertThat(actual.code()).as("code of %s", actual).isEqualTo(42);
        assertThat(unmarked(numberless(actual.out())))
                .as("%s, signals '%s'", arguments, signals)
                .isEqualTo(numberless(expected.out()));
        assertThat(actual.out())
                .contains(
                        "typed in\nthrough a descriptor\nthrough a descriptor\n", "LISTEN_FDS=1\n")
                .contains("LISTEN_PID=" + pid(actual) + "\n");
        assertThat(actual.err()).isEqualTo("oops\n");
    }

    /** Lines of the log about some work for a container; they name the thread that did it. */
    private List<String> workersOf(Container container, String work) {
        return lab.tardis()
                .log()
                .lines()
                .filter(line -> line.contains(" RuncShim: " + container + " " + work))
                .toList();
    }

    @ContainerTest
    void isTheProcessThatTheCallerStarted() {
        Path standIn =
                script("stand-in", "trap 'exit 7' USR1; echo pid $$; while :; do sleep 0.05; done");
        withDaemonDownAndUp(plain -> {
            TardisNode node = plain.with("TARDIS_REAL_RUNC_CMD", standIn.toString());
            Path output = lab.scratch().folder("out").resolve("stand-in-" + System.nanoTime());
            try (LiveProcess process = node.runcCommand("run", "id").start(output)) {
                String line = process.awaitLine("pid", SOON, text -> text.startsWith("pid "));
                assertThat(line).isEqualTo("pid " + process.pid());

                new Proc(process.pid()).signal("USR1");

                assertThat(process.awaitExit(SOON)).isEqualTo(7);
            }
        });
    }

    @ContainerTest
    void diesOfTheSignalThatTheRuntimeDiesOf() {
        Path standIn = script("stand-in", "kill -s KILL $$");
        withDaemonDownAndUp(node ->
                assertThat(
                                node.with("TARDIS_REAL_RUNC_CMD", standIn.toString())
                                        .runcCommand("list")
                                        .run()
                                        .code())
                        .isEqualTo(137));
    }

    @ContainerTest
    void ignoresSettingsThatItDoesNotKnow() throws IOException {
        Path config = Path.of(lab.tardis().setting("TARDIS_CONFIG"));
        Files.writeString(config, "TARDIS_NO_SUCH_SETTING=1\n");

        Outcome run = lab.tardis().runcCommand("--version").run();
        Outcome container = lab.container("tc").enabled().sh("exit 3");

        assertThat(run.code()).isEqualTo(0);
        assertThat(run.err()).isEmpty();
        assertThat(container.code()).isEqualTo(3);
        lab.expectErrors();
    }

    @ContainerTest
    void neverRunsItself() {
        TardisNode node = lab.tardis().with("TARDIS_REAL_RUNC_CMD", lab.tardis().runtime());

        Outcome run = node.runcCommand("--version").run();

        // It gives up, and does not go in circles.
        assertThat(run.code()).as("%s", run).isEqualTo(NO_RUNTIME);
        assertThat(run.out()).isEmpty();
        assertThat(lab.tardis().log()).contains("is no program that could be run in its place");
        lab.expectErrors();
    }

    @ContainerTest
    void handsInputDescriptorsAndCodeToARealContainer() throws IOException {
        Path bundle = bundle("cat; cat <&3; env; exit 5");
        Path passed = passed();
        withDaemonDownAndUp(node -> {
            List<String> arguments =
                    List.of(
                            "--root",
                            lab.scratch().folder("runc").toString(),
                            "run",
                            "--preserve-fds",
                            "1",
                            "--bundle",
                            bundle.toString(),
                            "tc");
            Outcome expected =
                    launch(Programs.find("runc").toString(), arguments, node, passed, "");
            Outcome actual = launch(node.runtime(), arguments, node, passed, "");

            assertThat(expected.code()).as("%s", expected).isEqualTo(5);
            assertThat(expected.out()).startsWith("typed in\nthrough a descriptor\n");
            assertThat(actual.out()).doesNotContain("TARDIS_");
            assertThat(actual.code()).isEqualTo(expected.code());
            assertThat(actual.out()).isEqualTo(expected.out());
            assertThat(actual.err()).isEqualTo(expected.err());
        });
    }

    @ContainerTest
    void enabledContainersReadAndWriteAsOthersDo() {
        Container container = lab.container("tc").enabled().with("COLOUR", "blue").input("hello\n");

        // The first starts the daemon, the second finds it.
        for (int i = 0; i < 2; i++) {
            Outcome run = container.sh("read line; echo $line $COLOUR; echo oops >&2; exit 3");

            assertThat(run.code()).isEqualTo(3);
            assertThat(run.out()).isEqualTo("hello blue\n");
            assertThat(run.err()).isEqualTo("oops\n");
        }
    }

    private void withDaemonDownAndUp(Consumer<TardisNode> test) {
        test.accept(lab.tardis());
        assertThat(lab.tardis().daemon()).isEmpty();
        try (LiveProcess _ = lab.tardis().startDaemon()) {
            test.accept(lab.tardis());
        }
    }

    private static Outcome run(
            String program, List<String> arguments, TardisNode node, Path directory) {
        return new Command(
                        Stream.concat(Stream.of(program), arguments.stream()).toList(),
                        node.environment(),
                        directory,
                        "",
                        Duration.ofMinutes(1))
                .run();
    }

    /** As a service manager does it, that hands a socket over: {@code hand_over.py}. */
    private static Outcome launch(
            String program, List<String> arguments, TardisNode node, Path passed, String signals) {
        List<String> argv =
                new ArrayList<>(
                        List.of(
                                Machine.PYTHON,
                                TardisNode.script("hand_over.py").toString(),
                                passed.toString(),
                                signals,
                                program));
        argv.addAll(arguments);
        return Command.of(argv)
                .with(node.environment())
                .with("COLOUR", "blue")
                .input("typed in\n")
                .run();
    }

    /** A stand-in for runc that prints everything: {@code stand_in.c}. */
    private Path standIn() {
        Path file = lab.scratch().root().resolve("stand-in");
        Outcome _ =
                Command.of(
                                "cc",
                                "-Wall",
                                "-o",
                                file.toString(),
                                TardisNode.script("stand_in.c").toString())
                        .run()
                        .orFail();
        return file;
    }

    private Path passed() throws IOException {
        return Files.writeString(lab.scratch().root().resolve("passed"), "through a descriptor\n");
    }

    private Path output(String name) {
        return lab.scratch().folder("out").resolve(name);
    }

    private static List<String> words(String text) {
        return List.of(text.split(" ", -1));
    }

    private Path script(String name, String text) {
        try {
            Path file = lab.scratch().root().resolve(name);
            Files.writeString(file, "#!/bin/sh\n" + text);
            return Files.setPosixFilePermissions(
                    file, PosixFilePermissions.fromString("rwxr-xr-x"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A bundle for runc itself, without containerd. */
    private Path bundle(String script) throws IOException {
        Path bundle = lab.scratch().folder("bundle");
        Outcome _ = Command.of(Programs.find("runc").toString(), "spec").in(bundle).run().orFail();
        Path file = bundle.resolve("config.json");
        JsonMapper json = JsonMapper.shared();
        ObjectNode config = (ObjectNode) json.readTree(Files.readString(file));
        ObjectNode process = config.withObject("/process");
        process.put("terminal", false);
        process.putArray("args").add("/bin/sh").add("-c").add(script);
        config.withObject("/root").put("path", lab.containerd().rootfs().toString());
        config.withObject("/linux")
                .put("cgroupsPath", lab.containerd().cgroupOf(lab.container("bundle")));
        Files.writeString(file, json.writeValueAsString(config));
        return bundle;
    }

    private static List<String> files(Path folder) {
        try (var files = Files.list(folder)) {
            return files.sorted()
                    .map(file -> {
                        try {
                            return file.getFileName() + ": " + Files.readString(file);
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    })
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** runc's errors carry the time, to the second. */
    private static String timeless(String text) {
        return text.replaceAll(
                "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ?([+-]\\d\\d:\\d\\d)?", "TIME");
    }

    /**
     * Without its pid, and the number in the names of the files that a command reads and writes.
     */
    private static String numberless(String text) {
        return text.replaceAll("(?m)^(pid |LISTEN_PID=)\\d+$", "$1PID")
                .replaceAll("/tardis-it-\\d+\\.(in|out|err)", "/tardis-it-N.$1");
    }

    /**
     * Without the one variable that the launcher adds: by it a runtime that leads back to the
     * launcher is found out.
     */
    private static String unmarked(String text) {
        assertThat(text).containsOnlyOnce("TARDIS_LAUNCHER=");
        return text.replaceAll("(?m)^TARDIS_LAUNCHER=.*\n", "");
    }

    private static String pid(Outcome outcome) {
        return outcome.out()
                .lines()
                .filter(line -> line.startsWith("pid "))
                .map(line -> line.substring("pid ".length()))
                .findFirst()
                .orElseThrow();
    }
}
