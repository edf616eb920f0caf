package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.wire.Answer;
import io.tardis.listener.InstanceLock;
import java.io.IOException;
import java.nio.file.Path;
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
    void tellsADaemonOfItsOwnVersion() {
        assertThat(statusOf(new Answer.Pong(Version.text(), 7)).out())
                .contains("version   " + Version.text() + "\n");
    }

    @Test
    void tellsADaemonOfAnotherVersionApart() {
        Tardis.Result status = statusOf(new Answer.Pong("0.0.1", 7));

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

        assertThat(statusOf(new Answer.Pong("0.0.1", 7, backlog)).out())
                .contains(
                        "durable   NO, 12 exits are in memory only until the disk can be written;"
                                + " 3 exits were given up since the start\n");
    }

    private Tardis.Result statusOf(Answer.Pong pong) {
        try (InstanceLock _ = InstanceLock.take(tardis.stateDir());
                FakeDaemon _ = new FakeDaemon(tardis.environment().settings(), _ -> pong)) {
            return tardis.run("status");
        }
    }
}
