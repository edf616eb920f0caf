package io.tardis.it;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/**
 * A command line to run, with its environment. Immutable.
 *
 * <p>Output goes to files, not to pipes: a daemon that a command leaves behind, and that wrongly
 * keeps the command's descriptors, must not keep the test waiting for the end of a pipe. Settings
 * of Tardis in the environment of the tests themselves are not passed on.
 */
record Command(
        List<String> argv,
        Map<String, String> environment,
        Path directory,
        String input,
        Duration limit) {

    private static final Path ROOT = Path.of("/");

    Command {
        argv = List.copyOf(argv);
        environment = Map.copyOf(environment);
    }

    static Command of(String... argv) {
        return of(List.of(argv));
    }

    static Command of(List<String> argv) {
        return new Command(argv, Map.of(), ROOT, "", Duration.ofMinutes(1));
    }

    Command with(Map<String, String> more) {
        Map<String, String> all = new TreeMap<>(environment);
        all.putAll(more);
        return new Command(argv, all, directory, input, limit);
    }

    Command with(String key, String value) {
        return with(Map.of(key, value));
    }

    Command in(Path workingDirectory) {
        return new Command(argv, environment, workingDirectory, input, limit);
    }

    /** What the command reads on its standard input: nothing, if not said otherwise. */
    Command input(String text) {
        return new Command(argv, environment, directory, text, limit);
    }

    /** How long {@link #run} waits: a minute, if not said otherwise. */
    Command within(Duration time) {
        return new Command(argv, environment, directory, input, time);
    }

    /** Runs the command to its end. One that takes too long is killed, and fails the test. */
    Outcome run() {
        try {
            Path in = Files.createTempFile("tardis-it-", ".in");
            Path out = Files.createTempFile("tardis-it-", ".out");
            Path err = Files.createTempFile("tardis-it-", ".err");
            try {
                Files.writeString(in, input, StandardCharsets.ISO_8859_1);
                Process process = start(in.toFile(), out.toFile(), err.toFile());
                boolean ended = process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
                if (!ended) {
                    process.destroyForcibly().waitFor();
                }
                Outcome outcome = new Outcome(argv, process.exitValue(), text(out), text(err));
                if (!ended) {
                    throw new AssertionError("not ended after " + limit + ": " + outcome);
                }
                return outcome;
            } finally {
                Files.deleteIfExists(in);
                Files.deleteIfExists(out);
                Files.deleteIfExists(err);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot run " + argv, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted in " + argv, e);
        }
    }

    /** Starts the command; its output, both streams, is appended to the file. */
    LiveProcess start(Path output) {
        try {
            Process process = start(new File("/dev/null"), output.toFile(), output.toFile());
            return new LiveProcess(argv, process, output);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot start " + argv, e);
        }
    }

    private Process start(File in, File out, File err) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(argv);
        builder.directory(directory.toFile());
        builder.environment().keySet().removeIf(key -> key.startsWith("TARDIS_"));
        builder.environment().putAll(environment);
        builder.redirectInput(in);
        builder.redirectOutput(Redirect.appendTo(out));
        builder.redirectError(Redirect.appendTo(err));
        return builder.start();
    }

    private static String text(Path file) throws IOException {
        return Files.readString(file, StandardCharsets.ISO_8859_1);
    }
}
