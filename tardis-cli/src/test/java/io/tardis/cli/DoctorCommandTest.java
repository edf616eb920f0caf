package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DoctorCommandTest {

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
        tardis.set("TARDIS_CTR_CMD", program("ctr", "exit 0") + " -a /some/socket events");
        tardis.set("TARDIS_REAL_RUNC_CMD", program("runc", "echo runc version 1.1.5").toString());
    }

    @Test
    void findsNothingWrongAndChangesNothing() throws IOException {
        List<Path> before = files();

        Tardis.Result doctor = tardis.run("doctor");

        assertThat(doctor.status()).as(doctor.out()).isEqualTo(ExitStatus.OK);
        assertThat(doctor.err()).isEmpty();
        assertThat(doctor.out())
                .contains("ok    settings    " + tardis.configFile())
                .contains("ok    daemon      none runs; the first enabled container starts one")
                .contains("ok    state dir   " + tardis.stateDir() + " will be made")
                .contains("-a /some/socket version' reaches containerd")
                .contains("runc: runc version 1.1.5")
                .doesNotContain("FAIL");
        assertThat(files()).isEqualTo(before);
    }

    @Test
    void namesABadSetting() throws IOException {
        Files.writeString(tardis.configFile(), "TARDIS_RETENSION=1d\n");

        fails("settings    " + tardis.configFile() + ", line 1: unknown key TARDIS_RETENSION");
    }

    @Test
    void namesASourceThatDoesNotReachContainerd() throws IOException {
        Path ctr = program("ctr", "echo no such address >&2; exit 1");
        tardis.set("TARDIS_CTR_CMD", ctr + " events");

        fails("source      '" + ctr + " version' ended with 1: no such address");
    }

    @Test
    void namesASourceThatIsNotThere() {
        tardis.set("TARDIS_CTR_CMD", "/no/such/ctr events");

        fails("source      '/no/such/ctr version' cannot be started");
    }

    /** It would lead back to the launcher. */
    @Test
    void namesARuntimeThatIsTardis() throws IOException {
        Path runc = program("runc", "# \u007fTARDIS-RUNC-LAUNCHER\u007f");
        tardis.set("TARDIS_REAL_RUNC_CMD", runc.toString());

        fails("runtime     " + runc + " is not there, or is Tardis");
    }

    @Test
    void namesAPortThatIsTaken() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String endpoint = "tcp://127.0.0.1:" + taken.getLocalPort();
            tardis.set("TARDIS_EVENTS_ENDPOINT", endpoint);

            fails("events      " + endpoint + " cannot be bound");
        }
    }

    @Test
    void namesADirectoryThatIsALink() throws IOException {
        Files.createSymbolicLink(tardis.stateDir(), Files.createDirectory(directory.resolve("x")));

        fails("state dir   " + tardis.stateDir() + " is not a directory of its own");
    }

    /** The launcher refuses it: no container would start a daemon. */
    @ParameterizedTest
    @ValueSource(strings = {"rwx-w----", "rwxrwxrwx"})
    void namesARunDirectoryThatOthersCanWriteInto(String permissions) throws IOException {
        Path run = Files.createDirectory(tardis.runDir());
        Files.setPosixFilePermissions(run, PosixFilePermissions.fromString(permissions));
        String problem =
                "run dir     others can write into %1$s, so no container starts a daemon; "
                        .formatted(run);

        fails(problem + "run: chmod 700 " + run);
        Files.createFile(run.resolve("somebody's"));
        fails(problem + run + " is open to others and holds what is not Tardis's, somebody's");
    }

    @Test
    void warnsOfARunDirectoryThatOthersCanReadOnly() throws IOException {
        Path run = Files.createDirectory(tardis.runDir());
        Files.setPosixFilePermissions(run, PosixFilePermissions.fromString("rwxr-xr-x"));

        Tardis.Result doctor = tardis.run("doctor");

        assertThat(doctor.status()).as(doctor.out()).isEqualTo(ExitStatus.OK);
        assertThat(doctor.out()).contains("WARN  run dir     " + run + " is open to others");
    }

    @Test
    void namesALogThatCannotBeWritten() {
        tardis.set("TARDIS_LOG_FILE", directory.toString());

        fails("log         " + directory + " cannot be written");
    }

    @Test
    void saysWhyTheLastStartFailed() throws IOException {
        Directories.makePrivate(tardis.runDir());
        Files.writeString(
                tardis.runDir().resolve("start-failed"), "failures=1\nreason=a port is taken\n");

        fails("daemon      none runs; its last start failed (1 in a row since ?): a port is taken");
    }

    private void fails(String line) {
        Tardis.Result doctor = tardis.run("doctor");

        assertThat(doctor.status()).isEqualTo(ExitStatus.FAILED);
        assertThat(doctor.out()).contains("FAIL  " + line);
    }

    private Path program(String name, String script) throws IOException {
        Path file = directory.resolve(name);
        Files.writeString(file, "#!/bin/sh\n" + script + "\n");
        assertThat(file.toFile().setExecutable(true)).isTrue();
        return file;
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.sorted().toList();
        }
    }
}
