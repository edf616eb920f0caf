package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is the same for every command. */
class MainTest {

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @Test
    void knowsTheseCommands() {
        assertThat(Main.commandLine(tardis.environment(), Output.standard()).getSubcommands())
                .containsOnlyKeys(
                        "daemon", "stop", "restart", "status", "get", "wait", "show", "ls",
                        "report", "watch", "keygen", "doctor", "backup");
    }

    @Test
    void looksAtNoCommandButTheOneThatIsNamed() {
        assertThat(
                        Main.commandLine(tardis.environment(), Output.standard(), "get", "ls")
                                .getSubcommands())
                .containsOnlyKeys("get");
    }

    @Test
    void printsItsUsage() {
        Tardis.Result result = tardis.run("--help");

        assertThat(result.status()).isZero();
        assertThat(result.out()).startsWith("Usage: tardis [-hV] COMMAND").contains("  watch ");
        assertThat(result.err()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "daemon", "stop", "restart", "status", "get", "wait", "show", "ls", "report",
                "watch", "keygen", "doctor", "backup"
            })
    void printsTheUsageOfEachCommand(String command) {
        Tardis.Result result = tardis.run(command, "--help");

        assertThat(result.status()).isZero();
        assertThat(result.out()).startsWith("Usage: tardis " + command);
    }

    @Test
    void printsItsVersion() {
        assertThat(tardis.run("--version"))
                .isEqualTo(new Tardis.Result(0, "tardis " + Version.text() + "\n", ""));
    }

    @Test
    void refusesACommandLineWithoutCommand() {
        Tardis.Result result = tardis.run();

        assertThat(result.status()).isEqualTo(2);
        assertThat(result.err()).startsWith("Missing required subcommand");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gte", "--nosuch", "shim"})
    void refusesWhatItDoesNotKnow(String word) {
        Tardis.Result result = tardis.run(word);

        assertThat(result.status()).isEqualTo(2);
        assertThat(result.out()).isEmpty();
        assertThat(result.err()).contains(word);
    }

    @Test
    void refusesABadSettingAndNamesFileLineAndKey() throws IOException {
        Files.write(
                tardis.configFile(),
                List.of("# settings", "TARDIS_RETENTION=soon", "TARDIS_RETENSION=1d"));

        for (String command : List.of("daemon", "stop", "restart", "status", "ls", "watch")) {
            Tardis.Result result = tardis.run(command);

            assertThat(result.status()).as(command).isEqualTo(2);
            assertThat(result.out()).isEmpty();
            assertThat(result.err())
                    .isEqualTo(
                            "tardis: "
                                    + tardis.configFile()
                                    + ", line 3: unknown key TARDIS_RETENSION\n"
                                    + tardis.configFile()
                                    + ", line 2: TARDIS_RETENTION=soon: not a length of time such as 500ms, 30s, 5m, 12h or 30d\n");
        }
        assertThat(tardis.run("get", "tc").status()).isEqualTo(2);
        assertThat(tardis.run("wait", "tc").status()).isEqualTo(2);
    }

    @Test
    void refusesABadSettingOfTheEnvironment() {
        tardis.set("TARDIS_DELETE_WAIT_MS", "5000");

        Tardis.Result result = tardis.run("status");

        assertThat(result.status()).isEqualTo(2);
        assertThat(result.err())
                .startsWith("tardis: the environment: TARDIS_DELETE_WAIT_MS=5000: not a number");
    }

    @Test
    void givesEachOutcomeAnExitStatusOfItsOwn() {
        assertThat(
                        List.of(
                                ExitStatus.OK,
                                ExitStatus.FAILED,
                                ExitStatus.USAGE,
                                ExitStatus.NOT_KNOWN,
                                ExitStatus.ALREADY_RUNNING,
                                ExitStatus.TIMEOUT,
                                ExitStatus.READER_GONE))
                .containsExactly(0, 1, 2, 3, 4, 124, 141);
    }
}
