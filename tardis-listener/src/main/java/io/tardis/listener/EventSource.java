package io.tardis.listener;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.wire.Health;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the event source running: starts {@code ctr events}, reads it to its end into an {@link
 * Inbox}, and starts it again. It can be started before the listener has its state directory: a
 * daemon that takes over from another one reads while the other one still does.
 *
 * <p>{@code ctr} never reconnects: it ends when containerd stops. The first new start is at once,
 * the following ones after a delay that doubles, up to a second in a long outage, until a source
 * has reported something and stayed for a while. From its end on events may be missed, and that is
 * reported as a gap.
 */
public final class EventSource implements AutoCloseable {

    /** Linux: of a thread, though the name says otherwise; see setpriority(2), "BUGS". */
    private static final int PRIO_PROCESS = 0;

    private static final int THIS_THREAD = 0;
    private static final int NICENESS = -20;
    private static final Logger LOG = LoggerFactory.getLogger(EventSource.class);

    /**
     * Lines of the topics that Tardis reads are some hundred bytes; 1 MiB of one is kept before the
     * rest is skipped.
     */
    private static final int MAX_LINE_BYTES = 1 << 20;

    /**
     * In milliseconds, after so many ends that were not sound; the last one also after more. For
     * some 15 s containerd's shims try again and again to publish an exit. The first try that
     * reaches containerd is the last one: who is not back by then has missed it.
     */
    private static final List<Integer> DELAYS = List.of(0, 0, 50, 100, 200);

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
    private static final Duration START_PATIENCE = Duration.ofSeconds(2);

    private final List<String> command;
    private final Inbox inbox;
    private final InstantSource clock;
    private final FailureLog failures = new FailureLog(EventSource.class);
    private final CtrEventParser parser = new CtrEventParser();

    /** The processes of the creates that are in the inbox. */
    final NewProcesses created;

    private final CountDownLatch tried = new CountDownLatch(1);
    private final CountDownLatch firstEvent = new CountDownLatch(1);

    // Written by the source's threads, read by whoever asks how it is.

    /** The process that was started last; it may have ended. */
    private volatile @Nullable CtrProcess child;

    private volatile @Nullable Instant startedAt;

    /** Whether that process has printed an event. */
    private volatile boolean heard;

    /** What is wrong with all that it has printed; empty if a line was understood. */
    private volatile String garbled = "";

    private volatile int endsInARow;
    private final AtomicLong starts = new AtomicLong();
    private final AtomicLong lines = new AtomicLong();
    private volatile @Nullable Instant lastLineAt;
    private volatile String lastEnd = "";
    private volatile String lastStderr = "";

    private final Worker worker =
            new Worker(
                    "tardis-listener-events",
                    this::run,
                    () -> Optional.ofNullable(child).ifPresent(CtrProcess::end));

    /**
     * A source that is not started yet.
     *
     * @param command what prints the events
     * @param inbox where they go
     * @param clock the wall clock
     */
    public EventSource(List<String> command, Inbox inbox, InstantSource clock) {
        this.command = command;
        this.inbox = inbox;
        this.clock = clock;
        this.created = new NewProcesses(clock);
    }

    /** Starts hearing; the second time does nothing. For the thread that made this. */
    public void start() {
        if (!worker.wasStarted()) {
            worker.start();
        }
    }

    /**
     * Waits until it has printed an event, which proves that it hears.
     *
     * @param patience the longest wait
     * @return whether it has
     */
    public boolean awaitHearing(Duration patience) throws InterruptedException {
        return firstEvent.await(patience.toMillis(), TimeUnit.MILLISECONDS);
    }

    /**
     * Waits a moment until its process is there, or could not be started; {@code ctr} hears some
     * ten milliseconds later.
     */
    void awaitFirstStart() throws InterruptedException {
        if (!tried.await(START_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
            LOG.warn("the event source is not started yet");
        }
    }

    /** How the source is. From any thread. */
    Health.Source health() {
        Optional<CtrProcess> running =
                Optional.ofNullable(child).filter(it -> it.process.isAlive());
        long now = System.nanoTime();
        boolean connected =
                heard
                        || endsInARow == 0
                        || running.filter(it -> now - it.startedNanos >= CONNECTED.toNanos())
                                .isPresent();
        return new Health.Source(
                running.isPresent() && connected && garbled.isEmpty(),
                running.isPresent(),
                Optional.ofNullable(startedAt),
                starts.get(),
                lines.get(),
                Optional.ofNullable(lastLineAt),
                running.isPresent() && !garbled.isEmpty() ? garbled : lastEnd,
                lastStderr);
    }

    /** Ends {@code ctr}; what it has printed stays in the inbox. May be called twice. */
    @Override
    public void close() {
        worker.close();
        created.close();
    }

    private void run() throws InterruptedException {
        comeFirst();
        List<String> bound = CtrProcess.boundToThisThread(command);
        Instant lastRead = clock.instant();
        while (!worker.isStopping() && !worker.await(delayAfter(endsInARow))) {
            long begin = System.nanoTime();
            String end;
            heard = false;
            garbled = "";
            try {
                CtrProcess ctr = CtrProcess.start(bound, line -> lastStderr = oneLine(line));
                startedAt = clock.instant();
                child = ctr;
                starts.incrementAndGet();
                tried.countDown();
                if (worker.isStopping()) {
                    ctr.end(); // close() may have looked before the child was there
                }
                read(ctr.process.getInputStream());
                if (heard) {
                    lastRead = clock.instant();
                }
                end =
                        "the event source '%s' %s"
                                .formatted(String.join(" ", command), ctr.describeEnd());
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
                inbox.put(new Inbox.Signal.Missed(lastRead, end));
            }
            tried.countDown();
        }
    }

    /** How long to wait before the next start, after so many ends that were not sound. */
    static Duration delayAfter(int endsInARow) {
        return endsInARow > QUICK_STARTS
                ? DELAY_OF_A_LONG_OUTAGE
                : Duration.ofMillis(DELAYS.get(Math.min(endsInARow, DELAYS.size() - 1)));
    }

    /**
     * On a busy machine, a container may have ended before its create is read, and nobody watched
     * it then. {@code ctr}, which this thread starts, inherits the niceness. Both need little.
     */
    private static void comeFirst() {
        try {
            long _ = SystemCall.of("setpriority").call(PRIO_PROCESS, THIS_THREAD, NICENESS);
        } catch (SystemCall.Failure e) {
            LOG.debug("the event source has no more right to the processor than others", e);
        }
    }

    private void read(InputStream stdout) {
        try (stdout) {
            CtrLineReader reader = new CtrLineReader(stdout, MAX_LINE_BYTES);
            for (CtrLineReader.Line line = reader.next(); line != null; line = reader.next()) {
                lines.incrementAndGet();
                lastLineAt = clock.instant();
                CtrEvent event = parser.parse(line);
                if (!(event instanceof CtrEvent.Malformed(String reason))) {
                    heard = true;
                    garbled = "";
                    firstEvent.countDown();
                } else if (!heard) {
                    garbled = "the event source has printed no event of containerd: " + reason;
                }
                if (event instanceof CtrEvent.TaskProcess process && !process.isStart()) {
                    created.created(process.container(), process.pid(), process.at());
                }
                if (!(event instanceof CtrEvent.Ignored)) {
                    inbox.put(new Inbox.Signal.Read(event));
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
}
