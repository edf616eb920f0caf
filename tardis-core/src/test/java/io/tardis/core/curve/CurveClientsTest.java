package io.tardis.core.curve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CurveClientsTest {

    private static final CurveKeyPair OWN = CurveKeyPair.generate();
    private static final CurveKeyPair ALICE = CurveKeyPair.generate();
    private static final CurveKeyPair BOB = CurveKeyPair.generate();

    @TempDir private Path root;
    private Path directory;

    @BeforeEach
    void makeDirectory() throws IOException {
        directory = Files.createDirectory(root.resolve("clients"));
        permit("rwx------");
    }

    @Test
    void admitsTheOwnPairAloneWhereThereIsNoDirectory() {
        CurveClients clients =
                CurveClients.open(new CurveKeys(OWN, OWN.publicKey(), Optional.empty()));

        assertThat(clients.admits(OWN.publicKey())).isTrue();
        assertThat(clients.admits(ALICE.publicKey())).isFalse();
    }

    @Test
    void admitsWhoseKeyIsInTheDirectory() throws IOException {
        CurveKeyFiles.write(directory.resolve("alice"), ALICE);
        Files.writeString(directory.resolve("README"), "no key");

        CurveClients clients = open();

        assertThat(clients.size()).isEqualTo(1);
        assertThat(clients.admits(ALICE.publicKey())).isTrue();
        assertThat(clients.admits(OWN.publicKey())).isTrue();
        assertThat(clients.admits(BOB.publicKey())).isFalse();
    }

    @Test
    void followsTheDirectory() throws IOException {
        CurveKeyFiles.write(directory.resolve("alice"), ALICE);
        CurveClients clients = open();

        CurveKeyFiles.write(directory.resolve("bob"), BOB);
        await().until(() -> clients.admits(BOB.publicKey()));
        Files.delete(directory.resolve("alice.key"));
        await().until(() -> !clients.admits(ALICE.publicKey()));

        assertThat(clients.admits(BOB.publicKey())).isTrue();
    }

    @Test
    void leavesAFileOutThatBecomesBadAndKeepsTheOthers() throws IOException {
        CurveKeyFiles.write(directory.resolve("alice"), ALICE);
        CurveKeyFiles.write(directory.resolve("bob"), BOB);
        CurveClients clients = open();

        Files.writeString(directory.resolve("alice.key"), "torn");
        await().until(() -> !clients.admits(ALICE.publicKey()));

        assertThat(clients.admits(BOB.publicKey())).isTrue();
    }

    @Test
    void admitsNobodyElseWhenTheDirectoryIsOpenedToOthers() throws IOException {
        CurveKeyFiles.write(directory.resolve("alice"), ALICE);
        CurveClients clients = open();

        permit("rwxrwxrwx");
        await().until(() -> !clients.admits(ALICE.publicKey()));

        assertThat(clients.admits(OWN.publicKey())).isTrue();
    }

    @Test
    void namesEveryFileThatIsBadAtTheStart() throws IOException {
        Files.writeString(directory.resolve("a.key"), "curve\n  public-key = x\n");
        Files.writeString(directory.resolve("b.key"), "");

        assertThatThrownBy(this::open)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(directory.resolve("a.key") + ", line 2: public-key is not")
                .hasMessageContaining(directory.resolve("b.key") + " has no line public-key");
    }

    @ParameterizedTest
    @ValueSource(strings = {"rwxrwx---", "rwx----w-"})
    void refusesADirectoryThatOthersCanWrite(String permissions) throws IOException {
        permit(permissions);

        assertThatThrownBy(this::open)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(directory + " can be written by others");
    }

    @Test
    void refusesALinkAFileAndNothing() throws IOException {
        Path target = root.resolve("target");
        Files.move(directory, target);

        assertThatThrownBy(this::open)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(directory.toString());
        Files.createSymbolicLink(directory, target);
        assertThatThrownBy(this::open).hasMessageContaining(directory + " is a symbolic link");
        Files.delete(directory);
        Files.createFile(directory);
        assertThatThrownBy(this::open).hasMessageContaining(directory + " is not a directory");
    }

    private CurveClients open() {
        return CurveClients.open(new CurveKeys(OWN, OWN.publicKey(), Optional.of(directory)));
    }

    private void permit(String permissions) throws IOException {
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString(permissions));
    }
}
