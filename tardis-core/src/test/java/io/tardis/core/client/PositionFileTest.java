package io.tardis.core.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PositionFileTest {

    private static final long SEQ = 1732330000123001L;

    @TempDir private Path folder;
    private Path file;

    @BeforeEach
    void name() {
        file = folder.resolve("position");
    }

    @Test
    void beginsWithoutAPosition() {
        try (PositionFile position = PositionFile.open(file)) {
            assertThat(position.position()).isEmpty();
            assertThat(file).doesNotExist();
        }
    }

    @Test
    void goesOnWhereTheOneBeforeWas() {
        acknowledge(SEQ, SEQ + 1, SEQ + 5);

        try (PositionFile position = PositionFile.open(file)) {
            assertThat(position.position()).hasValue(SEQ + 5);
        }
    }

    @Test
    void isForItsOwnerOnlyAndLeavesNothingElseButItsLock() throws IOException {
        acknowledge(SEQ);

        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsExactlyInAnyOrder(file, folder.resolve("position.lock"));
        }
        assertThat(Files.getPosixFilePermissions(file))
                .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    }

    @Test
    void goesOnAfterOneThatWasKilledWhileItWrote() throws IOException {
        acknowledge(SEQ);
        Files.writeString(folder.resolve("position.new"), "tardis-pos");

        acknowledge(SEQ + 1);

        try (PositionFile position = PositionFile.open(file)) {
            assertThat(position.position()).hasValue(SEQ + 1);
        }
    }

    @Test
    void keepsASecondSubscriberAwayUntilTheFirstIsClosed() {
        try (PositionFile _ = PositionFile.open(file)) {
            assertThatThrownBy(() -> PositionFile.open(file))
                    .isInstanceOf(SetupException.class)
                    .hasMessageContaining("another subscriber uses")
                    .hasMessageContaining(file.toString());
        }

        acknowledge(SEQ);
    }

    @Test
    void doesNotGoBack() {
        try (PositionFile position = PositionFile.open(file)) {
            position.acknowledge(SEQ);

            assertThatThrownBy(() -> position.acknowledge(SEQ - 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(Long.toString(SEQ));
            assertThat(position.position()).hasValue(SEQ);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "1732330000123001\n", "tardis-position x\n1 00000000\n", "\0\0\0\0"})
    void refusesAFileThatIsNoPosition(String text) throws IOException {
        assertRefused(text, "is not a position");
    }

    @Test
    void refusesALinkAndAFolder() throws IOException {
        acknowledge(SEQ);
        Path link = Files.createSymbolicLink(folder.resolve("link"), file);

        assertThatThrownBy(() -> PositionFile.open(link))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(link.toString());
        assertThatThrownBy(() -> PositionFile.open(Files.createDirectory(folder.resolve("d"))))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("is not a position");
    }

    @Test
    void refusesAPositionOfTheFuture() throws IOException {
        assertRefused("tardis-position 2\nwhatever\n", "version 2");
    }

    @Test
    void refusesEveryDamage() throws IOException {
        acknowledge(SEQ);
        String whole = Files.readString(file);

        for (int i = 0; i < whole.length(); i++) {
            assertRefused(whole.substring(0, i), "");
            char other = whole.charAt(i) == '7' ? '8' : '7';
            assertRefused(whole.substring(0, i) + other + whole.substring(i + 1), "");
        }
    }

    @Test
    void namesTheFileThatCannotBeWritten() throws IOException {
        try (PositionFile position = PositionFile.open(file)) {
            position.acknowledge(SEQ);
            // A folder that is not empty: not even root can put a file in its place.
            Files.createDirectories(folder.resolve("position.new/x"));

            assertThatThrownBy(() -> position.acknowledge(SEQ + 1))
                    .isInstanceOf(TardisException.class)
                    .hasMessageContaining(file.toString());
            assertThat(position.position()).hasValue(SEQ);
        }
        assertThatThrownBy(() -> PositionFile.open(folder.resolve("missing/position")))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("missing/position");
    }

    private void assertRefused(String text, String why) throws IOException {
        Files.writeString(file, text);

        assertThatThrownBy(() -> PositionFile.open(file))
                .as("%s", text)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(why)
                .hasMessageContaining(file.toString());
        assertThat(file).hasContent(text);
    }

    private void acknowledge(long... seqs) {
        try (PositionFile position = PositionFile.open(file)) {
            for (long seq : seqs) {
                position.acknowledge(seq);
            }
        }
    }
}
