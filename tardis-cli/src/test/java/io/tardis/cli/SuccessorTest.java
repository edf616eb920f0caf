package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SuccessorTest {

    private static final Duration LONG = Duration.ofSeconds(10);

    @TempDir private Path directory;
    private Path program;
    private Path started;

    /** Stands in for bin/tardis, and writes down how it was started. */
    @BeforeEach
    void install() throws IOException {
        started = directory.resolve("started");
        program =
                Files.writeString(
                        directory.resolve("tardis"),
                        """
                        #!/bin/sh
                        read -r _ _ _ _ _ session _ </proc/$$/stat
                        echo "$*, in $PWD, session $session of $$," \
                             $(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2) >%s.new
                        mv %s.new %s
                        """
                                .formatted(started, started, started));
        assertThat(program.toFile().setExecutable(true)).isTrue();
    }

    @Test
    void isADetachedDaemonThatTakesOver() throws IOException {
        Successor.start(program, false, LONG);

        await().until(() -> Files.exists(started));
        assertThat(Files.readString(started))
                .matches(
                        "daemon --take-over, in /, session (\\d+) of \\1, /dev/null /dev/null /dev/null\n");
    }

    @Test
    void doesNotFollowOneThatTheServiceManagerStarted() {
        Successor.start(program, true, LONG);

        assertNoneIsStarted();
    }

    /** Or a daemon that always fails would be started again and again. */
    @Test
    void doesNotFollowOneThatFailedAtOnce() {
        Successor.start(program, false, LONG.minusMillis(1));

        assertNoneIsStarted();
    }

    @Test
    void isMissedWithoutHarmWhereItCannotBeStarted() throws IOException {
        Files.delete(program);

        Successor.start(program, false, LONG);

        assertNoneIsStarted();
    }

    private void assertNoneIsStarted() {
        await().during(Duration.ofMillis(300)).until(() -> !Files.exists(started));
    }
}
