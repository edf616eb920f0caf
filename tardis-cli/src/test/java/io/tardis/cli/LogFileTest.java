package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What others do to the file while it is open. */
@Timeout(30)
class LogFileTest {

    private static final long LIMIT = 100;

    @TempDir private Path directory;
    private Path file;
    private LogFile log;

    @BeforeEach
    void open() throws IOException {
        file = directory.resolve("log/tardis.log");
        log = new LogFile(file, LIMIT);
        write("before\n");
    }

    @Test
    void isOpenedAgainWhereItWasRenamed() throws IOException {
        Files.move(file, directory.resolve("renamed"));

        assertComesBack();

        assertThat(directory.resolve("renamed")).content().startsWith("before\n");
    }

    @Test
    void isOpenedAgainWhereItWasRenamedAndAnotherOneMade() throws IOException {
        Files.move(file, directory.resolve("renamed"));
        Files.writeString(file, "");

        assertComesBack();
    }

    /** One that somebody has opened to others stays so. */
    @Test
    void isItsOwnersAloneWhereItIsMade() throws IOException {
        assertThat(permissions()).isEqualTo("rw-------");

        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
        write("x".repeat((int) LIMIT));
        write("after\n");

        assertThat(file).hasContent("after");
        assertThat(permissions()).isEqualTo("rw-r-----");
    }

    private String permissions() throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
    }

    @Test
    void isMadeAgainWhereItWasRemoved() throws IOException {
        Files.delete(file);

        assertComesBack();
    }

    @Test
    void isMadeAgainWhereItsDirectoryWasReplaced() throws IOException {
        Files.move(directory.resolve("log"), directory.resolve("old"));

        assertComesBack();
    }

    /** As logrotate's copytruncate does it. */
    @Test
    void goesOnAtTheBeginningWhereItWasCut() throws IOException {
        try (FileChannel cut = FileChannel.open(file, StandardOpenOption.WRITE)) {
            cut.truncate(0);
        }

        write("after\n");

        assertThat(file).content().isEqualTo("after\n");
    }

    @Test
    void isOpenedAgainAtOnceWhereThatIsWanted() throws IOException {
        Files.move(file, directory.resolve("renamed"));

        log.reopen();
        write("after\n");

        assertThat(file).content().isEqualTo("after\n");
    }

    @Test
    void failsWhereItCannotBeMadeAndComesBackWhenItCan() throws IOException {
        Files.delete(file);
        Files.delete(directory.resolve("log"));
        Files.writeString(directory.resolve("log"), "in the way");
        log.reopen();
        assertThatThrownBy(() -> write("lost\n")).isInstanceOf(IOException.class);

        Files.delete(directory.resolve("log"));
        write("after\n");

        assertThat(file).content().isEqualTo("after\n");
    }

    @Test
    void keepsThreeOldOnes() throws IOException {
        for (int i = 0; i < 6; i++) {
            write(i + "x".repeat((int) LIMIT) + "\n");
        }
        write("last\n");

        assertThat(file).content().isEqualTo("last\n");
        assertThat(directory.resolve("log")).isDirectoryContaining("glob:**.3");
        assertThat(directory.resolve("log/tardis.log.1")).content().startsWith("5x");
        assertThat(directory.resolve("log/tardis.log.3")).content().startsWith("3x");
        try (var files = Files.list(directory.resolve("log"))) {
            assertThat(files).hasSize(4);
        }
    }

    /** Others append to it: the launcher, and a daemon that takes over. */
    @Test
    void isNotRenamedTwiceByTwoProcesses() throws IOException {
        LogFile other = new LogFile(file, LIMIT);
        other.write("from another\n".getBytes(StandardCharsets.UTF_8));
        write("x".repeat((int) LIMIT) + "\n");

        other.write("from another again\n".getBytes(StandardCharsets.UTF_8));
        write("last\n");

        assertThat(Files.readString(directory.resolve("log/tardis.log.1")) + Files.readString(file))
                .startsWith("before\nfrom another\nx")
                .endsWith("x\nfrom another again\nlast\n");
        assertThat(directory.resolve("log/tardis.log.2")).doesNotExist();
    }

    /** It is looked at once a second at most. */
    private void assertComesBack() {
        await().ignoreNoExceptions()
                .untilAsserted(() -> {
                    write("after\n");
                    assertThat(file).exists().content().contains("after\n");
                });
    }

    private void write(String line) throws IOException {
        log.write(line.getBytes(StandardCharsets.UTF_8));
    }
}
