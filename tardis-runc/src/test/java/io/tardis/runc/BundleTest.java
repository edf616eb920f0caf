package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class BundleTest {

    @TempDir private Path directory;
    private Path bundle;
    private Path state;

    @BeforeEach
    void makeDirectories() throws IOException {
        bundle = Files.createDirectory(directory.resolve("bundle"));
        state = Files.createDirectory(directory.resolve("state"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[\"TARDIS_ENABLE=1\"]",
                "[\"PATH=/bin\",\"TARDIS_ENABLE=1\",\"HOME=/\"]",
                "[\"TARDIS_ENABLE=0\",\"TARDIS_ENABLE=1\"]",
                "[\"TARDIS_ENABLE\\u003d1\"]"
            })
    void isEnabledByTheEnvironmentOfTheProcess(String env) throws IOException {
        Bundles.write(bundle, "{\"process\":{\"env\":" + env + "}}");

        assertThat(Bundle.isTardisEnabled(bundle)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[]",
                "[\"TARDIS_ENABLE=0\"]",
                "[\"TARDIS_ENABLE=\"]",
                "[\"TARDIS_ENABLE\"]",
                "[\"TARDIS_ENABLE=true\"]",
                "[\"TARDIS_ENABLE=11\"]",
                "[\"TARDIS_ENABLE= 1\"]",
                "[\"tardis_enable=1\"]",
                "[\"X_TARDIS_ENABLE=1\"]",
                "[\"X=TARDIS_ENABLE=1\"]",
                "[\"TARDIS_ENABLE=1\",\"TARDIS_ENABLE=0\"]",
                "[\"TARDIS_ENABLE=1\",\"TARDIS_ENABLE=\"]",
                "[[\"TARDIS_ENABLE=1\"]]",
                "null",
                "\"TARDIS_ENABLE=1\""
            })
    void isNotEnabledByAnythingElseInTheEnvironment(String env) throws IOException {
        Bundles.write(bundle, "{\"process\":{\"env\":" + env + "}}");

        assertThat(Bundle.isTardisEnabled(bundle)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "[]",
                "1",
                "{\"process\":null}",
                "{\"process\":{\"args\":[\"sh\",\"-c\",\"TARDIS_ENABLE=1\"]}}",
                "{\"process\":{\"env\":[]},\"annotations\":{\"x\":\"TARDIS_ENABLE=1\"}}",
                "{\"env\":[\"TARDIS_ENABLE=1\"]}",
                "{\"hooks\":{\"prestart\":[{\"path\":\"/h\",\"env\":[\"TARDIS_ENABLE=1\"]}]}}"
            })
    void isNotEnabledByTheTextInAnotherPlace(String config) throws IOException {
        Bundles.write(bundle, config);

        assertThat(Bundle.isTardisEnabled(bundle)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"annotations\":{\"io.tardis.enable\":\"true\"}}",
                "{\"Annotations\":{\"a\":{},\"io.tardis.enable\":\"true\",\"b\":\"c\"}}",
                "{\"annotations\":{\"io.tardis.enabl\\u0065\":\"tru\\u0065\"}}",
                "{\"annotations\":{\"io.tardis.enable\":\"false\",\"io.tardis.enable\":\"true\"}}",
                "{\"annotations\":{\"io.tardis.enable\":\"true\",\"IO.tardis.enable\":\"false\"}}",
                // A map of the same name adds to it.
                "{\"annotations\":{\"io.tardis.enable\":\"true\"},\"annotations\":{\"a\":\"b\"}}",
                // Either of both enables.
                "{\"annotations\":{\"io.tardis.enable\":\"true\"},"
                        + "\"process\":{\"env\":[\"TARDIS_ENABLE=0\"]}}",
                "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]},"
                        + "\"annotations\":{\"io.tardis.enable\":\"false\"}}"
            })
    void isEnabledByItsAnnotation(String config) throws IOException {
        Bundles.write(bundle, config);

        assertThat(Bundle.isTardisEnabled(bundle)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"annotations\":{\"io.tardis.enable\":\"\"}}",
                "{\"annotations\":{\"io.tardis.enable\":\"1\"}}",
                "{\"annotations\":{\"io.tardis.enable\":\"True\"}}",
                "{\"annotations\":{\"io.tardis.enable\":\"true \"}}",
                "{\"annotations\":{\"io.tardis.enable\":true}}",
                "{\"annotations\":{\"io.tardis.enable\":null}}",
                "{\"annotations\":{\"io.tardis.enable\":[\"true\"]}}",
                "{\"annotations\":{\"IO.TARDIS.ENABLE\":\"true\"}}",
                "{\"annotations\":{\"io.tardis.enabled\":\"true\"}}",
                "{\"annotations\":{\"a\":\"io.tardis.enable\",\"b\":\"true\"}}",
                "{\"annotations\":{\"a\":{\"io.tardis.enable\":\"true\"}}}",
                "{\"annotations\":[\"io.tardis.enable\",\"true\"]}",
                "{\"annotations\":{\"io.tardis.enable\":\"true\",\"io.tardis.enable\":\"false\"}}",
                "{\"annotations\":{\"io.tardis.enable\":\"true\"},\"annotations\":null}",
                "{\"process\":{\"annotations\":{\"io.tardis.enable\":\"true\"}}}",
                "{\"io.tardis.enable\":\"true\"}"
            })
    void isNotEnabledByAnotherAnnotation(String config) throws IOException {
        Bundles.write(bundle, config);

        assertThat(Bundle.isTardisEnabled(bundle)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{",
                "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}",
                "TARDIS_ENABLE=1",
                "\0\0\0"
            })
    void refusesWhatIsNotJson(String config) throws IOException {
        Bundles.write(bundle, config);

        assertThatThrownBy(() -> Bundle.isTardisEnabled(bundle))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(bundle.resolve("config.json") + " is not JSON");
    }

    /** Each was tried with Go's encoding/json and runc's type for it. */
    static Stream<String> configurationsThatRuncTakesForEnabled() {
        String env = "\"env\":[\"TARDIS_ENABLE=1\"]";
        return Stream.of(
                "{\"Process\":{\"ENV\":[\"TARDIS_ENABLE=1\"]}}",
                "{\"proce\u017f\u017f\":{" + env + "}}",
                "{\"pr\\u006fcess\":{" + env + "}}",
                // Objects of one name are one object, arrays replace each other.
                "{\"process\":{" + env + "},\"process\":{\"cwd\":\"/\"}}",
                "{\"process\":{\"env\":[\"TARDIS_ENABLE=0\"]},\"PROCESS\":{" + env + "}}",
                "{\"process\":null,\"process\":{" + env + "}}",
                "{\"process\":{" + env + "}}and what is no JSON",
                // Limits that other readers have.
                "{\"" + "k".repeat(60_000) + "\":1,\"process\":{" + env + "}}",
                "{\"n\":" + "9".repeat(2_000) + ",\"process\":{" + env + "}}",
                "{\"n\":1." + "9".repeat(2_000) + "e1,\"process\":{" + env + "}}",
                "{\"d\":" + "[".repeat(9_999) + "]".repeat(9_999) + ",\"process\":{" + env + "}}",
                "{\"process\":{\"args\":[\"\\ud800\",\"\\udc00x\"]," + env + "}}");
    }

    @ParameterizedTest
    @MethodSource("configurationsThatRuncTakesForEnabled")
    void readsTheConfigurationAsRuncDoes(String config) throws IOException {
        Bundles.write(bundle, config);

        assertThat(Bundle.isTardisEnabled(bundle)).isTrue();
    }

    @Test
    void readsWhatIsNotUtf8AsRuncDoes() throws IOException {
        Files.write(
                Bundles.write(bundle, "").resolve("config.json"),
                "{\"\u00fc\":\"\u00e9\",\"process\":{\"env\":[\"X=\u00ff\",\"TARDIS_ENABLE=1\"]}}"
                        .getBytes(StandardCharsets.ISO_8859_1));

        assertThat(Bundle.isTardisEnabled(bundle)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]},\"process\":null}",
                "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"],\"env\":null}}",
                "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"],\"Env\":[]}}",
                "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]},\"process\":{\"env\":[\"A=1\"]}}",
                "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\\ud800\"]}}"
            })
    void isNotEnabledByWhatRuncReplaces(String config) throws IOException {
        Bundles.write(bundle, config);

        assertThat(Bundle.isTardisEnabled(bundle)).isFalse();
    }

    @Test
    void refusesAByteOrderMarkAsRuncDoes() throws IOException {
        Bundles.write(bundle, "\ufeff" + Bundles.ENABLED);

        assertThatThrownBy(() -> Bundle.isTardisEnabled(bundle)).isInstanceOf(IOException.class);
    }

    @Test
    @Timeout(20)
    void opensNoPipe() throws Exception {
        assertThat(
                        new ProcessBuilder("mkfifo", bundle.resolve("config.json").toString())
                                .start()
                                .waitFor())
                .isZero();

        assertThatThrownBy(() -> Bundle.isTardisEnabled(bundle))
                .hasMessageContaining("is not a regular file");
    }

    @Test
    void namesTheSizeOfAConfigurationThatIsTooLarge() throws IOException {
        try (FileChannel sparse =
                FileChannel.open(
                        bundle.resolve("config.json"),
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE)) {
            sparse.write(ByteBuffer.wrap(new byte[1]), 8L << 30);
        }

        assertThatThrownBy(() -> Bundle.isTardisEnabled(bundle))
                .hasMessageContaining("has 8589934593 bytes");
    }

    @Test
    void refusesJsonThatIsNestedTooDeeply() throws IOException {
        Bundles.write(bundle, "[".repeat(100_000));

        assertThatThrownBy(() -> Bundle.isTardisEnabled(bundle)).isInstanceOf(IOException.class);
    }

    @Test
    void readsALargeConfiguration() throws IOException {
        Bundles.write(
                bundle,
                "{\"process\":{\"env\":[\"BIG="
                        + "x".repeat(4 << 20)
                        + "\",\"TARDIS_ENABLE=1\"]}}");

        assertThat(Bundle.isTardisEnabled(bundle)).isTrue();
    }

    @Test
    void refusesAConfigurationThatCouldFillTheMemory() throws IOException {
        Bundles.write(bundle, " ".repeat(8 << 20) + Bundles.ENABLED);

        assertThatThrownBy(() -> Bundle.isTardisEnabled(bundle))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is larger than");
    }

    @Test
    void failsWhereThereIsNoConfiguration() {
        assertThatThrownBy(() -> Bundle.isTardisEnabled(bundle))
                .isInstanceOf(NoSuchFileException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"6615", "6615\n", " 6615 "})
    void findsThePidInTheBundle(String text) throws IOException {
        Files.writeString(bundle.resolve("init.pid"), text);
        writeState("{\"init_process_pid\":7}");

        assertThat(Bundle.initPid(bundle, state)).hasValue(6615);
    }

    @Test
    void findsThePidInTheRuntimesStateIfTheBundleHasNone() throws IOException {
        writeState("{\"id\":\"tc\",\"init_process_pid\":6615,\"init_process_start\":5}");

        assertThat(Bundle.initPid(bundle, state)).hasValue(6615);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0", "-1", "x", "66 15", "99999999999"})
    void findsThePidInTheRuntimesStateIfTheBundleHasNonsense(String text) throws IOException {
        Files.writeString(bundle.resolve("init.pid"), text);
        writeState("{\"init_process_pid\":7}");

        assertThat(Bundle.initPid(bundle, state)).hasValue(7);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"init_process_pid\":0}",
                "{\"init_process_pid\":-1}",
                "{\"init_process_pid\":\"6615\"}",
                "{\"init_process_pid\":6.5}",
                "{\"init_process_pid\":1e99}"
            })
    void findsNoPidWhereTheRuntimeNamesNone(String json) throws IOException {
        writeState(json);

        assertThat(Bundle.initPid(bundle, state)).isEmpty();
    }

    @Test
    void findsNoPidWhereThereIsNoFile() throws IOException {
        assertThat(Bundle.initPid(bundle, state.resolve("gone"))).isEmpty();
    }

    @Test
    void failsWhereTheRuntimesStateIsNotJson() throws IOException {
        writeState("init_process_pid");

        assertThatThrownBy(() -> Bundle.initPid(bundle, state))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("state.json is not JSON");
    }

    private void writeState(String json) throws IOException {
        Files.writeString(state.resolve("state.json"), json, StandardCharsets.UTF_8);
    }
}
