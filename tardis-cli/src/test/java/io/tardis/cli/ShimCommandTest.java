package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.ContainerRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The cold shim, as the launcher starts it: in a process of its own. */
@Timeout(90)
class ShimCommandTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final Tardis.Result SILENCE = new Tardis.Result(ExitStatus.OK, "", "");

    @TempDir private Path directory;
    private Tardis tardis;
    private ContainerRegistry registry;

    @BeforeEach
    void makeBundle() throws IOException {
        tardis = new Tardis(directory);
        registry = new ContainerRegistry(tardis.environment().settings().containersDir());
        Path bundle = Files.createDirectory(directory.resolve("bundle"));
        Files.writeString(
                bundle.resolve("config.json"), "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");
    }

    @AfterEach
    void stop() throws IOException, InterruptedException {
        tardis.stopDaemon();
    }

    @Test
    void registersALifeAndStartsTheDaemonInSilence() throws Exception {
        Path home = tardis.install("");

        Tardis.Result result =
                shim(home, "create", "--bundle", directory.resolve("bundle").toString(), "tc");

        assertThat(result).isEqualTo(SILENCE);
        assertThat(registry.open(TC)).isPresent();
        assertThat(tardis.run("status").status()).isEqualTo(ExitStatus.OK);
    }

    @Test
    void leavesHelpAndVersionToTheRuntime() throws Exception {
        Path home = tardis.install("touch '" + directory.resolve("started") + "'");

        assertThat(shim(home, "create", "--help", "tc")).isEqualTo(SILENCE);
        assertThat(shim(home, "--version")).isEqualTo(SILENCE);

        assertThat(directory.resolve("started")).doesNotExist();
        assertThat(tardis.stateDir()).doesNotExist();
    }

    @Test
    void goesOnInSilenceWhereTheDaemonCannotBeStartedAndSettingsAreBad() throws Exception {
        tardis.set("TARDIS_NO_SUCH_KEY", "1");
        tardis.set("TARDIS_DELETE_WAIT_MS", "soon");
        Path home = tardis.install("exit 1");

        Tardis.Result result =
                shim(home, "create", "--bundle", directory.resolve("bundle").toString(), "tc");

        assertThat(result).isEqualTo(SILENCE);
        assertThat(registry.open(TC)).isPresent();
    }

    @Test
    void notesNothingThroughALinkInPlaceOfTheStateDirectory() throws Exception {
        Path elsewhere = Files.createDirectory(directory.resolve("elsewhere"));
        Files.createSymbolicLink(tardis.stateDir(), elsewhere);
        Path home = tardis.install("exit 1");

        Tardis.Result result =
                shim(home, "create", "--bundle", directory.resolve("bundle").toString(), "tc");

        assertThat(result).isEqualTo(SILENCE);
        assertThat(elsewhere).isEmptyDirectory();
    }

    private Tardis.Result shim(Path home, String... words)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(tardis.javaCommand("-Dtardis.home=" + home));
        // Longer than a daemon takes: on a busy machine its start can take more than five seconds.
        command.addAll(List.of("shim", "60000", "--", "--root", "/run/runc/default"));
        command.addAll(List.of(words));
        try (TardisProcess process = TardisProcess.start(tardis.builder(command), directory)) {
            return process.result();
        }
    }
}
