package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DirectoriesTest {

    @TempDir private Path directory;

    @Test
    void makesADirectoryForItsOwnerAlone() throws IOException {
        Path made = directory.resolve("a/b/state");

        Directories.makePrivate(made);

        assertThat(permissions(made)).isEqualTo("rwx------");
    }

    @Test
    void closesADirectoryThatIsOpenToOthersAndKeepsItsFiles() throws IOException {
        Path open = Files.createDirectory(directory.resolve("state"));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        Files.writeString(open.resolve("exits.db"), "kept");

        Directories.makePrivate(open);

        assertThat(permissions(open)).isEqualTo("rwx------");
        assertThat(open.resolve("exits.db")).hasContent("kept");
    }

    @Test
    void leavesADirectoryOpenThatHoldsWhatIsNotOurs() throws IOException {
        Path shared = Files.createDirectory(directory.resolve("tmp"));
        Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));
        Files.writeString(shared.resolve("somebody's"), "");

        assertThatThrownBy(() -> Directories.makePrivate(shared))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(shared + " is open to others")
                .hasMessageContaining("somebody's");
        assertThat(permissions(shared)).isEqualTo("rwxrwxrwx");
    }

    @Test
    void leavesADirectoryThatIsRight() throws IOException {
        Path right = directory.resolve("state");
        Directories.makePrivate(right);

        Directories.makePrivate(right);

        assertThat(permissions(right)).isEqualTo("rwx------");
    }

    @Test
    void refusesALink() throws IOException {
        Path target = Files.createDirectory(directory.resolve("target"));
        Path link = Files.createSymbolicLink(directory.resolve("state"), target);
        String before = permissions(target);

        assertThatThrownBy(() -> Directories.makePrivate(link))
                .isInstanceOf(SetupException.class)
                .hasMessage(link + " is not a directory of its own, but a symbolic link");
        assertThat(permissions(target)).isEqualTo(before);
    }

    @Test
    void refusesALinkThatLeadsNowhere() throws IOException {
        Path link = Files.createSymbolicLink(directory.resolve("state"), directory.resolve("gone"));

        assertThatThrownBy(() -> Directories.makePrivate(link))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("a symbolic link");
    }

    @Test
    void refusesAFile() throws IOException {
        Path file = Files.writeString(directory.resolve("state"), "");

        assertThatThrownBy(() -> Directories.makePrivate(file))
                .isInstanceOf(SetupException.class)
                .hasMessage(file + " is not a directory of its own");
    }

    @Test
    void refusesADirectoryBelowAFile() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "");

        assertThatThrownBy(() -> Directories.makePrivate(file.resolve("state")))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("cannot be made");
    }

    @Test
    void refusesSomebodyElsesDirectory() throws IOException {
        Path other = Files.createDirectory(directory.resolve("state"));
        assumeTrue(canGiveAway(other), "only root can give a directory away");

        assertThatThrownBy(() -> Directories.makePrivate(other))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(other + " belongs to nobody, and not to ");
    }

    private static boolean canGiveAway(Path path) {
        try {
            Files.setOwner(
                    path,
                    path.getFileSystem()
                            .getUserPrincipalLookupService()
                            .lookupPrincipalByName("nobody"));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    private static String permissions(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }
}
