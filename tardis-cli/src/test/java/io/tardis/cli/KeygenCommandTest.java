package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.curve.CurveKeyFiles;
import io.tardis.core.curve.CurveKeyPair;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KeygenCommandTest {

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @Test
    void makesAPairInTwoFilesAndPrintsTheirNames() throws IOException {
        Path name = directory.resolve("me");

        Tardis.Result result = tardis.run("keygen", name.toString());

        CurveKeyPair pair = CurveKeyFiles.readPair(directory.resolve("me.key_secret"));
        assertThat(result)
                .isEqualTo(
                        new Tardis.Result(
                                0,
                                "public key  %s%npublic      %s.key%nsecret      %s.key_secret%n"
                                        .formatted(pair.publicKey(), name, name),
                                ""));
        assertThat(CurveKeyFiles.readPublic(directory.resolve("me.key")))
                .isEqualTo(pair.publicKey());
        assertThat(permissions("me.key_secret")).isEqualTo("rw-------");
        assertThat(Files.readString(directory.resolve("me.key"))).doesNotContain(pair.secretText());
    }

    @Test
    void makesAnotherPairEachTime() {
        tardis.run("keygen", directory.resolve("a").toString());
        tardis.run("keygen", directory.resolve("b").toString());

        CurveKeyPair a = CurveKeyFiles.readPair(directory.resolve("a.key_secret"));
        CurveKeyPair b = CurveKeyFiles.readPair(directory.resolve("b.key_secret"));

        assertThat(a.publicKey()).isNotEqualTo(b.publicKey());
        assertThat(a.secretText()).isNotEqualTo(b.secretText());
    }

    @ParameterizedTest
    @ValueSource(strings = {"me.key", "me.key_secret"})
    void overwritesNeitherFile(String there) throws IOException {
        Files.writeString(directory.resolve(there), "mine");

        Tardis.Result result = tardis.run("keygen", directory.resolve("me").toString());

        assertThat(result.status()).isEqualTo(ExitStatus.USAGE);
        assertThat(result.out()).isEmpty();
        assertThat(result.err())
                .isEqualTo(
                        "tardis: "
                                + directory.resolve(there)
                                + " is there already; keys are never overwritten\n");
        assertThat(directory.resolve(there)).hasContent("mine");
        // Half a pair would be in the way of the next try.
        try (var files = Files.list(directory)) {
            assertThat(files).filteredOn(it -> it.toString().contains("me.key")).hasSize(1);
        }
    }

    @Test
    void namesADirectoryThatIsNotThere() {
        Tardis.Result result = tardis.run("keygen", directory.resolve("no/me").toString());

        assertThat(result.status()).isEqualTo(ExitStatus.USAGE);
        assertThat(result.err())
                .contains(directory.resolve("no/me.key_secret").toString())
                .hasLineCount(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/", "..", "a/", "a/.."})
    void refusesWhatEndsInNoName(String name) {
        Tardis.Result result = tardis.run("keygen", name);

        assertThat(result.status()).isEqualTo(ExitStatus.USAGE);
        assertThat(result.err()).contains("does not end in a name");
    }

    @Test
    void needsNoSettings() {
        tardis.set("TARDIS_RETENTION", "soon");

        assertThat(tardis.run("keygen", directory.resolve("me").toString()).status()).isZero();
    }

    private String permissions(String name) throws IOException {
        return PosixFilePermissions.toString(
                Files.getPosixFilePermissions(directory.resolve(name)));
    }
}
