package io.tardis.listener;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.wire.Health;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the event source running: starts {@code ctr events}, reads it to its end, and starts it
 * again.
 *
 * <p>{@code ctr} never reconnects: it ends when containerd stops. The first new start is at once,
 * the following ones after a delay that doubles, up to a second in a long outage, until a source
 * has reported something and stayed for a while. From its end on events may be missed, and that is
 * reported as a gap.
 */
final class CtrSupervisor implements AutoCloseable {

    /**
     * Hears what the event source says. Called from the supervisor's thread only; may block to slow
     * the source down.
     */
    interface Sink {
        /** A line said something. */
        void event(CtrEvent event);

        /**
         * Events may have been missed.
         *
         * @param from when the source was last known to be read
         * @param reason why, in a sentence
         */
        void gap(Instant from, String reason);
    }

    private static final Logger LOG = LoggerFactory.getLogger(CtrSupervisor.class);

    /**
     * Lines of the topics that Tardis reads are some hundred bytes; 1 MiB of one is kept before the
     * rest is skipped.
     */
    private static final int MAX_LINE_BYTES = 1 << 20;

    private static final Duration FIRST_DELAY = Duration.ofMillis(50);

    /**
     * For some 15 s containerd's shims try again and again to publish an exit. The first try that
     * reaches containerd is the last one: who is not back by then has missed it.
     */
    private static final Duration LONGEST_DELAY = Duration.ofMillis(200);

    /** For 20 s at least. After that only what is new can be missed. */
    private static final int QUICK_STARTS = 100;

    private static final Duration DELAY_OF_A_LONG_OUTAGE = Duration.ofSeconds(1);

    /** A source that reported something but ended sooner was not sound: it may do so for ever. */
    private static final Duration HEALTHY_LIFE = Duration.ofSeconds(1);

    /**
     * ctr tries for 10 s to connect, and says nothing when it has. One that runs for longer is
     * connected.
     */
    private static final Duration CONNECTED = Duration.ofSeconds(15);

    private static final int LONGEST_REASON = 500;

    /** Of its standard error; the rest of the line counts as the next one. */
    private static final int MAX_STDERR_LINE = 4_096;

    private static final Duration START_PATIENCE = Duration.ofSeconds(2);
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

    private final List<String> command;
    private final InstantSource clock;
    private final Sink sink;
    private final FailureLog failures = new FailureLog(CtrSupervisor.class);
    private final CtrEventParser parser = new CtrEventParser();
    private final CountDownLatch tried = new CountDownLatch(1);
    private final Worker worker = new Worker("tardis-listener-events", this::run, this::endChild);
    private volatile @Nullable Process child;
    private final AtomicLong starts = new AtomicLong();

    // Written by the supervisor's threads, read by whoever asks how the source is.

    private volatile @Nullable Instant startedAt;
    private volatile long startedNanos;
    private volatile boolean heard;

    /** What is wrong with all that this child has printed; empty if a line was understood. */
    private volatile String garbled = "";

    private volatile int endsInARow;
    private final AtomicLong lines = new AtomicLong();
    private volatile @Nullable Instant lastLineAt;
    private volatile String lastEnd = "";
    private volatile String lastStderr = "";

    CtrSupervisor(List<String> command, InstantSource clock, Sink sink) {
        this.command = command;
        this.clock = clock;
        this.sink = sink;
    }

    void start() {
        worker.start();
    }

    /** Waits a moment until the source's process is there, or could not be started. */
    void awaitFirstStart() {
        try {
            if (!tried.await(START_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.warn("the event source is not started yet");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** How often the source was started. */
    long starts() {
        return starts.get();
    }

    /** How the source is. From any thread. */
    Health.Source health() {
        Process running = child;
        boolean runs = running != null && running.isAlive();
        boolean connected =
                heard || endsInARow == 0 || System.nanoTime() - startedNanos >= CONNECTED.toNanos();
        return new Health.Source(
                runs && connected && garbled.isEmpty(),
                runs,
                Optional.ofNullable(startedAt),
                starts.get(),
                lines.get(),
                Optional.ofNullable(lastLineAt),
                runs && !garbled.isEmpty() ? garbled : lastEnd,
                lastStderr);
    }

    /**
     * ctr is written in Go, whose threads wake each other: for the few events of a container they
     * cost a fifth more time of the processors than one of them alone.
     */
    private static Process startChild(List<String> command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().putIfAbsent("GOMAXPROCS", "1");
        try {
            return builder.start();
        } catch (OutOfMemoryError e) {
            // Of threads: the end of the heap ends the process. The JDK makes one to reap the
            // child, and may fail at that when the child is there, whose output nobody reads then.
            ProcessHandle.current().children().forEach(ProcessHandle::destroyForcibly);
            throw new IOException(e.getMessage(), e);
        }
    }

    /** Ends the source and waits for the thread. */
    @Override
    public void close() {
        worker.close();
    }

    private void endChild() {
        Process running = child;
        if (running != null) {
            end(running);
        }
    }

    private void run() throws InterruptedException {
        List<String> bound = boundToThisThread(command);
        Instant lastRead = clock.instant();
        while (!worker.isStopping() && !worker.await(delayAfter(endsInARow))) {
            long begin = System.nanoTime();
            String end;
            heard = false;
            garbled = "";
            try (StandardErrorReader stderr = startReader()) {
                Process process = startChild(bound);
                startedAt = clock.instant();
                startedNanos = begin;
                child = process;
                stderr.read(process);
                starts.incrementAndGet();
                LOG.debug("the event source is started as process {}", process.pid());
                tried.countDown();
                if (worker.isStopping()) {
                    end(process); // close() may have looked before the child was there
                }
                process.getOutputStream().close();
                read(process.getInputStream());
                if (heard) {
                    lastRead = clock.instant();
                }
                end = describe(process, stderr);
            } catch (IOException e) {
                end = "the event source cannot be started: " + e.getMessage();
            }
            lastEnd = oneLine(end);
            boolean healthy = heard && System.nanoTime() - begin >= HEALTHY_LIFE.toNanos();
            endsInARow = healthy ? 0 : endsInARow + 1;
            if (healthy) {
                failures.over();
            }
            if (!worker.isStopping()) {
                failures.warn(end, "");
                sink.gap(lastRead, end);
            }
            tried.countDown();
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
    private static List<String> boundToThisThread(List<String> command) {
        List<String> probe = new ArrayList<>(BINDING);
        probe.add("true");
        try {
            Process process = new ProcessBuilder(probe).start();
            if (process.waitFor(PROBE_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)
                    && process.exitValue() == 0) {
                List<String> bound = new ArrayList<>(BINDING);
                bound.addAll(command);
                return bound;
            }
            process.destroyForcibly();
        } catch (IOException e) {
            LOG.debug("there is no setpriv", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        LOG.info("the event source may outlive a daemon that is killed: setpriv cannot bind it");
        return command;
    }

    /** How long to wait before the next start, after so many ends that were not sound. */
    static Duration delayAfter(int endsInARow) {
        if (endsInARow <= 1) {
            return Duration.ZERO;
        }
        if (endsInARow > QUICK_STARTS) {
            return DELAY_OF_A_LONG_OUTAGE;
        }
        Duration delay = FIRST_DELAY.multipliedBy(1L << Math.min(endsInARow - 2, 10));
        return delay.compareTo(LONGEST_DELAY) < 0 ? delay : LONGEST_DELAY;
    }

    private void read(InputStream stdout) {
        try (stdout) {
            CtrLineReader lines = new CtrLineReader(stdout, MAX_LINE_BYTES);
            for (CtrLineReader.Line line = lines.next(); line != null; line = lines.next()) {
                this.lines.incrementAndGet();
                lastLineAt = clock.instant();
                CtrEvent event = parser.parse(line);
                if (!(event instanceof CtrEvent.Malformed(String reason))) {
                    heard = true;
                    garbled = "";
                } else if (!heard) {
                    garbled = "the event source has printed no event of containerd: " + reason;
                }
                if (!(event instanceof CtrEvent.Ignored)) {
                    sink.event(event);
                }
            }
        } catch (IOException e) {
            // Also how the end looks when close() ended the child.
            LOG.debug("the event source's output broke off", e);
        }
    }

    /** What a child printed goes to terminals and into answers of bounded length. */
    private static String oneLine(String text) {
        String printable = text.replaceAll("\\p{Cntrl}", " ");
        return printable.length() <= LONGEST_REASON
                ? printable
                : printable.substring(0, LONGEST_REASON) + "...";
    }

    private String describe(Process process, StandardErrorReader stderr) {
        // Not ended at once: that closes its standard error, and the reason may still be in there.
        String last = stderr.lastLine();
        end(process);
        return "the event source '"
                + String.join(" ", command)
                + "' "
                + howItEnded(process)
                + (last.isEmpty() ? "" : ": " + last);
    }

    /** The kernel may be in the way even of SIGKILL, for as long as a disk does not answer. */
    static String howItEnded(Process process) {
        return process.isAlive()
                ? "said no more and cannot be ended"
                : "ended with " + process.exitValue();
    }

    /** Ends the source and what it started: that may hold the pipe, and the reader with it. */
    private static void end(Process process) {
        List<ProcessHandle> below = process.descendants().toList();
        process.destroy();
        try {
            if (!process.waitFor(STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
                process.destroyForcibly().waitFor(STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        below.forEach(ProcessHandle::destroyForcibly);
    }

    private StandardErrorReader startReader() throws IOException {
        StandardErrorReader reader = new StandardErrorReader();
        reader.start();
        return reader;
    }

    /**
     * Drains standard error, so that the source never blocks on it, and keeps its last line. Its
     * thread is there before the source is: a source without one would be of no use.
     */
    private final class StandardErrorReader implements AutoCloseable {
        private final CompletableFuture<Process> source = new CompletableFuture<>();
        private final Thread thread;
        private volatile String lastLine = "";

        private StandardErrorReader() {
            thread =
                    Thread.ofPlatform()
                            .daemon()
                            .name("tardis-listener-events-stderr")
                            .unstarted(this::run);
        }

        private void run() {
            try {
                drain(source.get());
            } catch (CancellationException e) {
                LOG.debug("the event source was not started", e);
            } catch (ExecutionException e) {
                throw new IllegalStateException(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        void start() throws IOException {
            try {
                thread.start();
            } catch (OutOfMemoryError e) { // of threads, as above
                throw new IOException(e.getMessage(), e);
            }
        }

        void read(Process process) {
            source.complete(process);
        }

        /** Ends a thread that was given no source. */
        @Override
        public void close() {
            source.cancel(false);
        }

        private void drain(Process process) {
            // Not by lines: one without an end would fill the memory.
            StringBuilder line = new StringBuilder();
            try (BufferedReader characters = process.errorReader(StandardCharsets.UTF_8)) {
                for (int next = characters.read(); next >= 0; next = characters.read()) {
                    if (next == '\n' || line.length() == MAX_STDERR_LINE) {
                        logLine(line.toString());
                        line.setLength(0);
                    }
                    if (next != '\n') {
                        line.append((char) next);
                    }
                }
                if (!line.isEmpty()) {
                    logLine(line.toString());
                }
            } catch (IOException e) {
                LOG.debug("the event source's standard error broke off", e);
            }
        }

        private void logLine(String line) {
            lastLine = line;
            lastStderr = oneLine(line);
            LOG.debug("event source: {}", line);
        }

        String lastLine() {
            try {
                thread.join(STOP_PATIENCE);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return lastLine;
        }
    }
}
