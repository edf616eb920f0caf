package io.tardis.listener;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One process of the event source, from its start to its end. */
final class CtrProcess {

    private static final Logger LOG = LoggerFactory.getLogger(CtrProcess.class);

    /** Of its standard error; the rest of a longer line is skipped. */
    private static final int MAX_STDERR_LINE = 4_096;

    private static final Duration STOP_PATIENCE = Duration.ofMillis(500);
    private static final Duration PROBE_PATIENCE = Duration.ofSeconds(5);

    /**
     * Of util-linux; busybox's cannot do it. The shell looks whether the parent is still this
     * process: one that was killed before the kernel was asked would send no signal.
     */
    private static final List<String> BINDING =
            List.of(
                    "setpriv",
                    "--pdeathsig",
                    "KILL",
                    "--",
                    "sh",
                    "-c",
                    "parent=$1; shift; [ \"$PPID\" = \"$parent\" ] && exec \"$@\"",
                    "tardis",
                    Long.toString(ProcessHandle.current().pid()));

    final Process process;
    final long startedNanos = System.nanoTime();
    private final Consumer<String> onStderr;
    private final Thread stderr =
            Thread.ofPlatform()
                    .daemon()
                    .name("tardis-listener-events-stderr")
                    .unstarted(this::drainStderr);
    private volatile String lastStderr = "";

    private CtrProcess(Process process, Consumer<String> onStderr) {
        this.process = process;
        this.onStderr = onStderr;
    }

    /**
     * Starts the source, with no input.
     *
     * <p>ctr is written in Go, whose threads wake each other: for the few events of a container
     * they cost a fifth more time of the processors than one of them alone.
     *
     * @param onStderr receives each line of its standard error
     */
    static CtrProcess start(List<String> command, Consumer<String> onStderr) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().putIfAbsent("GOMAXPROCS", "1");
        try {
            CtrProcess started = new CtrProcess(builder.start(), onStderr);
            started.stderr.start();
            started.process.getOutputStream().close();
            LOG.debug("the event source is started as process {}", started.process.pid());
            return started;
        } catch (OutOfMemoryError e) {
            // Of threads: the end of the heap ends the process. The JDK makes one to reap the
            // child, and may fail at that when the child is there, whose output nobody reads then.
            ProcessHandle.current().children().forEach(ProcessHandle::destroyForcibly);
            throw new IOException(e.getMessage(), e);
        }
    }

    /**
     * The command with which a source ends with the thread that starts it. A daemon that is killed
     * cannot end its source, which would then live on until containerd's next event.
     *
     * <p>The kernel signals a child when the thread that forked it ends, not the process (prctl(2),
     * PR_SET_PDEATHSIG). The JDK forks in the thread that calls it, and here that is the one that
     * reads the source to its end. Where there is no such program the source lives on as it would
     * without.
     */
    static List<String> boundToThisThread(List<String> command) throws InterruptedException {
        try {
            Process probe = new ProcessBuilder(bound(List.of("true"))).start();
            if (probe.waitFor(PROBE_PATIENCE) && probe.exitValue() == 0) {
                return bound(command);
            }
            probe.destroyForcibly();
        } catch (IOException e) {
            LOG.debug("there is no setpriv", e);
        }
        LOG.info("the event source may outlive a daemon that is killed: setpriv cannot bind it");
        return command;
    }

    private static List<String> bound(List<String> command) {
        return Stream.concat(BINDING.stream(), command.stream()).toList();
    }

    /** Ends the source and what it started: that may hold the pipe, and the reader with it. */
    void end() {
        List<ProcessHandle> below = process.descendants().toList();
        process.destroy();
        try {
            if (!process.waitFor(STOP_PATIENCE)) {
                process.destroyForcibly().waitFor(STOP_PATIENCE);
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        below.forEach(ProcessHandle::destroyForcibly);
    }

    /**
     * Ends the source, whose output has ended, and says how it ended and what its last words were.
     */
    String describeEnd() throws InterruptedException {
        // Not ended at once: that closes its standard error, and the reason may still be in there.
        boolean _ = stderr.join(STOP_PATIENCE);
        end();
        return howItEnded(process) + (lastStderr.isEmpty() ? "" : ": " + lastStderr);
    }

    /** The kernel may be in the way even of SIGKILL, for as long as a disk does not answer. */
    static String howItEnded(Process process) {
        return process.isAlive()
                ? "said no more and cannot be ended"
                : "ended with " + process.exitValue();
    }

    /** So that the source never blocks on it. */
    private void drainStderr() {
        try (InputStream in = process.getErrorStream()) {
            CtrLineReader lines = new CtrLineReader(in, MAX_STDERR_LINE);
            for (CtrLineReader.Line line = lines.next(); line != null; line = lines.next()) {
                lastStderr = line.text(line.offset(), line.offset() + line.length());
                onStderr.accept(lastStderr);
                LOG.debug("event source: {}", lastStderr);
            }
        } catch (IOException e) {
            LOG.debug("the event source's standard error broke off", e);
        }
    }
}
