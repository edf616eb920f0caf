package io.tardis.core.curve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CurveKeyFilesTest {

    /** The keys of the examples in zmq_curve(7). */
    private static final String PUBLIC = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

    private static final String SECRET = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

    /** As pyzmq 24.0.1 writes it. */
    private static final String BY_PYZMQ =
            """
            #   ****  Generated on 2026-11-23 14:14:30.750485 by pyzmq  ****
            #   ZeroMQ CURVE **Secret** Certificate
            #   DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions.

            metadata
                name = Alice Doe
            curve
                public-key = "%s"
                secret-key = "%s"
            """
                    .formatted(PUBLIC, SECRET);

    @TempDir private Path directory;

    @Test
    void readsWhatPyzmqWrites() throws IOException {
        Path file = secret(BY_PYZMQ);

        CurveKeyPair pair = CurveKeyFiles.readPair(file);

        assertThat(pair).isEqualTo(new CurveKeyPair(new CurvePublicKey(PUBLIC), SECRET));
        assertThat(CurveKeyFiles.readPublic(file)).isEqualTo(pair.publicKey());
    }

    @Test
    void readsWhatItWrites() throws IOException {
        CurveKeyPair pair = CurveKeyPair.generate();
        Path name = directory.resolve("me");

        CurveKeyFiles.write(name, pair);

        assertThat(CurveKeyFiles.readPair(CurveKeyFiles.secretFile(name))).isEqualTo(pair);
        assertThat(CurveKeyFiles.readPublic(CurveKeyFiles.publicFile(name)))
                .isEqualTo(pair.publicKey());
        assertThat(permissions(CurveKeyFiles.secretFile(name))).isEqualTo("rw-------");
    }

    @Test
    void readsKeysWithoutQuotesAndLinesThatEndAsOnWindows() throws IOException {
        Path file = secret("curve\r\n\tpublic-key=" + PUBLIC + "\r\nsecret-key= '" + SECRET + "'");

        assertThat(CurveKeyFiles.readPair(file))
                .isEqualTo(new CurveKeyPair(new CurvePublicKey(PUBLIC), SECRET));
    }

    @Test
    void namesFileAndLineOfWhatIsWrong() throws IOException {
        assertRefused("curve\nwhat is this\n", ", line 2: neither a section nor NAME = VALUE");
        assertRefused("= \"" + PUBLIC + "\"\n", ", line 1: neither a section nor NAME = VALUE");
        assertRefused("public-key = \"" + PUBLIC + "x\"\n", ", line 1: public-key is not a key");
        assertRefused(
                BY_PYZMQ.replace(SECRET, "D:)Q"), ", line 9: secret-key is not a key, which is 40");
        assertRefused(BY_PYZMQ + "public-key = a\n", ", line 10: a second public-key");
        assertRefused("", " has no line public-key = ...");
        assertRefused("public-key = \"" + PUBLIC + "\"\n", " has no line secret-key = ...");
        assertRefused("#".repeat(70_000), " is no key file");
    }

    @Test
    void neverShowsASecretKeyThatIsWrong() throws IOException {
        Path file = secret(BY_PYZMQ.replace(SECRET, SECRET.substring(1)));

        assertThatThrownBy(() -> CurveKeyFiles.readPair(file))
                .message()
                .doesNotContain(SECRET.substring(1));
    }

    @Test
    void refusesBytesThatAreNoText() throws IOException {
        Path file = Files.write(secret(""), new byte[] {(byte) 0xff, (byte) 0xfe, '\n'});

        assertThatThrownBy(() -> CurveKeyFiles.readPair(file))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(file + " cannot be read");
    }

    @ParameterizedTest
    @ValueSource(strings = {"rw-r-----", "rw----r--", "rw--w----", "rw-rw-rw-"})
    void refusesASecretFileThatIsOpenToOthers(String permissions) throws IOException {
        Path file = secret(BY_PYZMQ);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(permissions));

        assertThatThrownBy(() -> CurveKeyFiles.readPair(file))
                .isInstanceOf(SetupException.class)
                .hasMessage(
                        "the secret key file "
                                + file
                                + " is open to others than its owner; close it with chmod 600");
    }

    @Test
    void refusesASecretFileThatIsALink() throws IOException {
        Path link = Files.createSymbolicLink(directory.resolve("link"), secret(BY_PYZMQ));

        assertThatThrownBy(() -> CurveKeyFiles.readPair(link))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(link + " is a symbolic link");
    }

    @Test
    void refusesASecretFileOfSomebodyElse() throws IOException {
        Path file = secret(BY_PYZMQ);
        assumeTrue(canGiveAway(file), "only root can give a file away");

        assertThatThrownBy(() -> CurveKeyFiles.readPair(file))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(file + " belongs to nobody, and not to ");
    }

    @Test
    void refusesWhatIsNotThereOrNoFile() {
        assertThatThrownBy(() -> CurveKeyFiles.readPair(directory))
                .hasMessage("the secret key file " + directory + " is not a file");
        assertThatThrownBy(() -> CurveKeyFiles.readPair(directory.resolve("no")))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(directory.resolve("no").toString());
        assertThatThrownBy(() -> CurveKeyFiles.readPublic(directory.resolve("no")))
                .hasMessage("the key file " + directory.resolve("no") + " does not exist");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI",
                "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hIDD",
                "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI ",
                "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI\"",
                "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hIä",
                // Five characters that say more than 32 bits.
                "#####w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
            })
    void refusesWhatIsNoKey(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> new CurvePublicKey(text));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new CurveKeyPair(new CurvePublicKey(PUBLIC), text));
    }

    private void assertRefused(String text, String message) throws IOException {
        Path file = secret(text);
        assertThatThrownBy(() -> CurveKeyFiles.readPair(file))
                .isInstanceOf(SetupException.class)
                .hasMessageStartingWith("the key file " + file + message);
    }

    private Path secret(String text) throws IOException {
        Path file = Files.writeString(directory.resolve("me.key_secret"), text);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        return file;
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
