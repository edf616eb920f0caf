package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tardis.core.SetupException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.Rfc3339;
import io.tardis.runc.ShimClient;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.Thread.UncaughtExceptionHandler;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The daemon in processes of its own, with a FIFO in the place of containerd's events. */
@Timeout(90)
class DaemonTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private static final int PIPE_BYTES = 1 << 16;

    /** What operators, terminals and service managers send; 29 and 16 are SIGPOLL and SIGSTKFLT. */
    private static final List<String> SURVIVED =
            List.of(
                    "HUP", "QUIT", "USR1", "USR2", "PIPE", "ALRM", "VTALRM", "PROF", "29", "PWR",
                    "16", "XCPU", "XFSZ", "TTIN", "TTOU", "TSTP", "WINCH", "URG", "CHLD");

    @TempDir private Path directory;
    private final List<Duration> successors = new CopyOnWriteArrayList<>();
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @AfterEach
    void stop() throws IOException, InterruptedException {
        tardis.stopDaemon();
    }

    @Test
    void servesALifeFromCreateToDelete() throws Exception {
        Path events = makeFifo();
        tardis.set("TARDIS_CTR_CMD", "cat " + events);
        Path bundle = makeBundle(4_194_304);
        Path kept = tardis.stateDir().resolve("containers/default/tc");
        try (TardisProcess daemon = startDaemon()) {
            assertThat(tardis.create(TC, bundle)).isTrue();
            assertThat(tardis.startContainer(TC)).isTrue();
            assertThat(tardis.run("get", "tc").status()).isEqualTo(ExitStatus.NOT_KNOWN);

            Files.writeString(events, exit("tc", 4_194_304, 0));

            assertThat(tardis.run("wait", "--timeout", "20s", "tc"))
                    .isEqualTo(new Tardis.Result(ExitStatus.OK, "0\n", ""));
            assertThat(kept).exists();
            assertThat(tardis.delete(TC, false)).isTrue();
            assertThat(kept).doesNotExist();
            assertThat(tardis.delete(TC, true)).isTrue();
            assertThat(tardis.run("get", "tc").out()).isEqualTo("0\n");
            assertThat(tardis.run("ls").out()).contains("tc        -      exited 0");
            assertThat(daemon.isAlive()).isTrue();
        }
    }

    /** By a cleaning script, or by somebody who thought that it was not needed. */
    @Test
    void goesOnWhereItsStateDirectoryWasRemoved() throws Exception {
        Path events = makeFifo();
        tardis.set("TARDIS_CTR_CMD", "cat " + events);
        Path lifeFile = tardis.stateDir().resolve("containers/default/tc/life.json");
        Process init = new ProcessBuilder("sh", "-c", "read line; exit 7").start();
        try (TardisProcess daemon = startDaemon()) {
            Path bundle = makeBundle(init.pid());
            assertThat(tardis.create(TC, bundle)).isTrue();
            assertThat(tardis.startContainer(TC)).isTrue();
            assertThat(lifeFile).exists();

            Files.move(tardis.stateDir(), directory.resolve("moved"));

            await().atMost(PATIENCE)
                    .until(() ->
                            Files.exists(lifeFile)
                                    && Files.exists(tardis.stateDir().resolve("exits.db"))
                                    && tardis.run("status").out().contains("durable   yes"));
            assertThat(tardis.run("status").out()).contains("process " + daemon.pid());
            assertThat(permissions(tardis.stateDir())).isEqualTo("rwx------");
            init.outputWriter().close();
            assertThat(init.waitFor(10, TimeUnit.SECONDS)).isTrue();
            Files.writeString(events, exit("tc", init.pid(), 7));
            assertThat(tardis.run("wait", "--timeout", "20s", "tc"))
                    .isEqualTo(new Tardis.Result(ExitStatus.OK, "7\n", ""));
            daemon.kill();
            daemon.result();
        } finally {
            init.destroyForcibly();
        }

        tardis.set("TARDIS_CTR_CMD", "sleep 60");
        try (TardisProcess _ = startDaemon()) {
            assertThat(tardis.run("get", "tc").out()).isEqualTo("7\n");
            assertThat(tardis.run("stop").status()).isEqualTo(ExitStatus.OK);
        }
    }

    /** What a daemon left that kept the lives before, and only the ends that it knew. */
    @Test
    void answersWhatTheFirstFormatKept() throws Exception {
        copy(Path.of("src/test/resources/state-1"), tardis.stateDir());
        tardis.set("TARDIS_RETENTION", "3650d");
        for (int start = 0; start < 2; start++) {
            try (TardisProcess _ = startDaemon()) {
                for (String known :
                        List.of("plain 3", "zero 0", "seven 7", "again 0", "assumed 137")) {
                    String[] words = known.split(" ", 2);
                    assertThat(tardis.run("get", words[0]).out())
                            .as(words[0])
                            .isEqualTo(words[1] + "\n");
                }
                assertThat(tardis.run("get", "gone").err()).contains("no source reported");
                // Its process is gone for ever, and so it is lost as soon as a daemon has waited.
                await().atMost(PATIENCE)
                        .until(() ->
                                tardis.run("get", "lost").err().contains("no source reported"));
                assertThat(tardis.run("ls").out().lines()).hasSize(8);
                assertThat(tardis.run("stop").status()).isEqualTo(ExitStatus.OK);
            }
            assertThat(tardis.stateDir().resolve("containers/default/gone/last-life.json"))
                    .doesNotExist();
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(from.relativize(file).toString()));
            }
        }
    }

    @Test
    void answersFromABackupThatWasMadeBesideIt() throws Exception {
        Path events = makeFifo();
        tardis.set("TARDIS_CTR_CMD", "cat " + events);
        tardis.set("TARDIS_RECORD", "all");
        Path backup = directory.resolve("backup.db");
        Tardis.Result list;
        Tardis.Result before;
        try (TardisProcess _ = startDaemon()) {
            Files.writeString(events, exit("tc", 4_194_304, 7));
            awaitCode("tc", "7\n");
            list = tardis.run("ls", "-o", "json");
            before = tardis.run("status");

            assertThat(tardis.run("backup", backup.toString()))
                    .isEqualTo(new Tardis.Result(ExitStatus.OK, "", ""));

            Tardis.Result again = tardis.run("backup", backup.toString());
            assertThat(again.status()).isEqualTo(ExitStatus.USAGE);
            assertThat(again.err()).contains(backup + " exists already");
            assertThat(permissions(backup)).isEqualTo("rw-------");
            assertThat(tardis.run("stop").status()).isEqualTo(ExitStatus.OK);
        }
        Files.move(tardis.stateDir(), directory.resolve("old"));
        Files.createDirectory(tardis.stateDir());
        Files.copy(backup, tardis.stateDir().resolve("exits.db"));

        try (TardisProcess _ = startDaemon()) {
            assertThat(tardis.run("get", "tc").out()).isEqualTo("7\n");
            assertThat(tardis.run("ls", "-o", "json")).isEqualTo(list);
            Files.writeString(events, exit("next", 4_194_303, 3));
            awaitCode("next", "3\n");
            assertThat(lastExit(tardis.run("status"))).isGreaterThan(lastExit(before));
        }
    }

    private void awaitCode(String container, String code) {
        await().atMost(PATIENCE).until(() -> tardis.run("get", container).out().equals(code));
    }

    private static long lastExit(Tardis.Result status) {
        return status.out()
                .lines()
                .filter(it -> it.startsWith("last exit "))
                .mapToLong(it -> Long.parseLong(it.substring("last exit ".length())))
                .sum();
    }

    @Test
    void isNotWellWhileItReceivesNothing() throws Exception {
        tardis.set("TARDIS_CTR_CMD", "/no/such/ctr events");
        try (TardisProcess _ = startDaemon()) {
            await().until(() -> tardis.run("status").status() == ExitStatus.FAILED);

            assertThat(tardis.run("status").out())
                    .containsPattern(
                            "\nDEGRADED  the event source '/no/such/ctr events' .*/no/such/ctr")
                    .contains("\nsocket    " + tardis.socket() + "\n");
            assertThat(tardis.run("doctor").out())
                    .contains("FAIL  daemon      the event source '/no/such/ctr events'");
        }
    }

    @Test
    void answersItsStatusAndIsStopped() throws Exception {
        try (TardisProcess daemon = startDaemon()) {
            Tardis.Result status = tardis.run("status");
            assertThat(status.status()).isEqualTo(ExitStatus.OK);
            assertThat(status.out())
                    .startsWith("daemon    running as process " + daemon.pid() + "\n")
                    .contains("version   " + Version.text() + "\n")
                    .contains("last exit none\n")
                    .contains("durable   yes\n")
                    .contains("state     " + tardis.stateDir() + "\n");

            Tardis.Result stop = tardis.run("stop");

            assertThat(stop)
                    .isEqualTo(
                            new Tardis.Result(
                                    ExitStatus.OK, "stopped process " + daemon.pid() + "\n", ""));
            assertThat(daemon.result().status()).isEqualTo(ExitStatus.OK);
        }
        assertThat(tardis.socket()).doesNotExist();
        assertThat(tardis.stateDir().resolve("event_listener.pid")).doesNotExist();
        assertThat(Files.readString(tardis.logFile())).contains("stopped").doesNotContain("ERROR");
    }

    @Test
    void saysThatNoDaemonRuns() {
        assertThat(tardis.run("status"))
                .isEqualTo(
                        new Tardis.Result(
                                ExitStatus.NOT_KNOWN,
                                "no daemon runs on " + tardis.stateDir() + "\n",
                                ""));
        assertThat(tardis.run("stop"))
                .isEqualTo(
                        new Tardis.Result(
                                ExitStatus.OK,
                                "no daemon runs on " + tardis.stateDir() + "\n",
                                ""));
    }

    @Test
    void runsOnceOnAStateDirectoryAndIsKeptByASecondStart() throws Exception {
        try (TardisProcess first = startDaemon();
                TardisProcess second = tardis.start("daemon")) {
            Tardis.Result result = second.result();

            assertThat(result.status()).isEqualTo(ExitStatus.ALREADY_RUNNING);
            assertThat(result.err())
                    .contains(
                            "tardis: Tardis already runs on "
                                    + tardis.stateDir()
                                    + " as process "
                                    + first.pid());
            assertThat(first.isAlive()).isTrue();
            assertThat(isAnswered()).isTrue();
            assertThat(tardis.run("daemon", "--background").status())
                    .isEqualTo(ExitStatus.ALREADY_RUNNING);
        }
    }

    @Test
    void keepsItsDirectoriesAndItsSocketToItself() throws Exception {
        try (TardisProcess _ = startDaemon()) {
            assertThat(permissions(tardis.stateDir())).isEqualTo("rwx------");
            assertThat(permissions(tardis.runDir())).isEqualTo("rwx------");
            assertThat(permissions(tardis.socket())).isEqualTo("rw-------");
        }
    }

    @Test
    void startsAgainAfterItWasKilled() throws Exception {
        try (TardisProcess killed = startDaemon()) {
            killed.kill();
            killed.result();
        }
        assertThat(tardis.socket()).exists();
        assertThat(tardis.run("status").status()).isEqualTo(ExitStatus.NOT_KNOWN);

        try (TardisProcess again = startDaemon()) {
            assertThat(tardis.run("status").out()).contains("process " + again.pid());
        }
    }

    /** Which a launcher noted; this daemon was started by somebody else. */
    @Test
    void forgetsThatAStartHasFailed() throws Exception {
        Path note = Files.createDirectories(tardis.runDir()).resolve("start-failed");
        Files.setPosixFilePermissions(
                tardis.runDir(), PosixFilePermissions.fromString("rwx------"));
        Files.writeString(note, "failures=1\n");

        try (TardisProcess _ = startDaemon()) {
            await().atMost(PATIENCE).until(() -> Files.notExists(note));
        }
    }

    @Test
    void endsWithAMessageWhereAnEndpointIsTaken() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            tardis.set("TARDIS_QUERY_ENDPOINT", "tcp://127.0.0.1:" + taken.getLocalPort());
            TardisProcess daemon = tardis.start("daemon");
            Tardis.Result result = daemon.result();

            assertThat(result.status()).isEqualTo(ExitStatus.USAGE);
            assertThat(result.err())
                    .matches(
                            "(?s).*tardis: cannot bind tcp://127\\.0\\.0\\.1:\\d+: Address already in use\n.*");
        }
        assertThat(tardis.socket()).doesNotExist();
        assertThat(Files.readString(tardis.logFile())).contains("the daemon cannot run");
    }

    /** One in this process, which notes the status that it would end that with. */
    private Daemon soonHalted(Consumer<Duration> successor, List<Integer> statuses) {
        return new Daemon(
                tardis.environment(),
                tardis.environment().settings(),
                false,
                false,
                successor,
                new Daemon.Ending(PATIENCE, Duration.ofMillis(50), statuses::add));
    }

    /** As when a thread of ZeroMQ's dies, for which the end of its context waits. */
    @Test
    void isHaltedWhereItFailsAndDoesNotEnd() {
        List<Integer> statuses = new CopyOnWriteArrayList<>();
        Daemon daemon = soonHalted(successors::add, statuses);

        daemon.fail("a thread", new IllegalStateException("it died"));
        daemon.fail("another thread", new IllegalStateException("it died of that"));

        await().untilAsserted(() -> assertThat(statuses).containsExactly(ExitStatus.FAILED));
        assertThat(successors).hasSize(1).first().isNotEqualTo(Duration.ZERO);
    }

    /** Where its files were replaced before it had loaded what it needs to start a successor. */
    @Test
    void isHaltedAlsoWhereAClassIsMissing() {
        List<Integer> statuses = new CopyOnWriteArrayList<>();
        Daemon daemon =
                soonHalted(
                        _ -> {
                            throw new NoClassDefFoundError("io/tardis/cli/Successor");
                        },
                        statuses);

        daemon.fail("a thread", new NoClassDefFoundError("some other"));

        await().untilAsserted(() -> assertThat(statuses).containsExactly(ExitStatus.FAILED));
    }

    @Test
    void isNotHaltedWhereItEndsAfterAFailure() throws Exception {
        Files.createSymbolicLink(
                tardis.stateDir(), Files.createDirectory(directory.resolve("elsewhere")));
        List<Integer> statuses = new CopyOnWriteArrayList<>();
        Daemon daemon = soonHalted(successors::add, statuses);
        UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
        try {
            assertThatThrownBy(daemon::run).isInstanceOf(SetupException.class);
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(before);
        }

        daemon.fail("a thread", new IllegalStateException("it died"));

        await().during(Duration.ofMillis(300)).until(statuses::isEmpty);
    }

    /** Nobody has read there for long: the pipe of its standard streams is full. */
    @Test
    void servesWhileNobodyReadsWhatItPrints() throws Exception {
        Path fifo = makeFifo();
        tardis.set("TARDIS_LOG_LEVEL", "DEBUG");
        Path bundle = Files.createDirectory(directory.resolve("bundle"));
        Files.writeString(
                bundle.resolve("config.json"), "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");
        try (RandomAccessFile pipe = new RandomAccessFile(fifo.toFile(), "rw")) {
            pipe.write(new byte[PIPE_BYTES]);
            List<String> command = new ArrayList<>(tardis.javaCommand());
            command.add("daemon");
            Process process =
                    tardis.builder(command)
                            .redirectOutput(fifo.toFile())
                            .redirectError(fifo.toFile())
                            .start();
            try {
                await().atMost(PATIENCE).until(this::isAnswered);
                signal(process.pid(), "QUIT");
                awaitLog("Full thread dump");

                assertThat(tardis.create(TC, bundle)).isTrue();
                assertThat(tardis.delete(TC, false)).isTrue();
                signal(process.pid(), "TERM");

                assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
                assertThat(process.exitValue()).isEqualTo(ExitStatus.OK);
                awaitLog(" stopped");
            } finally {
                process.destroyForcibly();
            }
        }
    }

    @Test
    void survivesEverySignalButTermAndInt() throws Exception {
        try (TardisProcess daemon = startDaemon()) {
            for (String signal : SURVIVED) {
                signal(daemon.pid(), signal);
                if (signal.equals("TSTP")) {
                    signal(daemon.pid(), "CONT");
                }

                assertThat(isAnswered()).as("answers after SIG%s", signal).isTrue();
            }
            assertThat(daemon.isAlive()).isTrue();
            awaitLog("Full thread dump");

            signal(daemon.pid(), "INT");

            assertThat(daemon.result().status()).isEqualTo(ExitStatus.OK);
        }
    }

    @Test
    void readsItsLogLevelAndOpensItsLogAgainAtSighup() throws Exception {
        try (TardisProcess daemon = startDaemon()) {
            Path renamed = directory.resolve("renamed.log");
            Files.move(tardis.logFile(), renamed);
            Files.writeString(tardis.configFile(), "TARDIS_LOG_LEVEL=DEBUG\n");
            signal(daemon.pid(), "HUP");
            awaitLog("SIGHUP: the log is opened again, and its level is DEBUG");
            assertThat(renamed).content().doesNotContain("SIGHUP");

            Files.writeString(tardis.configFile(), "TARDIS_LOG_LEVEL=LOUD\n");
            signal(daemon.pid(), "HUP");

            awaitLog(
                    "nothing else changes: "
                            + tardis.configFile()
                            + ", line 1: TARDIS_LOG_LEVEL=LOUD");
            tardis.stopDaemon();
            awaitLog("stopped listening"); // which is a line of DEBUG
        }
    }

    /** However far it has come. */
    @Test
    void endsInOrderWhileItIsStarted() throws Exception {
        for (int millis : new int[] {100, 400, 700, 1000, 1500}) {
            try (TardisProcess daemon = tardis.start("daemon")) {
                Thread.sleep(millis); // not for something to happen: any moment will do
                signal(daemon.pid(), millis % 200 == 0 ? "INT" : "TERM");

                assertEndedByTheSignal(daemon.result().status(), millis);
            }
            assertThat(tardis.socket()).doesNotExist();
            assertThat(tardis.stateDir().resolve("event_listener.pid")).doesNotExist();
        }
    }

    /** In order, or by the JVM: the test does not choose how far the start has come. */
    private static void assertEndedByTheSignal(int status, int millis) {
        assertThat(status).as("after %d ms", millis).isIn(ExitStatus.OK, 128 + 2, 128 + 15);
    }

    private void awaitLog(String text) {
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(tardis.logFile()).content().contains(text));
    }

    private static void signal(long pid, String name) throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("/bin/sh", "-c", "kill -s " + name + " " + pid).start();
        assertThat(kill.waitFor()).as("kill -s %s", name).isZero();
    }

    /** A container that finds the socket may end at once: its end must be received. */
    @Test
    void receivesBeforeItOpensItsSocket() throws Exception {
        Files.createDirectories(tardis.socket().resolve("in the way"));
        tardis.set("TARDIS_LOG_LEVEL", "DEBUG");
        try (TardisProcess daemon = tardis.start("daemon")) {
            Tardis.Result result = daemon.result();

            assertThat(result.err()).contains("cannot listen on " + tardis.socket());
        }
        assertThat(Files.readString(tardis.logFile())).contains("the event source is started");
    }

    @Test
    void refusesAStateDirectoryThatIsALink() throws Exception {
        Files.createSymbolicLink(
                tardis.stateDir(), Files.createDirectory(directory.resolve("elsewhere")));
        try (TardisProcess daemon = tardis.start("daemon")) {
            Tardis.Result result = daemon.result();

            assertThat(result.status()).isEqualTo(ExitStatus.USAGE);
            assertThat(result.err()).contains("but a symbolic link");
        }
    }

    private TardisProcess startDaemon() throws IOException {
        TardisProcess daemon = tardis.start("daemon");
        await().atMost(PATIENCE)
                .failFast("the daemon ended", () -> !daemon.isAlive())
                .until(this::isAnswered);
        return daemon;
    }

    private boolean isAnswered() {
        return ShimClient.isAnswered(tardis.socket());
    }

    private Path makeBundle(long init) throws IOException {
        Path bundle = Files.createDirectory(directory.resolve("bundle"));
        Files.writeString(
                bundle.resolve("config.json"), "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");
        Files.writeString(bundle.resolve("init.pid"), Long.toString(init));
        return bundle;
    }

    /** As ctr prints it when the process ends now; a status of 0 is left out. */
    private static String exit(String id, long pid, int status) {
        Instant now = Instant.now();
        return """
        %4$s default /tasks/exit \
        {"container_id":"%1$s","id":"%1$s","pid":%2$d%3$s,"exited_at":"%5$s"}
        """
                .formatted(
                        id,
                        pid,
                        status == 0 ? "" : ",\"exit_status\":" + status,
                        CtrTime.of(now),
                        Rfc3339.format(now));
    }

    private Path makeFifo() throws IOException, InterruptedException {
        Path fifo = directory.resolve("events");
        Process mkfifo = new ProcessBuilder("mkfifo", fifo.toString()).start();
        assertThat(mkfifo.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(mkfifo.exitValue()).isZero();
        return fifo;
    }

    private static String permissions(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }
}
