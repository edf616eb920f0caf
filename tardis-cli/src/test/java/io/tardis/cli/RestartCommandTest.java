package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A daemon that cannot live does not take the place of one that can. */
@Timeout(120)
class RestartCommandTest {

    @TempDir private Path directory;
    private Tardis tardis;
    private TardisProcess daemon;

    @BeforeEach
    void start() throws IOException {
        tardis = new Tardis(directory);
        daemon = tardis.start("daemon");
        await().atMost(Duration.ofSeconds(60))
                .until(() -> BackgroundDaemon.answers(tardis.environment().settings()));
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    @Test
    void namesAPortThatIsTaken() throws IOException {
        Tardis changed = sameDaemon();
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String endpoint = "tcp://127.0.0.1:" + taken.getLocalPort();
            changed.set("TARDIS_QUERY_ENDPOINT", endpoint);

            refuses(
                    changed,
                    endpoint + " cannot be bound",
                    "process " + ProcessHandle.current().pid() + " has it");
        }
    }

    /** The port is the daemon's own, and would be free, but not twice. */
    @Test
    void namesAnEndpointThatIsThereTwice() throws IOException {
        Tardis changed = sameDaemon();
        String events = tardis.environment().settings().eventsEndpoint();
        changed.set("TARDIS_QUERY_ENDPOINT", events);

        refuses(changed, "TARDIS_EVENTS_ENDPOINT=" + events, "are the same");
    }

    @Test
    void namesALogThatCannotBeWritten() throws IOException {
        Tardis changed = sameDaemon();
        Path log = Files.createDirectory(directory.resolve("log"));
        changed.set("TARDIS_LOG_FILE", log.toString());

        refuses(changed, log + " cannot be written");
    }

    @Test
    void namesBothStateDirectoriesWhereTheyDiffer() throws IOException {
        Tardis changed = sameDaemon();
        Path other = directory.resolve("other");
        changed.set("TARDIS_STATE_DIR", other.toString());

        refuses(changed, tardis.stateDir().toString(), other.toString());
        assertThat(other).doesNotExist();
        for (String command : List.of("status", "stop")) {
            assertThat(changed.run(command).err())
                    .as(command)
                    .contains(tardis.stateDir().toString(), other.toString());
        }
    }

    @Test
    void namesBothRunDirectoriesWhereTheyDiffer() throws IOException {
        Tardis changed = sameDaemon();
        Path other = directory.resolve("other");
        changed.set("TARDIS_RUN_DIR", other.toString());

        refuses(changed, tardis.runDir().toString(), other.toString());
        assertThat(other).doesNotExist();
    }

    /** The new daemon could not open it, and the old one, once ended, not again either. */
    @Test
    void namesAnExitLogThatAnotherProgramKeeps() throws Exception {
        Path log = tardis.environment().settings().exitLog();
        String keep =
                "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
                        + " c.execute('BEGIN IMMEDIATE'); print('kept', flush=True);"
                        + " sys.stdin.read()";
        Process other =
                new ProcessBuilder("/usr/bin/python3", "-c", keep, log.toString())
                        .redirectErrorStream(true)
                        .start();
        try (BufferedReader said = other.inputReader()) {
            assertThat(said.readLine()).isEqualTo("kept");

            Tardis.Result restart = tardis.run("restart");

            assertThat(restart.status()).isEqualTo(ExitStatus.USAGE);
            assertThat(restart.err())
                    .contains(log + " cannot be written: another program keeps it");
            assertThat(daemon.isAlive()).isTrue();
        } finally {
            other.destroyForcibly().waitFor();
        }
    }

    /** What the daemon has itself is no hindrance; then the installation is missing. */
    @Test
    void takesWhatTheDaemonHasForFree() {
        refuses(tardis, "bin/tardis of an installation");
    }

    @Test
    void isExaminedAndFoundWell() {
        tardis.set("TARDIS_CTR_CMD", "sleep 60");

        assertThat(tardis.run("doctor").out())
                .contains("ok    daemon      process " + daemon.pid())
                .contains("ok    state dir   " + tardis.stateDir())
                .contains("ok    queries     ")
                .contains("WARN  source      'sleep 60' is not 'ctr ... events' and is not tried");
    }

    private Tardis sameDaemon() throws IOException {
        Tardis same = new Tardis(directory);
        tardis.environment().variables().forEach(same::set);
        return same;
    }

    private void refuses(Tardis settings, String... reasons) {
        Tardis.Result restart = settings.run("restart");

        assertThat(restart.status()).isEqualTo(ExitStatus.USAGE);
        assertThat(restart.err()).contains(reasons);
        assertThat(daemon.isAlive()).isTrue();
        assertThat(BackgroundDaemon.answers(tardis.environment().settings())).isTrue();
        assertThat(tardis.run("status").status()).isEqualTo(ExitStatus.OK);
    }
}
