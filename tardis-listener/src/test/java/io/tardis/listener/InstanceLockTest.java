package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tardis.core.SetupException;
import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.ChildJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.event.Level;

class InstanceLockTest {

    private static final long OWN_PID = ProcessHandle.current().pid();

    @TempDir private Path stateDir;
    private Path pidFile;
    private Path lockFile;

    @BeforeEach
    void nameTheFiles() {
        pidFile = stateDir.resolve("event_listener.pid");
        lockFile = stateDir.resolve("event_listener.lock");
    }

    @Test
    void writesItsPidAndIsNamedByTheKernel() throws IOException {
        try (InstanceLock lock = InstanceLock.take(stateDir)) {
            assertThat(lock).isNotNull();
            assertThat(pidFile).hasContent(OWN_PID + "\n");
            assertThat(InstanceLock.holder(stateDir)).hasValue(OWN_PID);
        }
    }

    @Test
    void removesThePidFileAtTheEndAndCanBeTakenAgain() {
        InstanceLock.take(stateDir).close();

        assertThat(pidFile).doesNotExist();
        assertThat(InstanceLock.holder(stateDir)).isEmpty();
        try (InstanceLock again = InstanceLock.take(stateDir)) {
            assertThat(again).isNotNull();
            assertThat(pidFile).exists();
        }
    }

    @Test
    void refusesASecondProcessAndNamesTheFirst() throws IOException {
        try (ChildJvm child = ChildJvm.start(LockHolder.class, stateDir.toString())) {
            assertThat(child.line()).isEqualTo("held");

            assertThatThrownBy(() -> InstanceLock.take(stateDir))
                    .isInstanceOf(AlreadyRunningException.class)
                    .hasMessageContaining(stateDir.toString())
                    .hasMessageContaining("process " + child.pid());
            assertThat(InstanceLock.holder(stateDir)).hasValue(child.pid());
            assertThat(pidFile).hasContent(child.pid() + "\n");
        }
    }

    /** A file that names somebody else, or nobody, must not hide who holds the lock. */
    @ParameterizedTest
    @ValueSource(strings = {"1\n", "", "not a pid"})
    void namesTheHolderWhateverThePidFileSays(String content) throws IOException {
        try (ChildJvm child = ChildJvm.start(LockHolder.class, stateDir.toString())) {
            assertThat(child.line()).isEqualTo("held");
            Files.writeString(pidFile, content);

            assertThatThrownBy(() -> InstanceLock.take(stateDir))
                    .isInstanceOf(AlreadyRunningException.class)
                    .hasMessageContaining("process " + child.pid());
        }
    }

    /**
     * Anybody can make files on a file system that they may write to until one has the inode of the
     * lock file. A tmpfs begins with 2.
     */
    @Test
    void takesNobodyForTheHolderWhoLocksAFileOfTheSameInodeElsewhere() throws IOException {
        Path memory = Path.of("/dev/shm");
        assumeTrue(Files.isWritable(memory), "there is no tmpfs");
        Path dir = Files.createTempDirectory(memory, "tardis");
        try {
            InstanceLock.take(dir).close();
            Path file = dir.resolve("event_listener.lock");
            String inode = Files.getAttribute(file, "unix:ino").toString();
            List<String> inItsOwnTmpfs =
                    List.of(
                            "unshare",
                            "-rm",
                            "sh",
                            "-c",
                            "mount -t tmpfs none \"$0\" && exec \"$@\"",
                            stateDir.toString());
            try (ChildJvm child =
                    ChildJvm.start(
                            inItsOwnTmpfs, LockOfTheSameInode.class, stateDir.toString(), inode)) {
                assumeTrue("held".equals(child.line()), "no other file has the same inode");

                assertThat(InstanceLock.holder(dir)).isEmpty();
                Files.writeString(dir.resolve("event_listener.pid"), child.pid() + "\n");
                assertThat(InstanceLock.holder(dir)).isEmpty();
                assertThat(InstanceLock.holdingProcess(dir)).isEmpty();
            }
        } finally {
            Files.deleteIfExists(dir.resolve("event_listener.pid"));
            Files.deleteIfExists(dir.resolve("event_listener.lock"));
            Files.delete(dir);
        }
    }

    @Test
    void givesTheProcessThatHoldsItToBeSignalled() throws Exception {
        assertThat(InstanceLock.holdingProcess(stateDir)).isEmpty();
        try (ChildJvm child = ChildJvm.start(LockHolder.class, stateDir.toString())) {
            assertThat(child.line()).isEqualTo("held");
            Files.writeString(pidFile, OWN_PID + "\n");

            assertThat(InstanceLock.holdingProcess(stateDir))
                    .map(ProcessHandle::pid)
                    .hasValue(child.pid());
            child.kill();
            assertThat(InstanceLock.holdingProcess(stateDir)).isEmpty();
        }
    }

    /** A holder that only asks must not lose the lock by it. */
    @Test
    void staysHeldWhenItsOwnProcessAsksWhoHoldsIt() throws IOException {
        try (InstanceLock lock = InstanceLock.take(stateDir)) {
            assertThat(lock).isNotNull();
            assertThat(InstanceLock.holder(stateDir)).hasValue(OWN_PID);
            assertThat(InstanceLock.holder(stateDir.resolve("."))).hasValue(OWN_PID);

            try (ChildJvm child = ChildJvm.start(LockHolder.class, stateDir.toString())) {
                assertThat(child.line()).contains("process " + OWN_PID);
            }
        }
    }

    @Test
    void refusesASecondPartOfTheSameProcess() {
        try (InstanceLock lock = InstanceLock.take(stateDir)) {
            assertThat(lock).isNotNull();
            assertThatThrownBy(() -> InstanceLock.take(stateDir))
                    .isInstanceOf(AlreadyRunningException.class)
                    .hasMessageContaining("process " + OWN_PID);
        }
    }

    /** Linux drops a process's locks on a file when it closes any descriptor of that file. */
    @Test
    void staysHeldAfterASecondPartOfTheSameProcessWasRefused() throws IOException {
        try (InstanceLock lock = InstanceLock.take(stateDir)) {
            assertThat(lock).isNotNull();
            assertThatThrownBy(() -> InstanceLock.take(stateDir))
                    .isInstanceOf(AlreadyRunningException.class);

            try (ChildJvm child = ChildJvm.start(LockHolder.class, stateDir.toString())) {
                assertThat(child.line()).contains("process " + OWN_PID);
            }
        }
    }

    @Test
    void staysHeldThroughAnotherNameOfTheSameDirectory() throws IOException {
        Path alias = Files.createSymbolicLink(stateDir.resolve("alias"), stateDir);
        try (InstanceLock lock = InstanceLock.take(stateDir)) {
            assertThat(lock).isNotNull();
            assertThatThrownBy(() -> InstanceLock.take(alias))
                    .isInstanceOf(AlreadyRunningException.class);
            assertThat(InstanceLock.holder(stateDir)).hasValue(OWN_PID);
        }
    }

    @Test
    void isReleasedWhenItsHolderIsKilled() throws Exception {
        try (ChildJvm child = ChildJvm.start(LockHolder.class, stateDir.toString())) {
            assertThat(child.line()).isEqualTo("held");
            child.kill();
            assertThat(pidFile).hasContent(child.pid() + "\n");
            assertThat(InstanceLock.holder(stateDir)).isEmpty();

            try (InstanceLock lock = InstanceLock.take(stateDir)) {
                assertThat(lock).isNotNull();
                assertThat(pidFile).hasContent(OWN_PID + "\n");
            }
        }
    }

    /** Pid 1 always lives, and so does this process. */
    @ParameterizedTest
    @ValueSource(strings = {"999999999\n", "1\n", "self", "", "-1\n", "0\n", "not a pid", "\0\0\0"})
    void neverLetsAPidFileBlockAStart(String content) throws IOException {
        Files.writeString(pidFile, content.equals("self") ? OWN_PID + "\n" : content);
        Files.createFile(lockFile);
        assertThat(InstanceLock.holder(stateDir)).isEmpty();

        try (InstanceLock lock = InstanceLock.take(stateDir)) {
            assertThat(lock).isNotNull();
            assertThat(pidFile).hasContent(OWN_PID + "\n");
        }
    }

    @Test
    void namesNoHolderWhereThereNeverWasOne() {
        assertThat(InstanceLock.holder(stateDir)).isEmpty();
        assertThat(InstanceLock.holder(stateDir.resolve("missing"))).isEmpty();
    }

    @Test
    void leavesThePidFileOfItsSuccessorWhenClosedTwice() {
        InstanceLock first = InstanceLock.take(stateDir);
        first.close();
        try (InstanceLock second = InstanceLock.take(stateDir)) {
            assertThat(second).isNotNull();
            first.close();

            assertThat(pidFile).hasContent(OWN_PID + "\n");
            assertThat(InstanceLock.holder(stateDir)).hasValue(OWN_PID);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"event_listener.pid", ".event_listener.pid.new"})
    void writesThroughNoLinkThatWasPlantedForThePid(String name) throws IOException {
        Path victim = Files.writeString(stateDir.resolve("victim"), "precious");
        Files.createSymbolicLink(stateDir.resolve(name), victim);

        try (InstanceLock lock = InstanceLock.take(stateDir)) {
            assertThat(lock).isNotNull();
            assertThat(victim).hasContent("precious");
            assertThat(pidFile).isRegularFile().hasContent(OWN_PID + "\n");
            assertThat(Files.isSymbolicLink(pidFile)).isFalse();
        }
    }

    @Test
    void opensNoLinkThatWasPlantedForTheLock() throws IOException {
        Path elsewhere = stateDir.resolve("elsewhere");
        Files.createSymbolicLink(lockFile, elsewhere);

        assertThatThrownBy(() -> InstanceLock.take(stateDir))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(stateDir.toString());
        assertThat(elsewhere).doesNotExist();
    }

    @Test
    void asksForTheSetupToBeMendedWhereThereIsNoDirectory() {
        assertThatThrownBy(() -> InstanceLock.take(stateDir.resolve("missing")))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("missing");
    }

    @Test
    void holdsNothingAfterThePidCouldNotBeWritten() throws IOException {
        Files.createDirectories(pidFile.resolve("not empty"));

        assertThatThrownBy(() -> InstanceLock.take(stateDir)).isInstanceOf(SetupException.class);

        assertThat(InstanceLock.holder(stateDir)).isEmpty();
        Files.delete(pidFile.resolve("not empty"));
        Files.delete(pidFile);
        InstanceLock.take(stateDir).close();
    }

    @Test
    void takesTheLockAgainWhereItsFilesWereRemoved() throws IOException {
        try (CapturedLog log = new CapturedLog(InstanceLock.class);
                InstanceLock lock = InstanceLock.take(stateDir)) {
            assertThat(lock.keep()).isTrue();
            assertThat(log.at(Level.WARN)).isEmpty();
            Files.delete(pidFile);
            assertThat(lock.keep()).isTrue();
            assertThat(pidFile).hasContent(OWN_PID + "\n");
            Files.delete(lockFile);
            Files.delete(pidFile);

            assertThat(lock.keep()).isTrue();

            assertThat(log.at(Level.WARN)).hasSize(1);
            assertThat(pidFile).hasContent(OWN_PID + "\n");
            try (ChildJvm child = ChildJvm.start(LockHolder.class, stateDir.toString())) {
                assertThat(child.line()).contains("process " + OWN_PID);
            }
            assertThat(InstanceLock.holder(stateDir)).hasValue(OWN_PID);
        }
        assertThat(pidFile).doesNotExist();
        InstanceLock.take(stateDir).close();
    }

    @Test
    void isNotHeldWhileTheDirectoryIsNotThere() throws IOException {
        Path moved = stateDir.resolveSibling(stateDir.getFileName() + ".moved");
        try (CapturedLog _ = new CapturedLog(InstanceLock.class);
                InstanceLock lock = InstanceLock.take(stateDir)) {
            Files.move(stateDir, moved);
            assertThat(lock.keep()).isFalse();
            Files.createDirectory(stateDir);

            assertThat(lock.keep()).isTrue();

            assertThat(InstanceLock.holder(stateDir)).hasValue(OWN_PID);
        } finally {
            Files.delete(moved.resolve("event_listener.lock"));
            Files.delete(moved.resolve("event_listener.pid"));
            Files.delete(moved);
        }
    }

    @Test
    @SuppressWarnings("try") // it is closed while the other process lives
    void givesUpWhereAnotherProcessHasTheNewLock() throws Exception {
        InstanceLock lock = InstanceLock.takeNow(stateDir, Duration.ofMillis(200));
        try (CapturedLog _ = new CapturedLog(InstanceLock.class)) {
            Files.delete(lockFile);
            Files.delete(pidFile);
            try (ChildJvm child = ChildJvm.start(LockHolder.class, stateDir.toString())) {
                assertThat(child.line()).isEqualTo("held");

                assertThat(lock.keep()).as("it may end soon").isFalse();
                await().untilAsserted(() ->
                        assertThatThrownBy(lock::keep)
                                .isInstanceOf(AlreadyRunningException.class)
                                .hasMessageContaining("process " + child.pid()));

                lock.close();
                assertThat(pidFile).as("the other one's").hasContent(child.pid() + "\n");
            }
        }
    }
}
