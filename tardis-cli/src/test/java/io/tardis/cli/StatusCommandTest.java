package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.figures.Meter;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Health;
import io.tardis.core.wire.Query;
import io.tardis.listener.InstanceLock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StatusCommandTest {

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
        Directories.makePrivate(tardis.stateDir());
    }

    @Test
    void printsTheVersionOfTheDaemon() {
        assertThat(
                        statusOf(
                                        new Answer.Pong(
                                                Version.text(),
                                                7,
                                                Answer.Backlog.NONE,
                                                Optional.empty()))
                                .out())
                .contains("version   " + Version.text() + "\n");
    }

    @Test
    void pointsOutADaemonOfAnotherVersion() {
        Tardis.Result status =
                statusOf(new Answer.Pong("0.0.1", 7, Answer.Backlog.NONE, Optional.empty()));

        assertThat(status.status()).isEqualTo(ExitStatus.OK);
        assertThat(status.out())
                .contains(
                        "version   0.0.1, NOT THIS COMMAND'S "
                                + Version.text()
                                + ": 'tardis restart' puts that in its place\n");
    }

    @Test
    void saysWhatIsNotOnDisk() {
        Answer.Backlog backlog = new Answer.Backlog(false, 12, 3);

        assertThat(statusOf(new Answer.Pong("0.0.1", 7, backlog, Optional.empty())).out())
                .contains(
                        "durable   NO, 12 exits are in memory only until the exit log can be written;"
                                + " 3 exits were given up since the start\n");
    }

    @Test
    void isWellWhereAllPartsAre() {
        Tardis.Result status = statusOf(pong(source(true, ""), Answer.Backlog.NONE));

        assertThat(status.status()).isEqualTo(ExitStatus.OK);
        assertThat(status.out())
                .doesNotContain("DEGRADED")
                .contains(
                        "source    running since 2025-04-04T19:10:59Z, start 1; 12 lines\n"
                                + "witness   off: switched off by TARDIS_KERNEL_WITNESS=off\n"
                                + "socket    "
                                + tardis.socket()
                                + "\n");
    }

    @Test
    void failsWhereNothingIsReceived() {
        Tardis.Result status =
                statusOf(pong(source(false, "ctr: command not found"), Answer.Backlog.NONE));

        assertThat(status.status()).isEqualTo(ExitStatus.FAILED);
        assertThat(status.out()).contains("\nDEGRADED  ctr: command not found\n");
    }

    @Test
    void failsWhereNoClientIsServed() {
        Tardis.Result status =
                statusOf(
                        pong(
                                source(true, ""),
                                Answer.Backlog.NONE,
                                new Health.Clients(false, "the kernel cannot be asked", 0)));

        assertThat(status.status()).isEqualTo(ExitStatus.FAILED);
        assertThat(status.out()).contains("\nDEGRADED  the kernel cannot be asked\n");
    }

    @Test
    void countsThoseWhoWereRefused() {
        tardis.set("TARDIS_GROUP", "root");

        Tardis.Result status =
                statusOf(
                        pong(
                                source(true, ""),
                                Answer.Backlog.NONE,
                                new Health.Clients(true, "", 12)));

        assertThat(status.status()).isEqualTo(ExitStatus.OK);
        assertThat(status.out())
                .contains(
                        "clients   root and the daemon's user, and the group root;"
                                + " 12 connections of others were refused\n");
    }

    @Test
    void failsWhereTheDiskCannotBeWritten() {
        Tardis.Result status = statusOf(pong(source(true, ""), new Answer.Backlog(false, 2, 0)));

        assertThat(status.status()).isEqualTo(ExitStatus.FAILED);
        assertThat(status.out()).contains("\nDEGRADED  2 exits are in memory only");
    }

    @Test
    void printsAllOfItAsJson() {
        Answer.Pong pong = pong(source(true, ""), Answer.Backlog.NONE);
        Tardis.Result status = jsonOf(pong, new Answer.Counted(new Meter().read(0, 0, 4_096)));

        assertThat(status.status()).isEqualTo(ExitStatus.OK);
        assertThat(status.out())
                .startsWith(
                        "{\"status\":\"well\",\"pid\":"
                                + ProcessHandle.current().pid()
                                + ",\"version\":\"")
                .contains("\"problems\":[],\"figures\":{\"exits\":[],")
                .contains("\"database_bytes\":4096},\"events\":\"tcp://127.0.0.1:")
                .endsWith("\"log\":\"" + tardis.logFile() + "\"}\n");
    }

    @Test
    void saysInJsonThatTheDaemonIsNotWell() {
        Answer.Pong pong = pong(source(false, "no \"ctr\""), Answer.Backlog.NONE);
        Tardis.Result status = jsonOf(pong, new Answer.Counted(new Meter().read(0, 0, 0)));

        assertThat(status.status()).isEqualTo(ExitStatus.FAILED);
        assertThat(status.out())
                .startsWith("{\"status\":\"not_well\",")
                .contains("\"problems\":[\"no \\\"ctr\\\"\"]");
    }

    @Test
    void printsNoFiguresOfADaemonThatHasNone() {
        Answer.Pong pong = pong(source(true, ""), Answer.Backlog.NONE);
        Tardis.Result status =
                jsonOf(pong, new Answer.Refused(Answer.Refused.BAD_REQUEST, "op is none of ..."));

        assertThat(status.status()).isEqualTo(ExitStatus.OK);
        assertThat(status.out()).startsWith("{\"status\":\"well\",").doesNotContain("figures");
    }

    @Test
    void saysInJsonThatNoDaemonRuns() {
        Tardis.Result status = tardis.run("status", "-o", "json");

        assertThat(status.status()).isEqualTo(ExitStatus.NOT_KNOWN);
        assertThat(status.out())
                .startsWith("{\"status\":\"not_running\",\"events\":\"tcp://127.0.0.1:")
                .contains(",\"metrics\":null,\"state\":\"" + tardis.stateDir() + "\",");
    }

    /** The launcher has noted it. */
    @Test
    void saysWhyNoDaemonRuns() throws IOException {
        Directories.makePrivate(tardis.runDir());
        Files.writeString(
                tardis.runDir().resolve("start-failed"),
                """
                failures=3
                since=2026-11-28T02:00:00Z
                retry_at_boot_ms=123
                settings=x
                reason=/etc/tardis/tardis.env, line 3: unknown key TARDIS_RETENSION
                """);

        assertThat(tardis.run("status"))
                .isEqualTo(
                        new Tardis.Result(
                                ExitStatus.NOT_KNOWN,
                                "no daemon runs on "
                                        + tardis.stateDir()
                                        + "\nits last start failed (3 in a row since 2026-11-28T02:00:00Z):"
                                        + " /etc/tardis/tardis.env, line 3: unknown key TARDIS_RETENSION\n",
                                ""));
    }

    private static Answer.Pong pong(Health.Source source, Answer.Backlog backlog) {
        return pong(source, backlog, Health.Clients.WELL);
    }

    private static Answer.Pong pong(
            Health.Source source, Answer.Backlog backlog, Health.Clients clients) {
        return new Answer.Pong(
                Version.text(),
                7,
                backlog,
                Optional.of(
                        new Health(
                                source,
                                new Health.Witness(
                                        false, "switched off by TARDIS_KERNEL_WITNESS=off"),
                                new Health.Socket(true, ""),
                                clients)));
    }

    private static Health.Source source(boolean ok, String lastEnd) {
        return new Health.Source(
                ok,
                ok,
                Optional.of(Instant.parse("2025-04-04T19:10:59Z")),
                1,
                12,
                Optional.empty(),
                lastEnd,
                "");
    }

    private Tardis.Result jsonOf(Answer.Pong pong, Answer figures) {
        try (InstanceLock _ = InstanceLock.take(tardis.stateDir());
                FakeDaemon _ =
                        new FakeDaemon(
                                tardis.environment().settings(),
                                it -> it instanceof Query.AskFigures ? figures : pong)) {
            return tardis.run("status", "-o", "json");
        }
    }

    private Tardis.Result statusOf(Answer.Pong pong) {
        try (InstanceLock _ = InstanceLock.take(tardis.stateDir());
                FakeDaemon _ = new FakeDaemon(tardis.environment().settings(), _ -> pong)) {
            return tardis.run("status");
        }
    }
}
