package io.tardis.cli;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A program that was run to see whether it works.
 *
 * @param problem what went wrong, to follow the program's name; empty if nothing
 * @param output what it printed, on both streams
 */
record Trial(String problem, String output) {

    private static final int LONGEST_OUTPUT = 64 * 1024;
    private static final Duration OUTPUT_PATIENCE = Duration.ofSeconds(1);

    /** Runs {@code command}, which is ended when the patience is over. */
    static Trial of(List<String> command, Duration patience) {
        Process process;
        try {
            process =
                    new ProcessBuilder(command)
                            .redirectInput(new File("/dev/null"))
                            .redirectErrorStream(true)
                            .start();
        } catch (IOException e) {
            return new Trial("cannot be started: " + e.getMessage(), "");
        }
        FutureTask<String> reading = new FutureTask<>(() -> read(process.getInputStream()));
        Thread _ = Thread.ofPlatform().daemon().name("tardis-trial").start(reading);
        try {
            if (!process.waitFor(patience.toMillis(), TimeUnit.MILLISECONDS)) {
                return new Trial("did not end within " + patience.toSeconds() + " s", "");
            }
            // At its end at once, unless it has left a child that has its output.
            String output = reading.get(OUTPUT_PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
            int status = process.exitValue();
            return status == 0
                    ? new Trial("", output)
                    : new Trial("ended with " + status + ": " + lastLine(output), output);
        } catch (TimeoutException e) {
            return new Trial("has left a process that keeps its output open", "");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new Trial("was interrupted", "");
        } catch (ExecutionException e) {
            return new Trial("cannot be read: " + e.getCause(), "");
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }

    boolean worked() {
        return problem.isEmpty();
    }

    String firstLine() {
        return output.lines().findFirst().orElse("");
    }

    private static String lastLine(String text) {
        return text.lines().filter(it -> !it.isBlank()).reduce((_, last) -> last).orElse("");
    }

    private static String read(InputStream in) throws IOException {
        String text = new String(in.readNBytes(LONGEST_OUTPUT), StandardCharsets.UTF_8);
        long _ = in.transferTo(java.io.OutputStream.nullOutputStream());
        return text.replaceAll("[\\p{Cntrl}&&[^\\n]]", " ");
    }
}
