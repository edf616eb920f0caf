package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.TardisException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ends a process in the place of a daemon. */
class StopCommandTest {

    @TempDir private Path stateDir;
    private Process process;

    @BeforeEach
    void start() throws IOException {
        process = new ProcessBuilder("sleep", "60").start();
    }

    @AfterEach
    void kill() {
        process.destroyForcibly();
    }

    @Test
    void returnsWhenTheProcessHasEnded() throws Exception {
        StopCommand.end(process.toHandle(), stateDir, _ -> process::isAlive);

        assertThat(process.isAlive()).isFalse();
    }

    @Test
    void endsNothingWhoseEndItCannotSee() {
        fails(_ -> {
            throw noDescriptor();
        });

        assertThat(process.isAlive()).isTrue();
    }

    @Test
    void saysThatItCannotSeeTheEnd() throws Exception {
        fails(_ ->
                () -> {
                    throw noDescriptor();
                });

        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
    }

    private void fails(LongFunction<BooleanSupplier> observer) {
        assertThatThrownBy(() -> StopCommand.end(process.toHandle(), stateDir, observer))
                .isInstanceOf(TardisException.class)
                .hasMessage(
                        "whether process %d has ended cannot be seen: %s; run this again"
                                .formatted(process.pid(), noDescriptor().getCause()));
    }

    private static UncheckedIOException noDescriptor() {
        return new UncheckedIOException(
                new FileSystemException("/proc/1/stat", null, "Too many open files"));
    }
}
