package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The native launcher, as a process, with a stand-in for runc and one for the daemon. */
class LauncherTest {

    private static final Path BUILT = Path.of("target/native/tardis-runc").toAbsolutePath();
    private static final String[] START = {"--root", "/r/default", "start", "tc"};
    private static final String[] DELETE = {"--root", "/r/default", "delete", "tc"};
    private static final int RUNTIME_CODE = 42;
    private static final Duration TEN_SECONDS = Duration.ofSeconds(10);

    @TempDir private Path folder;
    private Path launcher;
    private Path runtime;

    /** What a launcher did. */
    private record Run(int code, String out, String err, Duration taken) {}

    @BeforeEach
    void install() throws IOException {
        launcher =
                Files.copy(
                        BUILT, Files.createDirectory(folder.resolve("bin")).resolve("tardis-runc"));
        runtime = script(folder.resolve("runtime"), "exit " + RUNTIME_CODE);
        Files.createFile(folder.resolve("no-settings.env"));
    }

    @Test
    void understandsCommandLinesAsTheDaemonDoes() throws IOException, InterruptedException {
        List<String> wrong = new ArrayList<>();
        registerLife("default", "tc");
        registerLife("runc", "tc");
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            for (RuncCommandLineTest.Vector vector : RuncCommandLineTest.vectors()) {
                List<String> expected = List.of(vector.expected().split(" "));
                if (expected.size() > 1) {
                    registerLife(expected.get(1), expected.get(2));
                }

                Run run = run(vector.arguments().toArray(String[]::new));

                LauncherProtocol.Request request = daemon.requests.poll();
                boolean asked = request != null && request.arguments().equals(vector.arguments());
                if (run.code() != RUNTIME_CODE || asked == vector.expected().equals("pass")) {
                    wrong.add(vector + ": " + run + ", asked " + request);
                }
            }
        }
        assertThat(wrong).isEmpty();
    }

    @Test
    void tellsTheDaemonItsDirectoryAndArguments() throws IOException, InterruptedException {
        registerLife("default", "tc");
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            Run run = run("--root", "/r/default", "start", "", "two words", "é", "tc");

            assertThat(run.code()).isEqualTo(RUNTIME_CODE);
            assertThat(daemon.requests)
                    .containsExactly(
                            new LauncherProtocol.Request(
                                    folder,
                                    List.of(
                                            "--root",
                                            "/r/default",
                                            "start",
                                            "",
                                            "two words",
                                            "é",
                                            "tc")));
        }
    }

    @Test
    void asksAtCreateOnlyIfTheBundleMentionsTardis() throws IOException, InterruptedException {
        bundle("ours", "{\"process\":{\"env\":[\"PATH=/bin\",\"TARDIS_ENABLE=1\"]}}");
        bundle("other", "{\"process\":{\"env\":[\"PATH=/bin\"]}}");
        bundle("empty", "");
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            for (String bundle : List.of("other", "empty", "missing")) {
                Run run = run("--root", "/r/default", "create", "--bundle", bundle, "tc");
                assertThat(run.code()).isEqualTo(RUNTIME_CODE);
            }
            assertThat(daemon.requests).isEmpty();

            Run run = run("--root", "/r/default", "create", "--bundle", "ours", "tc");

            assertThat(run.code()).isEqualTo(RUNTIME_CODE);
            assertThat(daemon.requests).hasSize(1);

            Files.copy(folder.resolve("ours/config.json"), folder.resolve("config.json"));
            run("--root", "/r/default", "create", "--bundle", "", "tc");
            run("--root", "/r/default", "create", "tc");

            assertThat(daemon.requests).hasSize(3);
        }
    }

    @Test
    void asksAtCreateIfALifeOfThatNameIsStillOpen() throws IOException, InterruptedException {
        bundle("other", "{}");
        registerLife("default", "tc");
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            run("--root", "/r/default", "create", "--bundle", "other", "tc");

            assertThat(daemon.requests).hasSize(1);
        }
    }

    @Test
    void waitsAsLongAsTheDaemonAsksFor() throws IOException, InterruptedException {
        registerLife("default", "tc");
        Duration work = Duration.ofMillis(900);
        try (FakeDaemon _ =
                new FakeDaemon((_, out) -> {
                    LauncherProtocol.writeWait(out, Duration.ofSeconds(20));
                    Thread.sleep(work);
                    LauncherProtocol.writeGo(out);
                })) {
            coldShim("touch cold");

            Run run = run(DELETE);

            assertThat(run.code()).isEqualTo(RUNTIME_CODE);
            assertThat(run.taken()).isGreaterThan(work);
            assertThat(folder.resolve("cold")).doesNotExist();
        }
    }

    @Test
    void startsTheColdShimWithoutADaemon() throws IOException, InterruptedException {
        registerLife("default", "tc");
        coldShim(
                """
                echo never seen; echo never seen >&2
                { for word; do printf '[%s]' "$word"; done; echo; pwd; ls -l /proc/self/fd; cat; } >cold
                """);

        Run run = run(START);

        assertThat(run.code()).isEqualTo(RUNTIME_CODE);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).isEmpty();
        List<String> lines = Files.readAllLines(folder.resolve("cold"));
        assertThat(lines.getFirst()).isEqualTo("[shim][5000][--][--root][/r/default][start][tc]");
        assertThat(lines.get(1)).isEqualTo(folder.toString());
        // 0 and 2 are /dev/null, 1 goes to the script's file, 3 is ls's own.
        assertThat(lines.stream().filter(line -> line.contains(" -> ")))
                .hasSize(4)
                .filteredOn(line -> line.endsWith("/dev/null"))
                .hasSize(2);
    }

    @Test
    void startsTheColdShimIfTheDaemonBreaksOffOrTalksNonsense()
            throws IOException, InterruptedException {
        registerLife("default", "tc");
        coldShim("echo >>cold");
        List<FakeDaemon.Reply> replies =
                List.of(
                        (_, _) -> {},
                        (_, out) -> out.writeBytes("HTTP/1.1 400 Bad Request\r\n"),
                        (_, out) -> out.writeBytes("W\0\0"),
                        (_, out) -> LauncherProtocol.writeWait(out, Duration.ofSeconds(5)));
        for (FakeDaemon.Reply reply : replies) {
            try (FakeDaemon _ = new FakeDaemon(reply)) {
                assertThat(run(START).code()).isEqualTo(RUNTIME_CODE);
            }
        }
        assertThat(Files.readAllLines(folder.resolve("cold"))).hasSize(replies.size());
    }

    @Test
    void goesOnWithoutAColdShimIfTheDaemonIsAtWorkForTooLong()
            throws IOException, InterruptedException {
        registerLife("default", "tc");
        coldShim("touch cold");
        try (FakeDaemon _ =
                new FakeDaemon((in, out) -> {
                    LauncherProtocol.writeWait(out, Duration.ofMillis(50));
                    in.readAllBytes(); // until the launcher has lost its patience
                })) {
            assertThat(run(DELETE).code()).isEqualTo(RUNTIME_CODE);
        }
        assertThat(folder.resolve("cold")).doesNotExist();
        assertThat(Files.readString(folder.resolve("tardis.log")))
                .contains("default/tc goes on without it");
    }

    @Test
    void goesOnWithinBoundsIfDaemonAndColdShimHang() throws IOException, InterruptedException {
        registerLife("default", "tc");
        coldShim("echo $$ >pid; exec sleep 3600");
        try (FakeDaemon _ = new FakeDaemon((in, _) -> in.readAllBytes())) {
            Run run = run(DELETE);

            assertThat(run.code()).isEqualTo(RUNTIME_CODE);
            assertThat(run.out() + run.err()).isEmpty();
            // Half a second for the daemon, three for the shim; callers give up after five.
            assertThat(run.taken()).isBetween(Duration.ofSeconds(3), Duration.ofSeconds(5));
        }
        long pid = Long.parseLong(Files.readString(folder.resolve("pid")).strip());
        assertThat(ProcessHandle.of(pid)).isEmpty();
        assertThat(Files.readString(folder.resolve("tardis.log")))
                .contains("WARN")
                .contains("default/tc goes on without it");
    }

    @Test
    void letsOneStartTheDaemonAndTheOthersWaitForIt() throws IOException, InterruptedException {
        registerLife("default", "tc");
        coldShim("echo >>cold; until [ -S tardis.sock ]; do sleep 0.02; done");
        List<Process> launchers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            launchers.add(builder(launcher, Map.of(), START).start());
        }
        for (Process started : launchers) {
            await().atMost(TEN_SECONDS).until(() -> hasOpen(started, folder));
        }
        await().atMost(TEN_SECONDS).until(() -> Files.exists(folder.resolve("cold")));

        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            for (Process started : launchers) {
                assertThat(started.waitFor()).isEqualTo(RUNTIME_CODE);
            }

            assertThat(daemon.requests).hasSize(2);
        }
        assertThat(Files.readAllLines(folder.resolve("cold"))).hasSize(1);
    }

    @Test
    void waitsForAnotherOnesDaemonWithinBoundsAndStartsNoneBesideIt()
            throws IOException, InterruptedException {
        registerLife("default", "tc");
        coldShim("echo >>cold; exec sleep 3600");
        Process first = builder(launcher, Map.of(), START).start();
        await().atMost(TEN_SECONDS).until(() -> Files.exists(folder.resolve("cold")));

        Run second = run(DELETE);

        assertThat(second.code()).isEqualTo(RUNTIME_CODE);
        // Callers give up after five.
        assertThat(second.taken()).isBetween(Duration.ofSeconds(3), Duration.ofSeconds(5));
        assertThat(Files.readAllLines(folder.resolve("cold"))).hasSize(1);
        assertThat(first.waitFor()).isEqualTo(RUNTIME_CODE);
    }

    @Test
    void tellsTheColdShimTheTimeThatIsLeftAfterTheTurnOfAnother()
            throws IOException, InterruptedException {
        registerLife("default", "tc");
        coldShim("echo $2 >>cold; sleep 1.5");
        Process first = builder(launcher, Map.of(), DELETE).start();
        await().atMost(TEN_SECONDS).until(() -> Files.exists(folder.resolve("cold")));

        Run second = run(DELETE);

        assertThat(second.code()).isEqualTo(RUNTIME_CODE);
        assertThat(first.waitFor()).isEqualTo(RUNTIME_CODE);
        List<String> patience = Files.readAllLines(folder.resolve("cold"));
        assertThat(patience).hasSize(2).first().isEqualTo("3000");
        assertThat(Long.parseLong(patience.getLast())).isBetween(1L, 2500L);
    }

    @ParameterizedTest
    @ValueSource(strings = {"rwxrwxrwx", "rwxr-x---"})
    void waitsForNobodyWhereOthersCouldHoldItUp(String permissions)
            throws IOException, InterruptedException {
        registerLife("default", "tc");
        coldShim("echo >>cold; until [ -e go ]; do sleep 0.02; done");
        Path run = Files.createDirectory(folder.resolve("run"));
        Files.setPosixFilePermissions(run, PosixFilePermissions.fromString(permissions));
        Map<String, String> settings = Map.of("TARDIS_RUN_DIR", run.toString());
        Process first = builder(launcher, settings, START).start();
        Process second = builder(launcher, settings, START).start();

        await().atMost(TEN_SECONDS)
                .until(() ->
                        Files.exists(folder.resolve("cold"))
                                && Files.readAllLines(folder.resolve("cold")).size() == 2);

        Files.createFile(folder.resolve("go"));
        assertThat(first.waitFor()).isEqualTo(RUNTIME_CODE);
        assertThat(second.waitFor()).isEqualTo(RUNTIME_CODE);
    }

    @Test
    void reapsTheColdShimAlsoIfItsCallerIgnoresThatChildrenEnd()
            throws IOException, InterruptedException {
        registerLife("default", "tc");
        coldShim("touch cold");
        Path ignoring =
                script(
                        folder.resolve("ignoring"),
                        "trap '' CHLD; exec %s --root /r/default start tc".formatted(launcher));

        Run run = start(ignoring, Map.of());

        assertThat(run.code()).isEqualTo(RUNTIME_CODE);
        assertThat(run.taken()).isLessThan(Duration.ofSeconds(5));
        assertThat(folder.resolve("cold")).exists();
    }

    @Test
    void leavesNoSignalOfItsOwnToACallerThatBlocksThem() throws IOException, InterruptedException {
        registerLife("default", "tc");
        coldShim("touch cold");
        runtime =
                script(
                        folder.resolve("runtime"),
                        "while read -r key set; do case $key in *Pnd:) echo $set;; esac; done </proc/$$/status");
        Path blocking =
                script(
                        folder.resolve("blocking"),
                        "exec env --block-signal=CHLD %s --root /r/default start tc"
                                .formatted(launcher));

        Run run = start(blocking, Map.of());

        assertThat(folder.resolve("cold")).exists();
        assertThat(run.out()).isEqualTo("0000000000000000\n".repeat(2));
    }

    @Test
    void goesOnWithCommandLinesThatAreTooLongForTheDaemon()
            throws IOException, InterruptedException {
        registerLife("default", "tc");
        coldShim("touch cold");
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            Run run = run("--root", "/r/default", "start", "x".repeat(70_000), "tc");

            assertThat(run.code()).isEqualTo(RUNTIME_CODE);
            assertThat(daemon.requests).isEmpty();
        }
    }

    @Test
    void findsTheRuntimeOnThePathBehindItself() throws IOException, InterruptedException {
        Path first = Files.createDirectory(folder.resolve("first"));
        Path second = Files.createDirectory(folder.resolve("second"));
        Path third = Files.createDirectory(folder.resolve("third"));
        Files.createSymbolicLink(first.resolve("runc"), launcher);
        Files.copy(launcher, second.resolve("runc"));
        script(third.resolve("runc"), "exit 7");
        String path = ":%s:%s/:%s:/usr/bin:/bin".formatted(first, second, third);

        Run byDefault = start(launcher, Map.of("TARDIS_REAL_RUNC_CMD", "", "PATH", path), "list");
        Run byName = start(launcher, Map.of("TARDIS_REAL_RUNC_CMD", "runc", "PATH", path), "list");

        assertThat(byDefault.code()).isEqualTo(7);
        assertThat(byName.code()).isEqualTo(7);
    }

    @ParameterizedTest
    @ValueSource(strings = {"bin/tardis-runc", "link", "hard-link", "copy", "missing", "."})
    void neverBecomesItselfOrWhatCannotBeRun(String configured)
            throws IOException, InterruptedException {
        Files.createSymbolicLink(folder.resolve("link"), launcher);
        Files.createLink(folder.resolve("hard-link"), launcher);
        Files.copy(launcher, folder.resolve("copy"));
        String command = folder.resolve(configured).toString();
        Path log = folder.resolve("log.json");

        Run run =
                start(
                        launcher,
                        Map.of("TARDIS_REAL_RUNC_CMD", command),
                        "--log",
                        log.toString(),
                        "--log-format",
                        "json",
                        "state",
                        "tc");

        assertThat(run.code()).isEqualTo(127);
        assertThat(run.out() + run.err()).isEmpty();
        JsonNode line = JsonMapper.shared().readTree(Files.readString(log));
        assertThat(line.path("level").asString()).isEqualTo("error");
        assertThat(line.path("msg").asString()).contains("TARDIS_REAL_RUNC_CMD=" + command);
        assertThat(Files.readString(folder.resolve("tardis.log"))).contains("ERROR", command);
    }

    @Test
    void logsAsTextUnlessAskedForJson() throws IOException, InterruptedException {
        Path log = folder.resolve("log");

        Run run =
                start(
                        launcher,
                        Map.of("TARDIS_REAL_RUNC_CMD", "/no/\"such\"\n"),
                        "--log=" + log,
                        "list");

        assertThat(run.code()).isEqualTo(127);
        assertThat(Files.readAllLines(log))
                .singleElement()
                .asString()
                .matches(
                        "time=\"[-0-9T:]+Z\" level=error msg=\"tardis-runc: TARDIS_REAL_RUNC_CMD=/no/\\?such\\?\\? is .*\"");
    }

    @Test
    void readsSettingsFromItsFileAndLetsTheEnvironmentWin()
            throws IOException, InterruptedException {
        Path other = script(folder.resolve("other"), "exit 7");
        Path config = folder.resolve("tardis.env");
        Files.writeString(
                config,
                """
                # comment
                TARDIS_REAL_RUNC_CMD=/no/such
                 TARDIS_REAL_RUNC_CMD = "%s" \r
                TARDIS_REAL_RUNC_CMD=
                nonsense
                TARDIS_UNKNOWN=1\
                """
                        .formatted(other));
        Map<String, String> fromFile =
                Map.of("TARDIS_CONFIG", config.toString(), "TARDIS_REAL_RUNC_CMD", "");
        Map<String, String> both = Map.of("TARDIS_CONFIG", config.toString());

        assertThat(start(launcher, fromFile, "list").code()).isEqualTo(7);
        assertThat(start(launcher, both, "list").code()).isEqualTo(RUNTIME_CODE);
    }

    @Test
    void isAStaticProgram() throws IOException {
        String program = Files.readString(BUILT, StandardCharsets.ISO_8859_1);

        // A dynamic one names its linker in its head, /lib64/ld-linux-x86-64.so.2 for instance.
        assertThat(program.substring(1, 4)).isEqualTo("ELF");
        assertThat(program.substring(0, 4096)).doesNotContain("/ld-");
    }

    private Run run(String... arguments) throws IOException, InterruptedException {
        return start(launcher, Map.of(), arguments);
    }

    private Run start(Path program, Map<String, String> settings, String... arguments)
            throws IOException, InterruptedException {
        Path out = folder.resolve("stdout");
        Path err = folder.resolve("stderr");
        ProcessBuilder builder =
                builder(program, settings, arguments)
                        .redirectOutput(out.toFile())
                        .redirectError(err.toFile());
        long begin = System.nanoTime();
        Process process = builder.start();
        if (!process.waitFor(30, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError(builder.command() + " did not end");
        }
        Duration taken = Duration.ofNanos(System.nanoTime() - begin);
        return new Run(process.exitValue(), Files.readString(out), Files.readString(err), taken);
    }

    private ProcessBuilder builder(
            Path program, Map<String, String> settings, String... arguments) {
        List<String> command = new ArrayList<>(List.of(program.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
        Map<String, String> environment = builder.environment();
        environment.keySet().removeIf(key -> key.startsWith("TARDIS_"));
        environment.put("TARDIS_CONFIG", folder.resolve("no-settings.env").toString());
        environment.put("TARDIS_STATE_DIR", folder.resolve("state").toString());
        environment.put("TARDIS_RUN_DIR", folder.toString());
        environment.put("TARDIS_LOG_FILE", folder.resolve("tardis.log").toString());
        environment.put("TARDIS_REAL_RUNC_CMD", runtime.toString());
        environment.putAll(settings);
        return builder;
    }

    /** Whether the process has that file open. */
    private static boolean hasOpen(Process process, Path file) throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + process.pid() + "/fd"))) {
            return descriptors.anyMatch(descriptor -> {
                try {
                    return Files.readSymbolicLink(descriptor).equals(file);
                } catch (IOException e) {
                    return false; // it was closed meanwhile
                }
            });
        }
    }

    private void registerLife(String namespace, String id) throws IOException {
        Path directory = folder.resolve("state/containers").resolve(namespace).resolve(id);
        Files.writeString(Files.createDirectories(directory).resolve("life.json"), "{}");
    }

    private void bundle(String name, String config) throws IOException {
        Files.writeString(
                Files.createDirectory(folder.resolve(name)).resolve("config.json"), config);
    }

    private void coldShim(String text) throws IOException {
        script(folder.resolve("bin/tardis"), text);
    }

    private static Path script(Path file, String text) throws IOException {
        Files.writeString(file, "#!/bin/sh\n" + text + "\n");
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    /** Listens as the daemon does, and replies as the test says. */
    private final class FakeDaemon implements AutoCloseable {

        interface Reply {
            void give(DataInputStream in, DataOutputStream out)
                    throws IOException, InterruptedException;
        }

        private final BlockingQueue<LauncherProtocol.Request> requests =
                new LinkedBlockingQueue<>();
        private final Path socket = folder.resolve("tardis.sock");
        private final ServerSocketChannel server;
        private final Reply reply;
        private final Thread thread;
        private @Nullable Exception failure;

        FakeDaemon(Reply reply) throws IOException {
            this.reply = reply;
            server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            server.bind(UnixDomainSocketAddress.of(socket));
            thread = Thread.ofPlatform().name("fake-daemon").start(this::serve);
        }

        static void go(DataInputStream in, DataOutputStream out) throws IOException {
            LauncherProtocol.writeGo(out);
        }

        private void serve() {
            while (server.isOpen()) {
                try (SocketChannel connection = server.accept()) {
                    DataInputStream in = new DataInputStream(Channels.newInputStream(connection));
                    requests.add(LauncherProtocol.readRequest(in));
                    DataOutputStream out =
                            new DataOutputStream(
                                    new BufferedOutputStream(Channels.newOutputStream(connection)));
                    reply.give(in, out);
                    out.flush();
                } catch (IOException | InterruptedException e) {
                    if (server.isOpen()) {
                        failure = e;
                    }
                }
            }
        }

        @Override
        public void close() throws IOException {
            server.close();
            Files.delete(socket);
            join();
            assertThat(failure).isNull();
        }

        private void join() {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
