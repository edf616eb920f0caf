package io.tardis.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * A process of ours that runs beside the test. Closing it terminates it, and kills it if need be.
 */
final class LiveProcess implements AutoCloseable {

    private static final Duration PATIENCE = Duration.ofSeconds(15);

    private final List<String> argv;
    private final Process process;
    private final Path output;

    LiveProcess(List<String> argv, Process process, Path output) {
        this.argv = List.copyOf(argv);
        this.process = process;
        this.output = output;
    }

    long pid() {
        return process.pid();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** What it wrote until now, both streams. */
    String output() {
        try {
            return Files.readString(output);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Its complete lines until now. */
    List<String> lines() {
        String text = output();
        return text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
    }

    /** Waits for a line. */
    String awaitLine(String what, Duration limit, Predicate<String> wanted) {
        Wait.until(
                () -> what + " from " + argv + ", which wrote:\n" + output(),
                limit,
                () -> lines().stream().anyMatch(wanted));
        return lines().stream().filter(wanted).findFirst().orElseThrow();
    }

    /** Waits for its end and returns its exit code. */
    int awaitExit(Duration limit) {
        Wait.until(
                () -> "the end of " + argv + ", which wrote:\n" + output(),
                limit,
                () -> !isAlive());
        return process.exitValue();
    }

    /** SIGKILL, and waits for the end. */
    void kill() {
        process.destroyForcibly();
        awaitExit(PATIENCE);
    }

    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
                kill();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
