package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.RegisterExtension;

/** One daemon a state directory, whatever the pid file says. */
@RequiresContainers
class SingleInstanceIT {

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    void secondDaemonSaysWhoIsRunningAndEnds() {
        TardisNode other =
                lab.tardis()
                        .with(
                                "TARDIS_RUN_DIR",
                                lab.scratch().folder("other").resolve("run").toString());
        try (LiveProcess first = lab.tardis().startDaemon();
                LiveProcess second = other.launchDaemon()) {
            long running = lab.tardis().runningDaemon().pid();

            int code = second.awaitExit(SOON);

            assertThat(code).isEqualTo(TardisNode.ANOTHER_RUNS);
            assertThat(second.output()).contains(Long.toString(running));
            assertThat(first.isAlive()).isTrue();
            assertThat(lab.tardis().runningDaemon().pid()).isEqualTo(running);
            assertThat(lab.tardis().ask("{\"op\":\"ping\"}").path("status").asString())
                    .isEqualTo("ok");
        }
    }

    @ContainerTest
    void backgroundStartBesideARunningDaemonEndsWithTheSameCode() {
        try (LiveProcess _ = lab.tardis().startDaemon();
                LiveProcess second = lab.tardis().launchDaemon()) {
            int code = second.awaitExit(SOON);

            Outcome third = lab.tardis().tardis("daemon", "--background");

            assertThat(code).isEqualTo(TardisNode.ANOTHER_RUNS);
            assertThat(third.code()).isEqualTo(TardisNode.ANOTHER_RUNS);
        }
    }

    @ContainerTest
    void twoStateDirectoriesHaveTwoDaemons() {
        TardisNode other =
                new TardisNode(
                        TardisInstallation.fromBuild(),
                        lab.scratch().root().resolve("tardis-2"),
                        lab.containerd().socket());
        try (LiveProcess first = lab.tardis().startDaemon();
                other;
                LiveProcess second = other.startDaemon()) {
            assertThat(first.isAlive()).isTrue();
            assertThat(second.isAlive()).isTrue();
            assertThat(other.runningDaemon()).isNotEqualTo(lab.tardis().runningDaemon());
        }
    }

    @ContainerTest
    void pidFileOfADeadProcessDoesNotBlock() throws IOException {
        writePidFile("4194303999\n");

        assertStarts();
    }

    @ContainerTest
    void pidFileOfAnotherProgramDoesNotBlockAndThatProgramIsLeftAlone() throws IOException {
        try (LiveProcess stranger =
                Command.of("/bin/sleep", "3600").start(lab.scratch().root().resolve("stranger"))) {
            writePidFile(stranger.pid() + "\n");

            Outcome stop = lab.tardis().tardis("stop");
            assertThat(stranger.isAlive()).as("after %s", stop).isTrue();
            assertStarts();

            assertThat(stranger.isAlive()).isTrue();
        }
    }

    @ContainerTest
    void pidFileWithoutSenseDoesNotBlock() throws IOException {
        for (String text : new String[] {"", "-1\n", "9".repeat(100_000)}) {
            writePidFile(text);

            assertStarts();
        }
    }

    @ContainerTest
    void pidFileOfAKilledDaemonDoesNotBlock() {
        try (LiveProcess _ = lab.tardis().startDaemon()) {
            lab.tardis().killDaemon();
        }

        assertStarts();
    }

    private void writePidFile(String text) throws IOException {
        Path file = lab.tardis().pidFile();
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void assertStarts() {
        try (LiveProcess daemon = lab.tardis().startDaemon()) {
            assertThat(daemon.isAlive()).isTrue();
            assertThat(lab.tardis().daemon()).isPresent();
        }
        // Not of its children: the ctr of a daemon that was killed lives on until it has something
        // to write.
        Wait.until("end of the daemon", SOON, () -> lab.tardis().daemon().isEmpty());
    }
}
