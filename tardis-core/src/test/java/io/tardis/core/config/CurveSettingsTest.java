package io.tardis.core.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.SetupException;
import io.tardis.core.curve.CurveKeyFiles;
import io.tardis.core.curve.CurveKeyPair;
import io.tardis.core.curve.CurveKeys;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the settings say about keys, and which addresses need them. */
class CurveSettingsTest {

    private static final CurveKeyPair PAIR = CurveKeyPair.generate();

    @TempDir private Path directory;
    private final Map<String, String> environment = new HashMap<>();
    private Path config;

    @BeforeEach
    void makeKeys() throws IOException {
        config = Files.createFile(directory.resolve("tardis.env"));
        environment.put("TARDIS_CONFIG", config.toString());
        CurveKeyFiles.write(directory.resolve("own"), PAIR);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tcp://*:5590",
                "tcp://0.0.0.0:5590",
                "tcp://[::]:5590",
                "tcp://eth0:5590",
                "tcp://lo:5590",
                "tcp://10.1.2.3:5590",
                "tcp://127.0.0.1.example.com:5590",
                "tcp://128.0.0.1:5590",
                "tcp://localhost.example.com:5590",
                "tcp://[2001:db8::1]:5590"
            })
    void needsKeysBeyondLoopback(String endpoint) throws IOException {
        for (Setting setting : new Setting[] {Setting.EVENTS_ENDPOINT, Setting.QUERY_ENDPOINT}) {
            Files.writeString(config, setting.key() + "=" + endpoint + "\n");
            environment.remove("TARDIS_CURVE_SECRET_KEY_FILE");

            assertThatThrownBy(() -> SettingsReader.strict(environment))
                    .isInstanceOf(SetupException.class)
                    .hasMessageStartingWith(
                            config + ", line 1: " + setting.key() + "=" + endpoint + ": not a loop")
                    .hasMessageContainingAll("tardis keygen", "TARDIS_CURVE_SECRET_KEY_FILE");

            environment.put("TARDIS_CURVE_SECRET_KEY_FILE", secretFile().toString());
            Settings settings = SettingsReader.strict(environment);
            assertThat(
                            setting == Setting.EVENTS_ENDPOINT
                                    ? settings.eventsEndpoint()
                                    : settings.queryEndpoint())
                    .isEqualTo(endpoint);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tcp://127.0.0.1:1",
                "tcp://127.255.255.255:1",
                "tcp://[::1]:1",
                "tcp://[0:0:0:0:0:0:0:1]:1",
                "tcp://localhost:1"
            })
    void needsNoneOnLoopback(String endpoint) {
        environment.put("TARDIS_EVENTS_ENDPOINT", endpoint);

        assertThat(SettingsReader.strict(environment).eventsEndpoint()).isEqualTo(endpoint);
    }

    @Test
    void takesTheDaemonsKeyFromTheOwnPairUnlessItIsNamed() {
        environment.put("TARDIS_CURVE_SECRET_KEY_FILE", secretFile().toString());
        assertThat(SettingsReader.strict(environment).curve())
                .hasValue(new CurveKeys(PAIR, PAIR.publicKey(), Optional.empty()));

        CurveKeyPair server = CurveKeyPair.generate();
        CurveKeyFiles.write(directory.resolve("server"), server);
        environment.put("TARDIS_CURVE_SERVER_KEY_FILE", directory.resolve("server.key").toString());
        environment.put("TARDIS_CURVE_CLIENTS_DIR", "/etc/clients/");

        assertThat(SettingsReader.strict(environment).curve())
                .hasValue(
                        new CurveKeys(
                                PAIR, server.publicKey(), Optional.of(Path.of("/etc/clients"))));
    }

    @Test
    void namesTheSettingTheFileAndTheLineOfABadKey() throws IOException {
        Files.writeString(config, "\nTARDIS_CURVE_SECRET_KEY_FILE=" + secretFile() + "\n");
        Files.writeString(secretFile(), "curve\n  public-key = \"short\"\n  secret-key = \"x\"\n");

        assertThatThrownBy(() -> SettingsReader.strict(environment))
                .isInstanceOf(SetupException.class)
                .hasMessage(
                        config
                                + ", line 2: TARDIS_CURVE_SECRET_KEY_FILE="
                                + secretFile()
                                + ": the key file "
                                + secretFile()
                                + ", line 2: public-key is not a key, which is 40 characters of Z85");
    }

    @Test
    void doesNotLeaveLoopbackWithAKeyThatIsRefused() throws IOException {
        environment.put("TARDIS_CURVE_SECRET_KEY_FILE", secretFile().toString());
        environment.put("TARDIS_QUERY_ENDPOINT", "tcp://*:5581");
        Files.setPosixFilePermissions(secretFile(), PosixFilePermissions.fromString("rw-r-----"));

        assertThatThrownBy(() -> SettingsReader.strict(environment))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(secretFile() + " is open to others than its owner");
    }

    @ParameterizedTest
    @ValueSource(strings = {"TARDIS_CURVE_SERVER_KEY_FILE", "TARDIS_CURVE_CLIENTS_DIR"})
    void refusesTheOtherKeysWithoutAnOwnPair(String key) {
        environment.put(key, directory.resolve("own.key").toString());

        assertThatThrownBy(() -> SettingsReader.strict(environment))
                .isInstanceOf(SetupException.class)
                .hasMessage(
                        "the environment: "
                                + key
                                + " is of no use without TARDIS_CURVE_SECRET_KEY_FILE");
    }

    @Test
    void neverShowsTheSecretKey() {
        environment.put("TARDIS_CURVE_SECRET_KEY_FILE", secretFile().toString());

        assertThat(SettingsReader.strict(environment).toString())
                .contains(PAIR.publicKey().text())
                .doesNotContain(PAIR.secretText());
    }

    private Path secretFile() {
        return directory.resolve("own.key_secret");
    }
}
