package io.tardis.core.config;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SettingsReaderTest {

    private static final Settings DEFAULTS =
            new Settings(
                    Path.of("/var/lib/tardis"),
                    Path.of("/run/tardis"),
                    Path.of("/var/lib/tardis/checkpoint"),
                    Path.of("/var/log/tardis/tardis.log"),
                    "INFO",
                    Optional.empty(),
                    List.of("ctr", "events"),
                    "tcp://127.0.0.1:5580",
                    "tcp://127.0.0.1:5581",
                    Optional.empty(),
                    RecordScope.ENABLED,
                    Duration.ofDays(30),
                    Duration.ofDays(1),
                    Duration.ofSeconds(1),
                    true,
                    Access.DEFAULT,
                    Optional.empty(),
                    Limits.DEFAULT);

    /** Lines of the vectors whose keys are unknown. */
    private static final Pattern UNKNOWN =
            Pattern.compile(
                    "(?md)^(TARDIS_UNKNOWN|TARDIS_STATE_DI(RECTORY)?|tardis_state_dir|PATH)=.*$");

    @TempDir Path directory;

    private Path file = Path.of("unset");
    private final Map<String, String> environment = new HashMap<>();

    @BeforeEach
    void nameFile() throws IOException {
        file = Files.createFile(directory.resolve("tardis.env"));
        environment.put("TARDIS_CONFIG", file.toString());
    }

    @Test
    void takesDefaultsWhereNothingIsSet() {
        assertThat(SettingsReader.strict(environment)).isEqualTo(DEFAULTS);
    }

    @Test
    void readsEverySettingFromFile() throws IOException {
        Files.writeString(
                file,
                """
                # where things are
                TARDIS_STATE_DIR=/s
                TARDIS_RUN_DIR=/r/../run
                TARDIS_CHECKPOINT_DIR=/c/

                TARDIS_LOG_FILE=/l/a.log
                  # indented
                TARDIS_LOG_LEVEL=debug
                TARDIS_REAL_RUNC_CMD=crun
                TARDIS_CTR_CMD=ctr --address '/run/a b.sock' events
                TARDIS_EVENTS_ENDPOINT=tcp://127.1.2.3:1
                TARDIS_QUERY_ENDPOINT=tcp://[::1]:65535
                TARDIS_RECORD=all
                TARDIS_RETENTION=12h
                TARDIS_REPLAY=90s
                TARDIS_DELETE_WAIT_MS=0
                TARDIS_KERNEL_WITNESS=off
                TARDIS_GROUP=root
                TARDIS_LOCAL_CLIENTS=any
                TARDIS_MAX_UNWRITTEN=1000
                TARDIS_MAX_CONNECTIONS=1
                TARDIS_MAX_REQUEST_BYTES=512
                TARDIS_METRICS_ENDPOINT=[::1]:9580
                TARDIS_MAX_WAITING=0
                TARDIS_MAX_REQUESTS_PER_SECOND=1
                """);

        Settings settings = SettingsReader.strict(environment);

        Settings expected =
                new Settings(
                        Path.of("/s"),
                        Path.of("/r/../run"),
                        Path.of("/c"),
                        Path.of("/l/a.log"),
                        "DEBUG",
                        Optional.of("crun"),
                        List.of("ctr", "--address", "/run/a b.sock", "events"),
                        "tcp://127.1.2.3:1",
                        "tcp://[::1]:65535",
                        Optional.of("tcp://[::1]:9580"),
                        RecordScope.ALL,
                        Duration.ofHours(12),
                        Duration.ofSeconds(90),
                        Duration.ZERO,
                        false,
                        new Access(Optional.of("root"), false, true),
                        Optional.empty(),
                        new Limits(1_000, 1, 512, 0, 1));
        assertThat(settings).isEqualTo(expected);
    }

    @Test
    void derivesPathsFromDirectories() {
        environment.put("TARDIS_STATE_DIR", "/s");
        environment.put("TARDIS_RUN_DIR", "/r");

        Settings settings = SettingsReader.strict(environment);

        assertThat(settings.checkpointDir()).hasToString("/s/checkpoint");
        assertThat(settings.containersDir()).hasToString("/s/containers");
        assertThat(settings.exitLog()).hasToString("/s/exits.db");
        assertThat(settings.socket()).hasToString("/r/tardis.sock");
    }

    @Test
    void prefersEnvironmentToFile() throws IOException {
        Files.writeString(file, "TARDIS_RECORD=nobody\nTARDIS_REPLAY=2d\nTARDIS_RETENTION=3d\n");
        environment.put("TARDIS_RECORD", "all");
        environment.put("TARDIS_REPLAY", "5m");
        environment.put("TARDIS_RETENTION", "");

        Settings settings = SettingsReader.strict(environment);

        assertThat(settings.record()).isEqualTo(RecordScope.ALL);
        assertThat(settings.replay()).isEqualTo(Duration.ofMinutes(5));
        // An empty value counts as none, so the file still speaks.
        assertThat(settings.retention()).isEqualTo(Duration.ofDays(3));
    }

    @Test
    void takesLastOfRepeatedLines() throws IOException {
        Files.writeString(file, "TARDIS_REPLAY=2d\nTARDIS_REPLAY=3d\nTARDIS_REPLAY=\n");

        assertThat(SettingsReader.strict(environment).replay()).isEqualTo(Duration.ofDays(3));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "''", "\"\"", "   "})
    void takesDefaultForEmptyValue(String value) throws IOException {
        StringBuilder text = new StringBuilder();
        for (Setting setting : Setting.values()) {
            text.append(setting.key()).append('=').append(value).append('\n');
        }
        Files.writeString(file, text);

        assertThat(SettingsReader.strict(environment)).isEqualTo(DEFAULTS);
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '~',
            delimiter = '|',
            value = {
                "TARDIS_REAL_RUNC_CMD   | bin/runc            | not an absolute path",
                "TARDIS_LOG_LEVEL       | LOUD                | not a log level",
                "TARDIS_CTR_CMD         | ctr 'events         | a quote is not closed",
                "TARDIS_CTR_CMD         | bin/ctr events      | not an absolute path",
                "TARDIS_CTR_CMD         | ctr \\              | ends with a backslash",
                "TARDIS_EVENTS_ENDPOINT | 5580                | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | ipc:///run/a        | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://127.0.0.1     | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://:5580         | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://a b:5580      | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://127.0.0.1:0   | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://127.0.0.1:080 | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://::1:5580      | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://[::1:5580     | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://[127.0.0.1]:1 | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://[:::]:5580    | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://300.0.0.1:1   | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://127.1:5580    | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://127.0.0.1;127.0.0.1:1 | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://127.0.0.1:1;127.0.0.1:5580 | not an endpoint",
                "TARDIS_EVENTS_ENDPOINT | tcp://[2001:db8::1]:1 | not a loopback address",
                "TARDIS_EVENTS_ENDPOINT | tcp://a:5580/x      | not an endpoint",
                "TARDIS_METRICS_ENDPOINT | 9580               | neither off nor ADDRESS:PORT",
                "TARDIS_METRICS_ENDPOINT | tcp://127.0.0.1:1  | neither off nor ADDRESS:PORT",
                "TARDIS_METRICS_ENDPOINT | 127.0.0.1          | neither off nor ADDRESS:PORT",
                "TARDIS_METRICS_ENDPOINT | 127.0.0.1:0        | neither off nor ADDRESS:PORT",
                "TARDIS_METRICS_ENDPOINT | 127.0.0.1:65536    | neither off nor ADDRESS:PORT",
                "TARDIS_METRICS_ENDPOINT | 0.0.0.0:9580       | neither off nor ADDRESS:PORT",
                "TARDIS_METRICS_ENDPOINT | *:9580             | neither off nor ADDRESS:PORT",
                "TARDIS_METRICS_ENDPOINT | node7:9580         | neither off nor ADDRESS:PORT",
                "TARDIS_METRICS_ENDPOINT | OFF                | neither off nor ADDRESS:PORT",
                "TARDIS_QUERY_ENDPOINT  | tcp://a:-1          | not an endpoint",
                "TARDIS_QUERY_ENDPOINT  | tcp://a:65536       | not an endpoint",
                "TARDIS_QUERY_ENDPOINT  | tcp://a:99999       | not an endpoint",
                "TARDIS_RECORD          | ALL                 | neither enabled nor all",
                "TARDIS_RETENTION       | 30                  | not a length of time",
                "TARDIS_RETENTION       | -1d                 | not a length of time",
                "TARDIS_RETENTION       | 1.5h                | not a length of time",
                "TARDIS_RETENTION       | 1 d                 | not a length of time",
                "TARDIS_RETENTION       | 1w                  | not a length of time",
                "TARDIS_REPLAY          | 1234567890s         | not a length of time",
                "TARDIS_REPLAY          | forever             | not a length of time",
                "TARDIS_DELETE_WAIT_MS  | 4001                | not a number of milliseconds",
                "TARDIS_DELETE_WAIT_MS  | -1                  | not a number of milliseconds",
                "TARDIS_DELETE_WAIT_MS  | 1s                  | not a number of milliseconds",
                "TARDIS_DELETE_WAIT_MS  | 99999999999999999999 | not a number of milliseconds"
            })
    void refusesBadValueOrTakesDefault(String key, String value, String reason) throws IOException {
        Files.writeString(file, "# one\n" + key + "=" + value + "\n");

        assertThat(problems())
                .startsWith(file + ", line 2: " + key + "=" + value + ": ")
                .contains(reason);

        Files.writeString(file, "");
        environment.put(key, value);

        assertThat(problems())
                .startsWith("the environment: " + key + "=" + value + ": ")
                .contains(reason);
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '~',
            delimiter = '|',
            value = {
                "TARDIS_STATE_DIR       | relative/path       | not an absolute path",
                "TARDIS_RUN_DIR         | .                   | not an absolute path",
                "TARDIS_RUN_DIR         | ~/a\0b~             | not UTF-8 text",
                "TARDIS_CHECKPOINT_DIR  | checkpoint          | not an absolute path",
                "TARDIS_LOG_FILE        | tardis.log          | not an absolute path"
            })
    void refusesBadDirectory(String key, String value, String reason) throws IOException {
        Files.writeString(file, "# one\n" + key + "=" + value + "\n");

        assertThat(problems())
                .startsWith(file + ", line 2: " + key + "=" + value + ": ")
                .contains(reason);

        Files.writeString(file, "");
        environment.put(key, value);

        assertThat(problems())
                .startsWith("the environment: " + key + "=" + value + ": ")
                .contains(reason);
    }

    @Test
    void refusesOnePortForBothEndpoints() throws IOException {
        Files.writeString(file, "TARDIS_EVENTS_ENDPOINT=tcp://127.0.0.1:5581\n");

        assertThat(problems())
                .startsWith(file + ", line 1: TARDIS_EVENTS_ENDPOINT=tcp://127.0.0.1:5581 and")
                .contains("TARDIS_QUERY_ENDPOINT=tcp://127.0.0.1:5581 are the same");
    }

    @Test
    void refusesThePortOfAnotherEndpointForMetrics() throws IOException {
        Files.writeString(file, "TARDIS_METRICS_ENDPOINT=127.0.0.1:5580\n");

        assertThat(problems())
                .isEqualTo(
                        file
                                + ", line 1: TARDIS_EVENTS_ENDPOINT=tcp://127.0.0.1:5580 and"
                                + " TARDIS_METRICS_ENDPOINT=127.0.0.1:5580 are the same;"
                                + " take another port for one of them");
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1:9580", "localhost:9580", "[::1]:9580"})
    void takesALoopbackAddressForMetrics(String text) {
        environment.put("TARDIS_METRICS_ENDPOINT", text);

        assertThat(SettingsReader.strict(environment).metricsEndpoint()).contains("tcp://" + text);
    }

    /** A blank value can only come from the environment; in the file it is dropped. */
    @Test
    void refusesCommandWithoutWords() {
        environment.put("TARDIS_CTR_CMD", "  ");

        assertThat(problems()).isEqualTo("the environment: TARDIS_CTR_CMD=  : no command");
    }

    @Test
    void namesEveryProblemAtOnce() throws IOException {
        Files.writeString(
                file,
                """
                TARDIS_RECORD=some
                TARDIS_STATE_DIRECTORY=/s

                =1
                nonsense
                tardis_record=all
                """);
        environment.put("TARDIS_REPLY", "1d");
        environment.put("TARDIS_DELETE_WAIT_MS", "soon");

        assertThat(problems().lines())
                .satisfiesExactlyInAnyOrder(
                        it -> assertThat(it).startsWith(file + ", line 1: TARDIS_RECORD=some: "),
                        it ->
                                assertThat(it)
                                        .isEqualTo(
                                                file
                                                        + ", line 2: unknown key"
                                                        + " TARDIS_STATE_DIRECTORY"),
                        it -> assertThat(it).isEqualTo(file + ", line 4: not a KEY=VALUE line"),
                        it -> assertThat(it).isEqualTo(file + ", line 5: not a KEY=VALUE line"),
                        it ->
                                assertThat(it)
                                        .isEqualTo(file + ", line 6: unknown key tardis_record"),
                        it -> assertThat(it).isEqualTo("the environment: unknown key TARDIS_REPLY"),
                        it ->
                                assertThat(it)
                                        .startsWith("the environment: TARDIS_DELETE_WAIT_MS=soon"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"TARDIS_ENABLE", "TARDIS_JAVA_OPTS", "PATH", "tardis_x", "MY_TARDIS_X"})
    void leavesKeysOfOthersInEnvironmentAlone(String key) {
        environment.put(key, "1");

        assertThat(SettingsReader.strict(environment)).isEqualTo(DEFAULTS);
    }

    @Test
    void doesWithoutDefaultFile() {
        assumeThat(SettingsReader.DEFAULT_FILE).doesNotExist();

        assertThat(SettingsReader.strict(Map.of())).isEqualTo(DEFAULTS);
        assertThat(SettingsReader.strict(Map.of("TARDIS_CONFIG", ""))).isEqualTo(DEFAULTS);
    }

    @Test
    void refusesMissingFileThatIsNamed() throws IOException {
        Files.delete(file);

        assertThat(problems()).contains(file.toString(), "does not exist", "TARDIS_CONFIG");
    }

    @Test
    void refusesWhatIsNoRegularFile() throws IOException, InterruptedException {
        Path fifo = directory.resolve("fifo");
        assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor()).isZero();
        for (Path other : List.of(directory, fifo, Path.of("/dev/zero"))) {
            environment.put("TARDIS_CONFIG", other.toString());

            assertThat(problems()).contains(other.toString(), "not a regular file");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/etc/\0tardis.env", "tardis.env", "./tardis.env"})
    void refusesNameThatIsNoAbsolutePath(String name) {
        environment.put("TARDIS_CONFIG", name);

        assertThat(problems()).startsWith("the environment: TARDIS_CONFIG=" + name + ": ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"no-such-group", "0", "root:root"})
    void refusesAGroupThatDoesNotExist(String name) throws IOException {
        Files.writeString(file, "TARDIS_GROUP=" + name);

        assertThat(problems())
                .isEqualTo(
                        "%s, line 1: TARDIS_GROUP=%s: there is no such group; make it, name another one, or set none"
                                .formatted(file, name));
    }

    @Test
    void takesNoGroupForNone() {
        environment.put("TARDIS_GROUP", "none");
        environment.put("TARDIS_LOCAL_CLIENTS", "group");

        assertThat(SettingsReader.strict(environment).access())
                .isEqualTo(new Access(Optional.empty(), false, false));
    }

    @Test
    void refusesOtherLocalClients() {
        environment.put("TARDIS_LOCAL_CLIENTS", "all");

        assertThat(problems())
                .isEqualTo("the environment: TARDIS_LOCAL_CLIENTS=all: neither group nor any");
    }

    /** The launcher's reader is tested with the same vectors. */
    @ParameterizedTest
    @MethodSource("io.tardis.core.config.SettingsVector#all")
    void readsEveryVector(SettingsVector vector) throws IOException {
        // The launcher passes over them.
        Files.writeString(file, UNKNOWN.matcher(vector.file()).replaceAll("#"), ISO_8859_1);

        if (vector.refused() >= 0) {
            String origin = vector.refused() == 0 ? "" : ", line " + vector.refused() + ": ";
            assertThat(problems()).contains(file + origin);
        } else {
            Settings settings = SettingsReader.strict(environment);
            assertThat(settings.runDir())
                    .hasToString(vector.value(Setting.RUN_DIR, DEFAULTS.runDir().toString()));
            assertThat(settings.stateDir())
                    .hasToString(vector.value(Setting.STATE_DIR, DEFAULTS.stateDir().toString()));
            assertThat(settings.logFile())
                    .hasToString(vector.value(Setting.LOG_FILE, DEFAULTS.logFile().toString()));
            assertThat(settings.realRuncCommand().orElse(""))
                    .isEqualTo(vector.value(Setting.REAL_RUNC_CMD, ""));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0ms, PT0S",
        "500ms, PT0.5S",
        "30s, PT30S",
        "5m, PT5M",
        "12h, PT12H",
        "30d, PT720H",
        "999999999d, PT23999999976H"
    })
    void readsLengthsOfTime(String text, Duration expected) {
        assertThat(SettingParser.duration(text)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "5", "m", "5M", " 5m", "5m\n", "5m30s", "+5m", "٥m"})
    void refusesWhatIsNoLengthOfTime(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> SettingParser.duration(text));
    }

    private String problems() {
        SetupException refusal =
                catchThrowableOfType(
                        SetupException.class, () -> SettingsReader.strict(environment));
        assertThat(refusal).isNotNull();
        return String.valueOf(refusal.getMessage());
    }
}
