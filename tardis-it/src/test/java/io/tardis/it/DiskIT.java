package io.tardis.it;

import static io.tardis.it.TardisNode.LATE_REPORT;
import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** The state directory's disk is full, read-only, or holds something that is no log. */
@RequiresContainers
class DiskIT {

    /** Of e2fsck, which exits with less where all is well, and with more where it is not. */
    private static final int ERRORS_CORRECTED = 1;

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    void answersFromMemoryWhileTheDiskIsFullAndWritesItLater() throws IOException {
        Path state = mountSmallDisk();
        Container before = lab.container("before").enabled();
        Outcome _ = before.sh("exit 7");
        Pair pair = Pair.start(lab);
        lab.expectErrors();

        Path filler = fill(state);
        try (LiveProcess waiting = pair.waitForBad()) {
            pair.end();

            Pair.assertAnswered(waiting);
        }
        pair.awaitCodes();
        assertCode(before, 7);
        assertThat(lab.tardis().exitCode(pair.bad()).path("durable").asBoolean(true)).isFalse();
        assertThat(lab.tardis().errors())
                .as("logged once, not at each try")
                .filteredOn(error -> error.contains("kept in memory"))
                .hasSize(1);
        assertThat(lab.tardis().tardis("status").text())
                .contains("durable   NO, 2 exits are in memory only");
        assertThat(lab.tardis().ask("{\"op\":\"ping\"}").path("durable").asBoolean(true)).isFalse();
        assertThat(lab.container("more").enabled().sh("exit 3").code()).isEqualTo(3);

        Files.delete(filler);
        Wait.until(
                () -> "durable answer; the last one is " + lab.tardis().exitCode(pair.bad()),
                SOON,
                () ->
                        lab.tardis().exitCodes(List.of(pair.good(), pair.bad())).stream()
                                .allMatch(answer -> answer.path("durable").asBoolean(true)));
        assertThat(lab.tardis().tardis("status").orFail().text()).contains("durable   yes");
        lab.tardis().killDaemon();
        lab.tardis().bringUpDaemon();

        assertCode(before, 7);
        assertCode(pair.good(), 0);
        assertCode(pair.bad(), Pair.BAD);
        assertThat(lab.tardis().published(pair.bad())).hasSize(1);
        pair.remove();
        pair.assertCleanedAndKept();
    }

    @ContainerTest
    @Timeout(300)
    void containersRunWhileTheStateDirectoryIsReadOnly() {
        Disk disk = mountExt4();
        Container before = lab.container("before").enabled();
        Container survivor = lab.container("survivor").enabled();
        Outcome _ = before.sh("exit 7");
        Pair pair = Pair.start(lab);
        survivor.startEndingWith(6);
        lab.expectErrors();
        Proc daemon = lab.tardis().runningDaemon();

        disk.turnReadOnly();
        try (LiveProcess waiting = pair.waitForBad()) {
            pair.end();

            Pair.assertAnswered(waiting);
        }
        pair.awaitCodes();
        assertCode(before, 7);
        assertThat(lab.tardis().exitCodes(List.of(pair.good(), pair.bad())))
                .allSatisfy(answer ->
                        assertThat(answer.path("durable").asBoolean(true))
                                .as("%s", answer)
                                .isFalse());
        assertThat(lab.tardis().tardis("status").text())
                .contains("durable   NO, 2 exits are in memory only");
        assertThat(lab.container("new").enabled().sh("exit 3").code()).isEqualTo(3);
        lab.tardis().awaitCode(lab.container("new"), 3, SOON);
        assertThat(lab.tardis().exitCode(lab.container("new")).path("durable").asBoolean(true))
                .isFalse();
        pair.remove();
        assertThat(lab.tardis().isCleaned(pair.good())).isFalse();
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);

        lab.tardis().killDaemon();
        Outcome refused = lab.tardis().command("daemon").run();
        assertThat(refused.code()).isNotEqualTo(0);
        assertThat(refused.err()).as("%s", refused).contains(lab.tardis().stateDir().toString());
        assertThat(lab.container("newer").enabled().sh("exit 4").code()).isEqualTo(4);

        disk.repair();
        lab.tardis().bringUpDaemon();
        Container after = lab.container("after").enabled();
        assertThat(after.sh("exit 8").code()).isEqualTo(8);
        lab.tardis().awaitCode(after, 8, SOON);
        assertThat(lab.tardis().exitCode(after).path("durable").asBoolean(true)).isTrue();
        survivor.end();
        lab.tardis().awaitCode(survivor, 6, SOON);
        assertCode(before, 7);
        // What was only in the memory of the killed daemon is lost, and answered so.
        for (Container container : List.of(pair.good(), pair.bad())) {
            Wait.until(
                    () -> "loss of " + container + ", but " + lab.tardis().exitCode(container),
                    LATE_REPORT.plus(SOON),
                    () -> {
                        JsonNode answer = lab.tardis().exitCode(container);
                        assertThat(answer.has("exit_code")).as("%s", answer).isFalse();
                        return answer.path("status").asString().equals("lost");
                    });
        }
        assertThat(lab.tardis().replayAll())
                .extracting(event -> event.path("container_id").asString())
                .containsExactly("before", "after", "survivor");
    }

    /** The other kinds of damage: SqliteExitLogTest. */
    @ContainerTest
    void setsALogWithTornPagesAside() throws IOException {
        Path log = logWithExits();
        byte[] bytes = Files.readAllBytes(log);
        for (int i = 4096; i < bytes.length; i++) {
            bytes[i] = (byte) 0xff;
        }
        Files.write(log, bytes);

        assertSetAside();
    }

    /** The log of a daemon that recorded something and was stopped in order. */
    private Path logWithExits() {
        Outcome _ = lab.container("before").enabled().sh("exit 7");
        Outcome _ = lab.tardis().tardis("stop").orFail();
        return lab.tardis().stateDir().resolve("exits.db");
    }

    private void assertSetAside() throws IOException {
        byte[] torn = Files.readAllBytes(lab.tardis().stateDir().resolve("exits.db"));
        lab.expectErrors("set aside");

        lab.tardis().bringUpDaemon();

        List<Path> aside;
        try (Stream<Path> files = Files.list(lab.tardis().stateDir())) {
            aside =
                    files.filter(file ->
                                    file.getFileName().toString().startsWith("exits.db.set-aside-"))
                            .filter(file -> !file.toString().matches(".*-(wal|shm)"))
                            .toList();
        }
        assertThat(aside).hasSize(1);
        assertThat(aside.getFirst()).hasBinaryContent(torn);
        assertThat(lab.tardis().errors())
                .anySatisfy(error ->
                        assertThat(error).contains("set aside", aside.getFirst().toString()));
        Container next = lab.container("next").enabled();
        assertThat(next.sh("exit 3").code()).isEqualTo(3);
        assertCode(next, 3);
        Container good = lab.container("good").enabled();
        assertThat(good.run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.tardis().isCleaned(good)).isTrue();
        // What was in the old log is not known any more, and no code is assumed.
        assertThat(lab.tardis().exitCode(lab.container("before")).has("exit_code")).isFalse();
    }

    private void assertCode(Container container, int code) {
        JsonNode answer = lab.tardis().exitCode(container);
        assertThat(answer.path("status").asString()).as("%s", answer).isEqualTo("exited");
        assertThat(answer.path("exit_code").asInt(-1)).as("%s", answer).isEqualTo(code);
    }

    /** The lab takes it away with the scratch folder. */
    private Path mountSmallDisk() {
        try {
            Path state = Files.createDirectories(lab.tardis().stateDir());
            Outcome _ =
                    Command.of(
                                    "mount",
                                    "-t",
                                    "tmpfs",
                                    "-o",
                                    "size=2m,mode=0700",
                                    "tmpfs",
                                    state.toString())
                            .run()
                            .orFail();
            return state;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * A file system of its own for the state directory. The lab takes the mount away with the
     * scratch folder, and the loop device goes with the mount.
     */
    private Disk mountExt4() {
        try {
            Path image = lab.scratch().folder("disk").resolve("image");
            try (FileChannel file =
                    FileChannel.open(
                            image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                file.write(ByteBuffer.allocate(1), (16 << 20) - 1);
            }
            Outcome _ =
                    Command.of(Programs.find("mkfs.ext4").toString(), "-q", image.toString())
                            .run()
                            .orFail();
            Disk disk = new Disk(image, Files.createDirectories(lab.tardis().stateDir()));
            disk.mount();
            Files.setPosixFilePermissions(
                    disk.folder(), PosixFilePermissions.fromString("rwx------"));
            return disk;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** An ext4 file system that is made read-only by an error, as by a bad disk. */
    private record Disk(Path image, Path folder) {

        void mount() {
            Outcome _ =
                    Command.of(
                                    "mount",
                                    "-o",
                                    "loop,errors=remount-ro",
                                    image.toString(),
                                    folder.toString())
                            .run()
                            .orFail();
        }

        /**
         * Not by a mount: that is refused while files are open for writing. What the daemon has not
         * forced to the disk is written before, as the kernel does within seconds.
         */
        void turnReadOnly() {
            Outcome _ = Command.of("sync", "-f", folder.toString()).run().orFail();
            try {
                Path device = Path.of(Files.getFileStore(folder).name());
                Files.writeString(
                        Path.of("/sys/fs/ext4")
                                .resolve(device.getFileName())
                                .resolve("trigger_fs_error"),
                        "1");
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            assertThatThrownBy(() -> Files.createFile(folder.resolve("new")))
                    .isInstanceOf(FileSystemException.class)
                    .hasMessageContaining("Read-only file system");
        }

        void repair() {
            Outcome _ = Command.of("umount", folder.toString()).run().orFail();
            Outcome repaired =
                    Command.of(Programs.find("e2fsck").toString(), "-f", "-y", image.toString())
                            .run();
            assertThat(repaired.code()).as("%s", repaired).isLessThanOrEqualTo(ERRORS_CORRECTED);
            mount();
        }
    }

    private static Path fill(Path disk) {
        Path filler = disk.resolve("filler");
        Outcome filled = Command.of("dd", "if=/dev/zero", "of=" + filler, "bs=4096").run();
        assertThat(filled.err()).contains("No space left");
        return filler;
    }
}
