package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(90)
class BackgroundDaemonTest {

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void makeTardis() throws IOException {
        tardis = new Tardis(directory);
    }

    @AfterEach
    void stop() throws IOException, InterruptedException {
        tardis.stopDaemon();
    }

    @Test
    void isStartedOnceBySeveralWhoWantItAtTheSameTime() throws Exception {
        Path home = tardis.install("echo started >>'" + directory.resolve("starts") + "'");
        List<String> command = new ArrayList<>(tardis.javaCommand("-Dtardis.home=" + home));
        command.addAll(List.of("daemon", "--background"));
        try (TardisProcess one = TardisProcess.start(tardis.builder(command), directory);
                TardisProcess two = TardisProcess.start(tardis.builder(command), directory);
                TardisProcess three = TardisProcess.start(tardis.builder(command), directory)) {
            for (TardisProcess starter : List.of(one, two, three)) {
                assertFindsADaemon(starter.result().status());
            }
        }

        assertThat(directory.resolve("starts")).hasContent("started");
        assertThat(BackgroundDaemon.answers(tardis.environment().settings())).isTrue();
    }

    /** Its own, or another's where it comes late: the test does not choose which one is first. */
    private static void assertFindsADaemon(int status) {
        assertThat(status).isIn(ExitStatus.OK, ExitStatus.ALREADY_RUNNING);
    }

    private Tardis.Result startInBackground(Path home) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(tardis.javaCommand("-Dtardis.home=" + home));
        command.addAll(List.of("daemon", "--background"));
        try (TardisProcess starter = TardisProcess.start(tardis.builder(command), directory)) {
            return starter.result();
        }
    }

    /** It has no other output, and the command that started it names the log. */
    @Test
    void leavesInTheLogWhyItDidNotEvenBegin() throws Exception {
        Path home = tardis.install("echo no java here >&2; exit 1");

        assertThat(startInBackground(home))
                .isEqualTo(
                        new Tardis.Result(
                                ExitStatus.USAGE,
                                "",
                                "tardis: the daemon did not start; %s says why\n"
                                        .formatted(tardis.logFile())));

        assertThat(tardis.logFile()).hasContent("no java here");
    }

    @Test
    void runsInASessionOfItsOwnInTheRootDirectory() throws Exception {
        Path surroundings = directory.resolve("surroundings");
        Path home = tardis.install("{ pwd; ps -o sid= -p $$; echo $$; } >'" + surroundings + "'");

        assertThat(startInBackground(home)).isEqualTo(new Tardis.Result(ExitStatus.OK, "", ""));

        List<String> lines = Files.readAllLines(surroundings);
        assertThat(lines.get(0)).isEqualTo("/");
        assertThat(lines.get(1).strip()).isEqualTo(lines.get(2));
        assertThat(tardis.run("status").out()).contains("process " + lines.get(2));
    }

    @Test
    void saysAtOnceThatItDoesNotStart() throws IOException {
        BackgroundDaemon daemon = daemon("exit 1");
        long start = System.nanoTime();

        boolean runs = daemon.ensureRunning(Duration.ofSeconds(60));

        assertThat(runs).isFalse();
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(30));
    }

    @Test
    void isWaitedForWhereAnotherOneWasFaster() throws Exception {
        Path first = directory.resolve("first");
        // The first one has a second one take the state directory, and ends while that starts.
        Path home =
                tardis.install(
                        """
                        [ -e '%1$s' ] || {
                          touch '%1$s'
                          "$0" "$@" &
                          while [ -e '%1$s' ] && [ ! -e '%2$s' ]; do sleep 0.01; done
                          exit 4
                        }
                        """
                                .formatted(first, pidFile()));

        assertThat(startInBackground(home)).isEqualTo(new Tardis.Result(ExitStatus.OK, "", ""));

        assertThat(first).exists();
    }

    @Test
    void isNotWaitedForLongerThanThePatience() throws IOException {
        BackgroundDaemon daemon = daemon("exec sleep 3");
        long start = System.nanoTime();

        boolean runs = daemon.ensureRunning(Duration.ofMillis(300));

        assertThat(runs).isFalse();
        assertThat(Duration.ofNanos(System.nanoTime() - start))
                .isBetween(Duration.ofMillis(300), Duration.ofSeconds(2));
    }

    @Test
    void isNotStartedByAProgramThatIsNotThere() {
        // setsid is there, and says so by its status.
        BackgroundDaemon daemon =
                new BackgroundDaemon(
                        tardis.environment().settings(), directory.resolve("no/such/tardis"));

        assertThat(daemon.ensureRunning(Duration.ofSeconds(60))).isFalse();
    }

    @Test
    void isStartedInPrivateDirectoriesAlone() throws IOException {
        Files.createSymbolicLink(
                tardis.runDir(), Files.createDirectory(directory.resolve("elsewhere")));
        BackgroundDaemon daemon = daemon("touch '" + directory.resolve("started") + "'; exit 1");

        assertThatThrownBy(() -> daemon.ensureRunning(Duration.ofSeconds(10)))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("a symbolic link");

        assertThat(directory.resolve("started")).doesNotExist();
    }

    @Test
    void isOfAnInstallation() {
        // These tests run without one.
        assertThatThrownBy(BackgroundDaemon::ownProgram)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("bin/tardis of an installation");
    }

    @Test
    void isPutInThePlaceOfTheOneThatRuns() throws Exception {
        BackgroundDaemon starter = daemon("");
        assertThat(starter.ensureRunning(Duration.ofSeconds(30))).isTrue();
        String before = Files.readString(pidFile());

        assertThat(starter.replace(Duration.ofSeconds(60))).isTrue();

        assertThat(Files.readString(pidFile())).isNotEqualTo(before);
    }

    @Test
    void isStartedAgainWhereTheNewOneEndsAfterItHasEndedIt() throws Exception {
        BackgroundDaemon old = daemon("");
        assertThat(old.ensureRunning(Duration.ofSeconds(60))).isTrue();
        String before = Files.readString(pidFile());
        BackgroundDaemon broken =
                daemon(
                        """
                        kill %1$s
                        while [ -e '%2$s' ]; do sleep 0.01; done
                        exit 2
                        """
                                .formatted(before.strip(), pidFile()));

        assertThat(broken.replace(Duration.ofSeconds(60))).isFalse();

        assertThat(BackgroundDaemon.answers(tardis.environment().settings())).isTrue();
        assertThat(Files.readString(pidFile())).isNotEqualTo(before);
    }

    @Test
    void isNotTakenForTheNewOneWhereAnotherOneRuns() throws Exception {
        assertThat(daemon("").ensureRunning(Duration.ofSeconds(30))).isTrue();

        assertThat(daemon("exec sleep 5").replace(Duration.ofSeconds(1))).isFalse();
    }

    @Test
    void isStartedByNobodyElseWhileOneIsPutInThePlaceOfAnother() throws Exception {
        Path started = directory.resolve("started");
        BackgroundDaemon starter = daemon("touch '" + started + "'; sleep 1; exit 1");
        Thread replacing = Thread.ofPlatform().start(() -> starter.replace(Duration.ofSeconds(30)));
        await().until(() -> Files.exists(started));

        try (FileChannel startLock =
                FileChannel.open(tardis.runDir().resolve("start.lock"), StandardOpenOption.WRITE)) {
            assertThatThrownBy(startLock::tryLock).isInstanceOf(OverlappingFileLockException.class);
        }
        replacing.join();
    }

    private Path pidFile() {
        return tardis.stateDir().resolve("event_listener.pid");
    }

    private BackgroundDaemon daemon(String firstLine) throws IOException {
        return new BackgroundDaemon(
                tardis.environment().settings(),
                tardis.install(firstLine).resolve("bin").resolve("tardis"));
    }
}
