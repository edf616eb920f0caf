package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
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
    void letsAGroupThroughTheRunDirectoryAndToNothingElseInIt() throws IOException {
        Tardis tardis = new Tardis(directory);
        String own = Files.readAttributes(directory, PosixFileAttributes.class).group().getName();
        tardis.set("TARDIS_GROUP", own);
        Path run = tardis.runDir();
        Directories.makeRunDir(tardis.environment().settings());
        assertThat(permissions(run)).isEqualTo("rwx--x---");

        Directories.makePrivate(run);
        Path open = Files.writeString(run.resolve("start.lock"), "");
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rw-r--r--"));
        Directories.makeRunDir(tardis.environment().settings());

        assertThat(permissions(run)).isEqualTo("rwx--x---");
        assertThat(Files.readAttributes(run, PosixFileAttributes.class).group().getName())
                .isEqualTo(own);
        assertThat(permissions(open)).isEqualTo("rw-------");
    }

    @Test
    void closesTheRunDirectoryWithoutAGroup() throws IOException {
        Tardis tardis = new Tardis(directory);
        tardis.set("TARDIS_GROUP", "none");
        Path run = Files.createDirectory(tardis.runDir());
        for (String mode : List.of("rwx--x---", "rwx------", "rwxr-xr-x")) {
            Files.setPosixFilePermissions(run, PosixFilePermissions.fromString(mode));

            Directories.makeRunDir(tardis.environment().settings());

            assertThat(permissions(run)).isEqualTo("rwx------");
        }
    }

    @Test
    void aGroupDoesNotOpenADirectoryThatOthersCanWrite() throws IOException {
        Tardis tardis = new Tardis(directory);
        tardis.set("TARDIS_GROUP", "root");
        Path run = Files.createDirectory(tardis.runDir());
        Files.setPosixFilePermissions(run, PosixFilePermissions.fromString("rwxrwx---"));
        Files.writeString(run.resolve("somebody's"), "");

        assertThatThrownBy(() -> Directories.makeRunDir(tardis.environment().settings()))
                .isInstanceOf(SetupException.class);
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
