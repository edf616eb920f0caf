package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Nobody can tell {@code tardis-runc} from the runtime behind it: with the daemon down, and with
 * the daemon up. Some tests put a stand-in behind it, a script that tells what it was started with.
 */
@RequiresContainers
class RuncTransparencyIT {

    private static final Duration SOON = Duration.ofSeconds(20);

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

    @RegisterExtension final Lab lab = Lab.withTardis();

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
     * Arguments, environment, input, descriptors, working directory, umask, signals, code, and the
     * pid.
     */
    @ContainerTest
    void handsEverythingOn() throws IOException {
        Path standIn =
                script(
                        "stand-in",
                        """
                        for argument; do printf '[%s]' "$argument"; done; echo
                        env | sort
                        pwd; umask
                        grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
                        echo "pid $$"
                        cat
                        cat <&3
                        echo oops >&2
                        exit 42
                        """);
        Path passed =
                Files.writeString(lab.scratch().root().resolve("passed"), "through descriptor 3\n");
        withDaemonDownAndUp(plain -> {
            TardisNode node = plain.with("TARDIS_REAL_RUNC_CMD", standIn.toString());
            for (String arguments :
                    List.of(
                            "--root /r --log /dev/null run --preserve-fds 1 id",
                            "exec --process=/p --detach id",
                            "kill create KILL",
                            "ps --format json delete",
                            "start id '' 'two words' '*' --",
                            "delete --force create")) {
                Outcome expected = launch(standIn.toString(), arguments, node, passed);
                Outcome actual = launch(node.runtime(), arguments, node, passed);

                assertThat(actual.code()).as("code of %s", actual).isEqualTo(42);
                assertThat(pidless(actual.out())).isEqualTo(pidless(expected.out()));
                assertThat(actual.out())
                        .contains("typed in\n", "through descriptor 3\n", "LISTEN_FDS=1\n")
                        .contains("LISTEN_PID=" + pid(actual) + "\n");
                assertThat(actual.err()).isEqualTo("oops\n");
            }
        });
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

        Outcome run = node.runcCommand("--version").within(SOON).run();

        // Either it finds the real one by itself, or it gives up; it does not go in circles.
        assertThat(run.out())
                .satisfiesAnyOf(
                        out -> assertThat(out).isEmpty(),
                        out -> assertThat(out).contains("runc version"));
        lab.expectErrors();
    }

    @ContainerTest
    void handsInputDescriptorsAndCodeToARealContainer() throws IOException {
        Path bundle = bundle("cat; cat <&3; exit 5");
        Path passed =
                Files.writeString(lab.scratch().root().resolve("passed"), "through descriptor 3\n");
        withDaemonDownAndUp(node -> {
            String arguments =
                    "--root %s run --preserve-fds 1 --bundle %s tc"
                            .formatted(lab.scratch().folder("runc"), bundle);
            Outcome expected = launch(Programs.find("runc").toString(), arguments, node, passed);
            Outcome actual = launch(node.runtime(), arguments, node, passed);

            assertThat(expected.code()).as("%s", expected).isEqualTo(5);
            assertThat(expected.out()).isEqualTo("typed in\nthrough descriptor 3\n");
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

    /** As a service manager does it, that hands a socket over: descriptor 3, and whom it is for. */
    private static Outcome launch(String program, String arguments, TardisNode node, Path passed) {
        String script =
                "umask 027; exec 3<%s; export LISTEN_FDS=1 LISTEN_PID=$$; exec %s %s"
                        .formatted(passed, program, arguments);
        return Command.of("/bin/sh", "-c", script)
                .with(node.environment())
                .with("COLOUR", "blue")
                .input("typed in\n")
                .run();
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

    private static String pidless(String text) {
        return text.replaceAll("(?m)^(pid |LISTEN_PID=)\\d+$", "$1PID");
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
