package io.tardis.store;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.config.Setting;
import io.tardis.core.config.Settings;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.figures.Meter;
import io.tardis.core.wire.MalformedMessageException;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.zmq.ZmqSubscriber;
import io.tardis.store.LifeState.Stage;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes what is published into the log, in its own thread: all that has arrived goes into one
 * commit, and what arrives meanwhile into the next. Those who wait for an end are notified only
 * after its commit.
 *
 * <p>What the disk does not take stays in memory, in order and within a limit ({@link Unwritten}),
 * and is tried again every second; until then lives are answered from memory. If a damaged log is
 * the reason, they go into a new one at the end.
 */
final class ExitRecorder implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ExitRecorder.class);
    private static final int BATCH = 1_000;

    /** How often is looked whether the log is in its place. */
    private static final Duration LOOK = Duration.ofMillis(500);

    private static final Duration RETRY = Duration.ofSeconds(1);
    private static final Duration TIDY_INTERVAL = Duration.ofSeconds(10);
    private static final Duration TIDY_RETRY = Duration.ofMinutes(1);

    /** How much the time by which records grow old moves before it is written down. */
    private static final Duration AGE_STEP = Duration.ofHours(1);

    private static final int PRUNE_BATCH = 1_000;
    private static final Duration REPLACE_PATIENCE = Duration.ofMillis(1500);

    private final ZmqSubscriber subscriber;
    private final ExitLog.Writer log;
    private final LifeCache lives;
    private final Consumer<Collection<LifeState>> onOver;
    private final Duration retention;
    private final Duration replay;
    private final InstantSource clock;
    private final Meter meter;
    private final Worker worker;
    private final Unwritten unwritten;
    private final FailureLog dropped = new FailureLog(ExitRecorder.class);
    private long received;

    /** The containers of the lives that arrived in one batch. */
    private final Set<ContainerKey> batched = new HashSet<>();

    private long nextTry;
    private long nextTidy = System.nanoTime();
    private long nextLook = nextTidy;
    private @Nullable RetentionClock age;
    private Instant agedTo = Instant.EPOCH;

    /**
     * From now on the subscriber and the log belong to the recorder's thread.
     *
     * @param unwritten where what is not on disk is kept
     * @param onOver receives the lives that are over, and can be answered now; called from the
     *     recorder's thread
     * @param meter knows when each exit was reported, and measures until it is on the disk
     */
    ExitRecorder(
            ZmqSubscriber subscriber,
            ExitLog.Writer log,
            LifeCache lives,
            Unwritten unwritten,
            Consumer<Collection<LifeState>> onOver,
            Settings settings,
            InstantSource clock,
            Meter meter) {
        this.subscriber = subscriber;
        this.log = log;
        this.lives = lives;
        this.unwritten = unwritten;
        this.onOver = onOver;
        this.retention = settings.retention();
        this.replay = settings.replay();
        this.clock = clock;
        this.meter = meter;
        this.worker = new Worker("tardis-store-recorder", this::run, subscriber::wake);
    }

    void start() {
        worker.start();
    }

    /** Writes what has arrived, and ends. */
    @Override
    public void close() {
        worker.close();
    }

    private void run() {
        try (log;
                subscriber) {
            boolean last;
            boolean mayBeMore;
            do {
                last = worker.isStopping();
                long before = received;
                recordOrKeep(collect(last ? Duration.ZERO : LOOK), last);
                mayBeMore = received > before;
                if (last || System.nanoTime() - nextLook >= 0) {
                    look();
                }
                if (!last && System.nanoTime() - nextTidy >= 0) {
                    tidy();
                }
            } while (!last || (mayBeMore && !unwritten.isFailing()));
            if (unwritten.isFailing() && log.replaceIfUnusable(REPLACE_PATIENCE)) {
                record(List.of()); // into a new log, for the next daemon
            }
            if (!unwritten.isEmpty()) {
                LOG.error(
                        "{} exits could not be written before the end, and are lost",
                        unwritten.exits());
            }
        }
    }

    /** Whether the log is where the next start looks for it, also while nothing ends. */
    private void look() {
        nextLook = System.nanoTime() + LOOK.toNanos();
        try {
            log.keepInPlace();
            if (unwritten.isFailing() && unwritten.isEmpty()) {
                unwritten.written(List.of());
                LOG.info("the exit log is in its place again");
            }
        } catch (ExitLogException e) {
            if (!unwritten.isFailing()) {
                LOG.error("exits are kept in memory only, until the log is in its place again", e);
                keepInMemory(List.of());
            }
        }
    }

    /** Waits for a message, and takes what has arrived with it, up to one batch. */
    private List<Recorded> collect(Duration timeout) {
        List<Recorded> arrived = new ArrayList<>();
        batched.clear();
        ZmqSubscriber.Message message = subscriber.receive(timeout);
        for (int i = 1; message != null; i++) {
            take(message, arrived);
            message = i < BATCH ? subscriber.receive(Duration.ZERO) : null;
        }
        return arrived;
    }

    private void take(ZmqSubscriber.Message message, List<Recorded> arrived) {
        try {
            Published published = PublishedCodec.decode(message.topic(), message.payload());
            long reported =
                    published instanceof Published.Exit(ExitEvent event)
                            ? meter.reportOf(event.seq())
                            : 0;
            Recorded recorded = new Recorded(++received, published, reported);
            if (recorded.state().filter(this::isUseless).isPresent()) {
                recorded = recorded.withoutState();
            }
            if (recorded.event().isPresent() || recorded.state().isPresent()) {
                arrived.add(recorded);
                recorded.state().ifPresent(it -> batched.add(it.container()));
            }
        } catch (MalformedMessageException e) {
            LOG.error(
                    "a message on {} cannot be understood and is not recorded", message.topic(), e);
        }
    }

    /**
     * Whether nothing is kept of a life, and no other one of its container is known, whose end
     * could be taken for its end.
     */
    private boolean isUseless(LifeState state) {
        ContainerKey container = state.container();
        try {
            return state.stage() == Stage.NOT_KEPT
                    && !batched.contains(container)
                    && !lives.hasNotRecorded(container)
                    && !log.knows(container);
        } catch (ExitLogException e) {
            LOG.debug("whether {} is known cannot be read now", container, e);
            return false;
        }
    }

    private void recordOrKeep(List<Recorded> arrived, boolean last) {
        arrived.forEach(unwritten::add);
        if (unwritten.isFailing() && !last && System.nanoTime() - nextTry < 0) {
            keepInMemory(arrived);
        } else if (!unwritten.isEmpty()) {
            record(arrived);
        }
    }

    /** Writes all that is not written yet; {@code arrived} is the part of it that is new. */
    private void record(List<Recorded> arrived) {
        boolean failed = unwritten.isFailing();
        if (failed) {
            keepInMemory(arrived);
        }
        try {
            // In steps: a try at a full disk shall not cost more, the longer it is full.
            while (!unwritten.isEmpty()) {
                List<Recorded> batch = unwritten.oldest(BATCH);
                log.append(batch);
                batch.stream()
                        .filter(it -> it.event().isPresent())
                        .forEach(it -> meter.recorded(it.reported()));
                List<LifeState> written = statesOf(batch);
                written.forEach(lives::recorded);
                unwritten.written(batch);
                notifyOf(written);
            }
            if (failed) {
                LOG.info(
                        "the exit log can be written again; {} exits were given up since the start",
                        unwritten.backlog().dropped());
                dropped.over();
            }
        } catch (ExitLogException e) {
            if (!failed) {
                LOG.error("exits are kept in memory only, until the log can be written again", e);
                keepInMemory(arrived);
            }
            unwritten.notWritten();
            nextTry = System.nanoTime() + RETRY.toNanos();
        }
    }

    private void keepInMemory(List<Recorded> arrived) {
        List<LifeState> kept = statesOf(arrived);
        kept.forEach(lives::notRecorded);
        for (Recorded given : unwritten.dropOverLimit()) {
            given.state().ifPresent(lives::forget);
            given.event()
                    .ifPresent(it ->
                            dropped.error(
                                    "too many exits wait for the disk (%s, or a quarter of the memory): some are given up, and are lost"
                                            .formatted(Setting.MAX_UNWRITTEN.key()),
                                    "exit " + it.seq()));
        }
        unwritten.notWritten();
        notifyOf(kept);
    }

    private void notifyOf(List<LifeState> known) {
        List<LifeState> over =
                known.stream()
                        .filter(it ->
                                it.stage().compareTo(Stage.OPEN) > 0
                                        || it.begun().endedSeq().isPresent())
                        .toList();
        if (!over.isEmpty()) {
            onOver.accept(over);
        }
    }

    private static List<LifeState> statesOf(List<Recorded> recorded) {
        return recorded.stream().flatMap(it -> it.state().stream()).toList();
    }

    /**
     * One small step, so that exits never wait for it: removes what is old, and gives space back.
     */
    private void tidy() {
        long now = System.nanoTime();
        try {
            Instant wall = clock.instant();
            RetentionClock running = age;
            if (running == null) {
                Optional<Instant> stored = log.agedTo();
                agedTo = stored.orElse(Instant.EPOCH);
                running = new RetentionClock(stored.orElse(wall), now);
                age = running;
            }
            Instant time = running.advance(wall, log.oldest(), now);
            boolean more = log.prune(time.minus(replay), time.minus(retention), PRUNE_BATCH);
            if (Duration.between(agedTo, time).abs().compareTo(AGE_STEP) >= 0) {
                log.setAgedTo(time);
                agedTo = time;
            }
            more |= log.shrink();
            nextTidy = now + (more ? RETRY : TIDY_INTERVAL).toNanos();
        } catch (ExitLogException e) {
            LOG.warn("old records cannot be removed now, or the log not made smaller", e);
            nextTidy = now + TIDY_RETRY.toNanos();
        }
    }
}
