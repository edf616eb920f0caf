package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SuccessorTest {

    private static final long PID = 4711;
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
        successor(Map.of()).startAfter(LONG);

        await().until(() -> Files.exists(started));
        assertThat(Files.readString(started))
                .matches(
                        "daemon --take-over, in /, session (\\d+) of \\1, /dev/null /dev/null /dev/null\n");
    }

    @Test
    void followsOneThatInheritedAServiceManagersVariables() {
        successor(Map.of("INVOCATION_ID", "a", "NOTIFY_SOCKET", "b", "SYSTEMD_EXEC_PID", "1234"))
                .startAfter(LONG);

        await().until(() -> Files.exists(started));
    }

    @Test
    void doesNotFollowOneThatTheServiceManagerStarted() {
        successor(Map.of("INVOCATION_ID", "a", "SYSTEMD_EXEC_PID", Long.toString(PID)))
                .startAfter(LONG);
        successor(Map.of("INVOCATION_ID", "a")).startAfter(LONG);
        successor(Map.of("NOTIFY_SOCKET", "b")).startAfter(LONG);

        assertNoneIsStarted();
    }

    /** Or a daemon that always fails would be started again and again. */
    @Test
    void doesNotFollowOneThatFailedAtOnce() {
        successor(Map.of()).startAfter(LONG.minusMillis(1));

        assertNoneIsStarted();
    }

    @Test
    void isMissedWithoutHarmWhereItCannotBeStarted() throws IOException {
        Files.delete(program);

        successor(Map.of()).startAfter(LONG);

        assertNoneIsStarted();
    }

    private Successor successor(Map<String, String> environment) {
        return new Successor(program, environment, PID);
    }

    private void assertNoneIsStarted() {
        await().during(Duration.ofMillis(300)).until(() -> !Files.exists(started));
    }
}
