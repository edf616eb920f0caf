package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.event.ContainerKey;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The native launcher, as a process, with a stand-in for runc and one for the daemon. */
class LauncherTest {

    private static final Path BUILT = Path.of("target/native/tardis-runc").toAbsolutePath();
    private static final String[] START = {"--root", "/r/default", "start", "tc"};
    private static final String[] DELETE = {"--root", "/r/default", "delete", "tc"};
    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final int RUNTIME_CODE = 42;
    private static final Duration TEN_SECONDS = Duration.ofSeconds(10);

    /** Stays alive as a daemon does, until the test's folder is gone. */
    private static final String LIVE = "while [ -e \"$0\" ]; do sleep 0.1; done";

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
        Files.createFile(config());
    }

    /** The starter of the daemon writes into the folder until the attempt is over. */
    @AfterEach
    void awaitEndOfStart() throws IOException {
        Files.deleteIfExists(launcher.resolveSibling("tardis"));
        Path lock = folder.resolve("start.lock");
        if (Files.isRegularFile(lock)) {
            try (FileChannel channel = FileChannel.open(lock, StandardOpenOption.WRITE)) {
                await().atMost(TEN_SECONDS).until(() -> channel.tryLock() != null);
            }
        }
    }

    @Test
    void sendsTheCallOfEveryVector() throws IOException, InterruptedException {
        List<String> wrong = new ArrayList<>();
        registerLife("default", "tc");
        registerLife("runc", "tc");
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            for (String vector : vectors()) {
                List<String> parts = List.of(vector.split(" \\| ", 2));
                Optional<RuncCall> expected = expected(parts.getFirst());
                if (expected.isPresent()) {
                    ContainerKey container = expected.get().container();
                    registerLife(container.namespace(), container.id());
                }

                Run run =
                        run(
                                Stream.of(parts.getLast().split(" ", -1))
                                        .map(word -> word.equals("\"\"") ? "" : word)
                                        .toArray(String[]::new));

                List<Optional<RuncCall>> requests = new ArrayList<>();
                daemon.requests.drainTo(requests);
                if (run.code() != RUNTIME_CODE
                        || !requests.equals(expected.stream().map(Optional::of).toList())) {
                    wrong.add(vector + ": " + run + ", asked " + requests);
                }
            }
        }
        assertThat(wrong).isEmpty();
    }

    private static List<String> vectors() throws IOException {
        try (InputStream file =
                Objects.requireNonNull(
                        LauncherTest.class.getResourceAsStream("command-lines.txt"))) {
            return new String(file.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .toList();
        }
    }

    /** The call that a vector expects; empty where it passes through. */
    private Optional<RuncCall> expected(String text) {
        List<String> words = List.of(text.replace("/cwd", folder.toString()).split(" "));
        if (words.equals(List.of("pass"))) {
            return Optional.empty();
        }
        ContainerKey container = new ContainerKey(words.get(1), words.get(2));
        Path root = Path.of(words.get(3)).normalize();
        return Optional.of(
                switch (words.getFirst()) {
                    case "create" -> new RuncCall.Create(container, root, Path.of(words.get(4)));
                    case "start" -> new RuncCall.Start(container, root);
                    case "delete" -> new RuncCall.Delete(container, root, false);
                    case "delete-force" -> new RuncCall.Delete(container, root, true);
                    default -> throw new AssertionError(text);
                });
    }

    @Test
    void sendsPathsWithAnyBytes() throws IOException, InterruptedException {
        Path bundle = bundle("two words\n é", "TARDIS_ENABLE=");
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            Run run = run("--root", "r é/default", "create", "-b", "two words\n é", "tc");

            assertThat(run.code()).isEqualTo(RUNTIME_CODE);
            assertThat(daemon.calls())
                    .containsExactly(
                            new RuncCall.Create(TC, folder.resolve("r é/default"), bundle));
        }
    }

    /** The daemon refuses and logs what is not absolute. */
    @Test
    void sendsARelativePathWhereItsDirectoryHasGone() throws IOException, InterruptedException {
        registerLife("default", "tc");
        Path gone =
                script(
                        folder.resolve("gone"),
                        "mkdir d; cd d; rmdir ../d; exec %s --root r/default start tc"
                                .formatted(launcher));
        tardis("exit 2");

        assertThat(start(gone, Map.of()).code()).isEqualTo(RUNTIME_CODE);

        assertThat(Files.readString(note(), StandardCharsets.ISO_8859_1))
                .endsWith("start\0default\0tc\0./r/default\0\0" + "0\0");
    }

    @Test
    void asksAtCreateOnlyIfTheBundleMentionsTardis() throws IOException, InterruptedException {
        Path _ = bundle("ours", "{\"process\":{\"env\":[\"PATH=/bin\",\"TARDIS_ENABLE=1\"]}}");
        Path _ = bundle("annotated", "{\"annotations\":{\"io.tardis.enable\":\"true\"}}");
        Path _ = bundle("other", "{\"process\":{\"env\":[\"PATH=/bin\"]}}");
        Path _ = bundle("empty", "");
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
            run("--root", "/r/default", "create", "--bundle", "annotated", "tc");

            assertThat(daemon.requests).hasSize(4);
        }
    }

    @Test
    void asksAtCreateIfALifeOfThatNameIsStillOpen() throws IOException, InterruptedException {
        Path _ = bundle("other", "{}");
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
                    LauncherProtocol.writeEnd(out, true);
                })) {
            Run run = run(DELETE);

            assertThat(run.code()).isEqualTo(RUNTIME_CODE);
            assertThat(run.taken()).isGreaterThan(work);
        }
        assertThat(failure()).doesNotExist();
        assertThat(note()).doesNotExist();
    }

    @Test
    void startsTheDaemonApartFromItsCaller() throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis(
                """
                { echo "$*"; pwd; umask; ulimit -c; ulimit -n; ulimit -Hn; ps -o sid= -p $$; echo $$; } >surroundings
                { env; } >environment
                # Without a process: while the shell makes one, it blocks all signals.
                while read -r name mask; do
                    case $name in SigBlk: | SigIgn:) echo "$mask" ;; esac
                done </proc/$$/status >signals
                ls -l /proc/$$/fd >descriptors
                """
                        + LIVE);
        Path meddling =
                script(
                        folder.resolve("meddling"),
                        "umask 077; cd bin; ulimit -c unlimited; exec env --ignore-signal=HUP"
                                + " --block-signal=TERM %s --root /r/default start tc"
                                        .formatted(launcher));

        Process started =
                builder(
                                meddling,
                                Map.of(
                                        "SECRET", "s",
                                        "LD_LIBRARY_PATH", "/no/such",
                                        "JAVA_TOOL_OPTIONS", "-version",
                                        "LANG", "C",
                                        "TARDIS_ENABLE", "1"))
                        .start();
        await().atMost(TEN_SECONDS).until(() -> Files.exists(folder.resolve("descriptors")));
        try (FakeDaemon _ = new FakeDaemon(FakeDaemon::go)) {
            assertThat(started.waitFor()).isEqualTo(RUNTIME_CODE);
            awaitStarter(); // which writes into the folder that is removed
        }

        assertThat(started.inputReader().readAllLines()).isEmpty();
        assertThat(started.errorReader().readAllLines()).isEmpty();
        List<String> surroundings = Files.readAllLines(folder.resolve("surroundings"));
        assertThat(surroundings.subList(0, 4)).containsExactly("daemon", "/", "0022", "0");
        assertThat(surroundings.get(4)).isEqualTo(surroundings.get(5));
        assertThat(surroundings.get(6).strip()).isEqualTo(surroundings.get(7));
        assertThat(Files.readAllLines(folder.resolve("environment")))
                .contains("LC_ALL=C.UTF-8", "TARDIS_RUN_DIR=" + folder)
                .noneMatch(line ->
                        line.matches(
                                "(SECRET|LD_.*|JAVA_T.*|LANG|TARDIS_ENABLE|TARDIS_LAUNCHER)=.*"));
        assertThat(Files.readAllLines(folder.resolve("signals")))
                .containsExactly("0000000000000000", "0000000000000000");
        // The shell has its script and the file of its redirection open.
        assertThat(Files.readAllLines(folder.resolve("descriptors")))
                .filteredOn(line -> line.contains(" -> "))
                .allMatch(line -> line.matches(".*/(dev/null|start\\.log|bin/tardis|descriptors)"));
    }

    @Test
    void letsOneStartTheDaemonAndTheOthersWaitForIt() throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("echo >>starts\n" + LIVE);
        List<Process> launchers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            launchers.add(builder(launcher, Map.of(), START).start());
        }
        await().atMost(TEN_SECONDS).until(() -> Files.exists(folder.resolve("starts")));

        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            for (Process started : launchers) {
                assertThat(started.waitFor()).isEqualTo(RUNTIME_CODE);
            }

            assertThat(daemon.calls()).hasSize(3);
            awaitStarter();
        }
        assertThat(starts()).isEqualTo(1);
        assertThat(note()).doesNotExist();
        assertThat(failure()).doesNotExist();
    }

    @Test
    void remembersAStartThatFailedAndWaitsForNone() throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis(
                """
                echo >>starts
                echo 'tardis: the port is taken' >&2
                printf '\\tat io.tardis\\n' >&2
                exit 2
                """);

        assertThat(run(START).code()).isEqualTo(RUNTIME_CODE);
        delayFailure();
        List<Run> later = List.of(run(START), run(DELETE), run(DELETE));

        assertThat(starts()).isEqualTo(1);
        assertThat(later).allMatch(it -> it.code() == RUNTIME_CODE);
        assertThat(failureLines())
                .contains("failures=1", "reason=the daemon does not start: the port is taken");
        assertThat(log().lines()).singleElement().asString().contains("WARN", "the port is taken");
        assertThat(notes()).hasSize(4);
    }

    @Test
    void triesAgainWhenTheSettingsChangeOrTheDelayIsOver()
            throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("echo >>starts; exit 2");
        Run _ = run(START);
        delayFailure();

        Files.writeString(config(), "# changed\n");
        // More than one call each: who started the daemon before may still be ending.
        for (String line : List.of("failures=2", "failures=3")) {
            await().atMost(TEN_SECONDS)
                    .until(() -> {
                        Run _ = run(START);
                        return failureLines().contains(line);
                    });
        }

        assertThat(starts()).isEqualTo(3);
        assertThat(failureLines().getLast()).contains("ended with status 2");
    }

    /** As where the kernel ends it, for want of memory, or a program that spares some. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void waitsNoMoreForADaemonThatIsEndedSoonAfterItsSecondStart(boolean byForce)
            throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("trap 'exit 0' TERM; echo $$ >>starts\n" + LIVE);

        haveItStarted(1);
        endTheDaemon(byForce);
        haveItStarted(2);
        assertThat(failure()).doesNotExist();
        endTheDaemon(byForce);
        assertThat(run(START).code()).isEqualTo(RUNTIME_CODE);
        assertThat(notes()).hasSize(1);
        assertThat(failureLines())
                .contains(
                        "failures=1",
                        "reason=the daemon ended within 10 s of its start, 2 times in a row");
        assertThat(starts()).isEqualTo(2);

        // When its time has come it is started again, and nobody waits.
        retryFailureAt(0);
        assertThat(run(START).code()).isEqualTo(RUNTIME_CODE);
        await().atMost(TEN_SECONDS).until(() -> starts() == 3);
        try (FakeDaemon _ = new FakeDaemon(FakeDaemon::go)) {
            await().atMost(TEN_SECONDS).until(() -> !Files.exists(failure()));
        }
        endTheDaemon(byForce);
        assertThat(run(START).code()).isEqualTo(RUNTIME_CODE);
        assertThat(failureLines()).contains("failures=2");
        assertThat(starts()).isEqualTo(3);
    }

    @Test
    void waitsForADaemonWhereTheOneBeforeHasLived() throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("echo $$ >>starts\n" + LIVE);
        Path lastStart = folder.resolve("last-start");

        for (int i = 1; i <= 3; i++) {
            haveItStarted(i);
            Files.writeString(lastStart, "answered_at_boot_ms=1\ndeaths=1\n");
            endTheDaemon(true);
        }

        assertThat(failure()).doesNotExist();
    }

    private void endTheDaemon(boolean byForce) throws IOException {
        long pid = Long.parseLong(Files.readAllLines(folder.resolve("starts")).getLast());
        ProcessHandle daemon = ProcessHandle.of(pid).orElseThrow();
        assertThat(byForce ? daemon.destroyForcibly() : daemon.destroy()).isTrue();
        await().atMost(TEN_SECONDS).until(() -> !daemon.isAlive());
    }

    @Test
    void saysThatItsLockCannotBeOpened() throws IOException, InterruptedException {
        registerLife("default", "tc");
        Files.createDirectory(folder.resolve("start.lock"));

        assertThat(run(START).code()).isEqualTo(RUNTIME_CODE);
        assertThat(run(START).code()).isEqualTo(RUNTIME_CODE);

        assertThat(failureLines())
                .anyMatch(line -> line.startsWith("since=2"))
                .anyMatch(line -> line.contains("/start.lock cannot be opened: Is a directory"));
        assertThat(log().lines()).hasSize(1);
        assertThat(notes()).hasSize(2);
    }

    /** A container waits until the daemon answers, which is what its starter waits for, too. */
    private void haveItStarted(int starts) throws IOException, InterruptedException {
        Process started = builder(launcher, Map.of(), START).start();
        await().atMost(TEN_SECONDS)
                .until(() -> Files.exists(folder.resolve("starts")) && starts() == starts);
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            assertThat(started.waitFor()).isEqualTo(RUNTIME_CODE);
            assertThat(daemon.calls()).hasSize(1);
            awaitStarter();
        }
    }

    @Test
    void aStartThatFailsForWantOfItsProgramNamesIt() throws IOException, InterruptedException {
        registerLife("default", "tc");

        assertThat(run(START).code()).isEqualTo(RUNTIME_CODE);

        assertThat(failureLines().getLast())
                .contains(launcher.resolveSibling("tardis") + " cannot be run: No such file");
    }

    @Test
    void finishesAStartThatTakesLongerThanAnybodyWaits() throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("echo >>starts\n" + LIVE);

        Run first = run(DELETE);
        Run second = run(DELETE);

        // Of the same attempt the second one has no time left.
        assertThat(first.code()).isEqualTo(RUNTIME_CODE);
        assertThat(first.taken()).isBetween(Duration.ofSeconds(2), Duration.ofSeconds(5));
        assertThat(second.taken()).isLessThan(Duration.ofSeconds(2));
        assertThat(notes()).hasSize(2);
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            Run third = run(DELETE);

            assertThat(third.code()).isEqualTo(RUNTIME_CODE);
            assertThat(daemon.calls()).hasSize(1);
        }
        assertThat(starts()).isEqualTo(1);
    }

    @Test
    void startsNoDaemonBesideOneWhoseSocketIsGone() throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("echo >>starts");
        try (FileChannel _ = lockStateDirectory()) {
            Process started = builder(launcher, Map.of(), START).start();
            await().atMost(TEN_SECONDS).until(() -> Files.exists(folder.resolve("start.lock")));

            try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
                assertThat(started.waitFor()).isEqualTo(RUNTIME_CODE);
                assertThat(daemon.calls()).hasSize(1);
                awaitStarter();
            }
        }
        assertThat(folder.resolve("starts")).doesNotExist();
    }

    @Test
    void paysOnceForADaemonThatDoesNotAnswer() throws IOException, InterruptedException {
        registerLife("default", "tc");
        AtomicBoolean hangs = new AtomicBoolean(true);
        try (FileChannel _ = lockStateDirectory();
                FakeDaemon daemon =
                        new FakeDaemon((in, out) -> {
                            if (hangs.get()) {
                                in.readAllBytes();
                            } else {
                                LauncherProtocol.writeEnd(out, true);
                            }
                        })) {
            List<Run> runs = List.of(run(START), run(DELETE), run(DELETE));

            assertThat(runs).allMatch(it -> it.code() == RUNTIME_CODE);
            assertThat(daemon.calls()).hasSize(1);
            assertThat(failureLines()).contains("asked=no");
            assertThat(failureLines().getLast()).contains("does not answer");

            hangs.set(false);
            await().atMost(TEN_SECONDS).until(() -> !Files.exists(failure()));
            assertThat(run(DELETE).code()).isEqualTo(RUNTIME_CODE);
            assertThat(daemon.calls()).hasSize(2);
        }
        assertThat(notes()).hasSize(3);
    }

    @Test
    void leavesEachCallThatWentOnForTheDaemon() throws IOException, InterruptedException {
        Path bundle = bundle("ours", "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");
        tardis("exit 2");
        Instant before = Instant.now().truncatedTo(ChronoUnit.MILLIS);

        Run _ = run("--root", "/r/default", "create", "--bundle", "ours", "tc");
        Run _ = run(START); // no life is registered, but a create is noted
        Run _ = run("--root", "/r/default", "start", "other");

        assertThat(notes())
                .extracting(Note::call)
                .containsExactly(
                        new RuncCall.Create(TC, Path.of("/r/default"), bundle),
                        new RuncCall.Start(TC, Path.of("/r/default")));
        assertThat(notes())
                .allMatch(it -> !it.time().isBefore(before) && !it.time().isAfter(Instant.now()));
        assertThat(folder.resolve("missed")).isDirectoryContaining("glob:**/default:tc");
        assertThat(Files.getPosixFilePermissions(note()))
                .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    }

    @Test
    void leavesANoteAtOnceWhereTheDaemonAsksForOne() throws IOException, InterruptedException {
        registerLife("default", "tc");
        try (FakeDaemon daemon =
                new FakeDaemon((_, out) -> {
                    LauncherProtocol.writeWait(out, TEN_SECONDS);
                    LauncherProtocol.writeEnd(out, false);
                })) {
            assertThat(run(START).code()).isEqualTo(RUNTIME_CODE);
            assertThat(daemon.calls()).hasSize(1);
        }
        assertThat(notes()).hasSize(1);
        assertThat(failure()).doesNotExist();
    }

    @Test
    void leavesNoMoreNotesThanAreAllowed() throws IOException, InterruptedException {
        registerLife("default", "tc");
        registerLife("default", "new");
        tardis("exit 2");
        Run _ = run(START);
        delayFailure();
        Files.write(note(), new byte[64 * 1024 - 10]);
        for (int i = 1; i < 4096; i++) {
            Files.createFile(folder.resolve("missed/n:" + i));
        }

        Run _ = run(START);
        Run _ = run("--root", "/r/default", "start", "new");

        assertThat(note()).hasSize(64 * 1024 - 10);
        assertThat(folder.resolve("missed/default:new")).doesNotExist();
        assertThat(log()).contains("default/tc goes on without", "default/new goes on without");
    }

    /** The clock of the boot begins anew, and the run directory need not be in memory. */
    @Test
    void triesAgainWhereTheFailureIsOfAnEarlierBoot() throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("echo >>starts; exit 2");
        Run _ = run(START);
        retryFailureAt(Long.MAX_VALUE);

        assertThat(run(START).code()).isEqualTo(RUNTIME_CODE);

        await().atMost(TEN_SECONDS).until(() -> starts() == 2);
    }

    /** As an administrator makes it who has another disk for logs. */
    @Test
    void logsThroughALink() throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("exit 2");
        Path elsewhere = Files.createFile(folder.resolve("elsewhere"));
        Files.createSymbolicLink(folder.resolve("tardis.log"), elsewhere);

        assertThat(run(START).code()).isEqualTo(RUNTIME_CODE);

        await().atMost(TEN_SECONDS)
                .until(() -> Files.readString(elsewhere).contains("does not start"));
    }

    @Test
    void leavesANoteIfTheDaemonIsAtWorkForTooLong() throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("echo >>starts");
        try (FakeDaemon _ =
                new FakeDaemon((in, out) -> {
                    LauncherProtocol.writeWait(out, Duration.ofMillis(50));
                    in.readAllBytes(); // until the launcher has lost its patience
                })) {
            assertThat(run(DELETE).code()).isEqualTo(RUNTIME_CODE);
        }
        assertThat(folder.resolve("starts")).doesNotExist();
        assertThat(notes()).hasSize(1);
    }

    @Test
    void goesOnIfTheDaemonBreaksOffOrTalksNonsense() throws IOException, InterruptedException {
        registerLife("default", "tc");
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
        assertThat(notes()).hasSize(replies.size());
    }

    @Test
    void startsNothingWhereOthersCouldHoldItUp() throws IOException, InterruptedException {
        Path _ = bundle("ours", "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");
        tardis("echo >>starts");
        Path run = Files.createDirectory(folder.resolve("run"));
        Files.setPosixFilePermissions(run, PosixFilePermissions.fromString("rwxrwxrwx"));
        Path file = Files.createFile(folder.resolve("file"));
        Path link = Files.createSymbolicLink(folder.resolve("run-link"), folder.resolve("bin"));

        for (Path directory : List.of(run, file, link)) {
            Run create =
                    start(
                            launcher,
                            Map.of("TARDIS_RUN_DIR", directory.toString()),
                            "--root",
                            "/r/default",
                            "create",
                            "--bundle",
                            "ours",
                            "tc");
            assertThat(create.code()).isEqualTo(RUNTIME_CODE);
            assertThat(log()).contains("left in " + directory + ",");
        }
        assertThat(folder.resolve("starts")).doesNotExist();
    }

    @Test
    void makesAPrivateRunDirectoryAndChangesNoneThatIsThere()
            throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("exit 2");
        Path run = Files.createDirectory(folder.resolve("run"));
        Files.setPosixFilePermissions(run, PosixFilePermissions.fromString("rwxr-x---"));
        Map<Path, String> modes =
                Map.of(run, "rwxr-x---", folder.resolve("not/there"), "rwx------");

        for (Path directory : modes.keySet()) {
            Run _ = start(launcher, Map.of("TARDIS_RUN_DIR", directory.toString()), START);

            awaitStarter(directory);
            assertThat(directory.resolve("start-failed")).exists();
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory)))
                    .isEqualTo(modes.get(directory));
        }
    }

    @Test
    void goesOnWhereItMayNotWriteFiles() throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("exit 2");
        Path limited =
                script(
                        folder.resolve("limited"),
                        "ulimit -f 0; exec %s --root /r/default start tc".formatted(launcher));

        for (int i = 0; i < 2; i++) {
            assertThat(start(limited, Map.of()).code()).isEqualTo(RUNTIME_CODE);
        }

        awaitStarter();
        assertThat(failure()).exists();
    }

    @ParameterizedTest
    @ValueSource(strings = {"--ignore-signal=CHLD", "--block-signal=CHLD", "--default-signal"})
    void leavesNeitherSignalNorChildToTheRuntime(String signals)
            throws IOException, InterruptedException {
        registerLife("default", "tc");
        tardis("echo >>starts; exit 2");
        runtime =
                script(
                        folder.resolve("runtime"),
                        "while read -r key set; do case $key in *Pnd:) echo $set;; esac; done </proc/$$/status; ps -o pid= --ppid $$ | wc -l");
        Path meddling =
                script(
                        folder.resolve("meddling"),
                        "exec env %s %s --root /r/default start tc".formatted(signals, launcher));

        Run run = start(meddling, Map.of());

        assertThat(starts()).isEqualTo(1);
        // ps and wc are the shell's own.
        assertThat(run.out()).isEqualTo("0000000000000000\n".repeat(2) + "2\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"exec %s \"$@\"", "%s \"$@\"", "%s --debug \"$@\"", "exec %s \"$@\" --more"})
    void refusesARuntimeThatLeadsBackToIt(String text) throws IOException, InterruptedException {
        Path wrapper =
                script(folder.resolve("wrapper"), "echo >>rounds\n" + text.formatted(launcher));

        Run run =
                start(
                        launcher,
                        Map.of("TARDIS_REAL_RUNC_CMD", wrapper.toString()),
                        "--log",
                        "log",
                        "state",
                        "tc");

        assertThat(run.code()).isEqualTo(127);
        assertThat(Files.readAllLines(folder.resolve("rounds"))).hasSize(1);
        assertThat(Files.readString(folder.resolve("log"))).contains(wrapper + " leads back");
        assertThat(log()).contains("ERROR", "leads back");
    }

    @Test
    void runsAnotherCommandBelowTheRuntime() throws IOException, InterruptedException {
        Path plain = script(folder.resolve("plain"), "exit 7");
        // As a hook of runc's may do, or a daemon that a runtime has left behind.
        Path hooked =
                script(
                        folder.resolve("hooked"),
                        "TARDIS_REAL_RUNC_CMD=%s %s state tc".formatted(plain, launcher));

        Run run = start(launcher, Map.of("TARDIS_REAL_RUNC_CMD", hooked.toString()), "list");

        assertThat(run.code()).isEqualTo(7);
        Run inherited = start(launcher, Map.of("TARDIS_LAUNCHER", "1:1:1"), "list");
        assertThat(inherited.code()).isEqualTo(RUNTIME_CODE);
    }

    @ParameterizedTest
    @CsvSource({
        "TARDIS_ENABLE=, 0",
        "TARDIS_ENABLE=, 65520",
        "TARDIS_ENABLE=, 65536",
        "TARDIS_ENABLE=, 8388594",
        "io.tardis.enable, 0",
        "io.tardis.enable, 65525",
        "io.tardis.enable, 8388592"
    })
    void findsTheMarkOfAnEnabledContainerWhereverItIs(String mark, int offset)
            throws IOException, InterruptedException {
        Path _ = bundle("ours", " ".repeat(offset) + mark);
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            Run _ = run("--root", "/r/default", "create", "--bundle", "ours", "tc");

            assertThat(daemon.calls()).hasSize(1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"fifo", "directory", "sparse", "large", "device"})
    void passesOverAndLogsABundleThatItDoesNotRead(String kind)
            throws IOException, InterruptedException {
        Path config = Files.createDirectory(folder.resolve("odd")).resolve("config.json");
        switch (kind) {
            case "fifo" ->
                    assertThat(new ProcessBuilder("mkfifo", config.toString()).start().waitFor())
                            .isZero();
            case "directory" -> Files.createDirectory(config);
            case "device" -> Files.createSymbolicLink(config, Path.of("/dev/zero"));
            default -> {
                Files.writeString(config, "TARDIS_ENABLE=");
                long size = kind.equals("sparse") ? 8L << 30 : (8 << 20) + 1;
                try (FileChannel file = FileChannel.open(config, StandardOpenOption.WRITE)) {
                    file.write(ByteBuffer.allocate(1), size - 1);
                }
            }
        }
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            Run run = run("--root", "/r/default", "create", "--bundle", "odd", "tc");

            assertThat(run.code()).isEqualTo(RUNTIME_CODE);
            assertThat(run.taken()).isLessThan(TEN_SECONDS);
            assertThat(daemon.calls()).isEmpty();
        }
        assertThat(log()).contains("WARN", "default/tc goes on without Tardis", "odd/config.json");
    }

    /** A file that is mapped, and cut meanwhile, ends its reader by SIGBUS. */
    @Test
    void survivesFilesThatAreCutWhileItReadsThem() throws IOException, InterruptedException {
        Path odd = Files.createDirectory(folder.resolve("odd"));
        Path runc = script(folder.resolve("runc"), "");
        byte[] bytes = new byte[1 << 20];
        AtomicBoolean ended = new AtomicBoolean();
        Thread cutter =
                Thread.ofPlatform()
                        .start(() -> {
                            try (FileChannel first = openNew(odd.resolve("config.json"));
                                    FileChannel second =
                                            FileChannel.open(runc, StandardOpenOption.WRITE)) {
                                while (!ended.get()) {
                                    for (FileChannel file : List.of(first, second)) {
                                        file.truncate(0);
                                        file.write(ByteBuffer.wrap(bytes), 0);
                                    }
                                }
                            } catch (IOException e) {
                                throw new UncheckedIOException(e);
                            }
                        });
        try {
            for (int i = 0; i < 50; i++) {
                Run create = run("--root", "/r/default", "create", "--bundle", "odd", "tc");
                assertThat(create.code()).isEqualTo(RUNTIME_CODE);
                Run replaced =
                        start(launcher, Map.of("TARDIS_REAL_RUNC_CMD", runc.toString()), "list");
                assertThat(replaced.code()).isEqualTo(127);
            }
        } finally {
            ended.set(true);
            cutter.join();
        }
    }

    @Test
    void goesOnWithPathsThatAreTooLongForTheDaemon() throws IOException, InterruptedException {
        registerLife("default", "tc");
        try (FakeDaemon daemon = new FakeDaemon(FakeDaemon::go)) {
            Run run = run("--root", "/" + "x".repeat(17_000) + "/default", "start", "tc");

            assertThat(run.code()).isEqualTo(RUNTIME_CODE);
            assertThat(daemon.requests).isEmpty();
        }
        assertThat(log()).contains("default/tc goes on without Tardis", "too long");
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
        assertThat(Files.readString(log))
                .startsWith("{\"level\":\"error\",\"msg\":\"tardis-runc: ")
                .contains("TARDIS_REAL_RUNC_CMD=" + command)
                .endsWith("Z\"}\n");
        assertThat(log()).contains("ERROR", command);
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
        environment.put("TARDIS_CONFIG", config().toString());
        environment.put("TARDIS_STATE_DIR", folder.resolve("state").toString());
        environment.put("TARDIS_RUN_DIR", folder.toString());
        environment.put("TARDIS_LOG_FILE", folder.resolve("tardis.log").toString());
        environment.put("TARDIS_REAL_RUNC_CMD", runtime.toString());
        environment.putAll(settings);
        return builder;
    }

    /** A call that went on without the daemon. */
    private record Note(Instant time, RuncCall call) {}

    private Path config() {
        return folder.resolve("tardis.env");
    }

    private Path failure() {
        return folder.resolve("start-failed");
    }

    private List<String> failureLines() throws IOException {
        return Files.readAllLines(failure());
    }

    /** On a slow machine the delay of a second could be over before the next call. */
    private void delayFailure() throws IOException {
        String uptime = Files.readString(Path.of("/proc/uptime")).split("\\.", 2)[0];
        retryFailureAt((Long.parseLong(uptime) + 58) * 1000);
    }

    private void retryFailureAt(long bootMillis) throws IOException {
        Files.writeString(
                failure(),
                Files.readString(failure())
                        .replaceAll("retry_at_boot_ms=\\d+", "retry_at_boot_ms=" + bootMillis));
    }

    private int starts() throws IOException {
        return Files.readAllLines(folder.resolve("starts")).size();
    }

    private Path note() {
        return folder.resolve("missed/default:tc");
    }

    private List<Note> notes() throws IOException {
        List<Note> notes = new ArrayList<>();
        try (DataInputStream in = new DataInputStream(Files.newInputStream(note()))) {
            while (in.available() > 0) {
                Instant time = Instant.ofEpochMilli(in.readLong());
                notes.add(new Note(time, LauncherProtocol.readRequest(in).orElseThrow()));
            }
        }
        return notes;
    }

    /** The launcher does not wait for its log longer than a moment. */
    private String log() throws IOException {
        Path log = folder.resolve("tardis.log");
        await().atMost(TEN_SECONDS).until(() -> Files.exists(log) && Files.size(log) > 0);
        return Files.readString(log);
    }

    private static FileChannel openNew(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    }

    /** It has the lock until the daemon answers, or has failed. */
    private void awaitStarter() throws IOException {
        awaitStarter(folder);
    }

    private static void awaitStarter(Path runDirectory) throws IOException {
        try (FileChannel lock =
                FileChannel.open(runDirectory.resolve("start.lock"), StandardOpenOption.WRITE)) {
            await().atMost(TEN_SECONDS).until(() -> lock.tryLock() != null);
        }
    }

    /** As a daemon holds it. */
    private FileChannel lockStateDirectory() throws IOException {
        Path file = Files.createDirectories(folder.resolve("state")).resolve("event_listener.lock");
        FileChannel channel = openNew(file);
        FileLock lock = channel.lock();
        assertThat(lock.isValid()).isTrue();
        return channel;
    }

    private void registerLife(String namespace, String id) throws IOException {
        Path directory = folder.resolve("state/containers").resolve(namespace).resolve(id);
        Files.writeString(Files.createDirectories(directory).resolve("life.json"), "{}");
    }

    private Path bundle(String name, String config) throws IOException {
        Path bundle = Files.createDirectory(folder.resolve(name));
        Files.writeString(bundle.resolve("config.json"), config);
        return bundle;
    }

    /** What the launcher starts as the daemon, in the directory of the test. */
    private void tardis(String text) throws IOException {
        script(
                folder.resolve("bin/tardis"),
                "own=$PWD; cd '" + folder + "'\n" + text.replace("pwd;", "echo $own;"));
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

        private final BlockingQueue<Optional<RuncCall>> requests = new LinkedBlockingQueue<>();
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
            LauncherProtocol.writeEnd(out, true);
        }

        /** Without those that only ask whether it answers. */
        List<RuncCall> calls() {
            return requests.stream().flatMap(Optional::stream).toList();
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
