package io.tardis.store;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.config.Setting;
import io.tardis.core.config.Settings;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.MalformedMessageException;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.zmq.ZmqSubscriber;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes what is published into the log, in its own thread: all that has arrived goes into one
 * commit, and what arrives meanwhile into the next. An end is told to those who wait for it only
 * after its commit.
 *
 * <p>What the disk does not take stays in memory, in order and within a limit ({@link Unwritten}),
 * and is tried again every second; until then its ends are answered from memory. If a damaged log
 * is the reason, they go into a new one at the end.
 */
final class ExitRecorder implements AutoCloseable {

    /**
     * What the registry says of lives. Both methods throw {@link UncheckedIOException} if it cannot
     * be read or written now.
     */
    interface Lives {

        /** The end of a life that {@code event} is, if its code is to be kept. */
        Optional<End> endOf(ExitEvent event);

        /**
         * Forgets a life because the record of its end is too old: its code is unknown from then
         * on, and not lost. To be done before the record goes, so that a crash in between takes no
         * code for lost.
         *
         * @return whether the record may go; not while the life is open, whose code is asked for
         *     when it is deleted
         */
        boolean forget(ContainerKey container, String lifeId);
    }

    private static final Logger LOG = LoggerFactory.getLogger(ExitRecorder.class);
    private static final int BATCH = 1_000;

    /** How often is looked whether the log is in its place. */
    private static final Duration LOOK = Duration.ofMillis(500);

    private static final Duration RETRY = Duration.ofSeconds(1);
    private static final Duration REGISTRY_RETRY = Duration.ofMillis(100);
    private static final Duration REGISTRY_PATIENCE = Duration.ofMinutes(1);
    private static final Duration PRUNE_INTERVAL = Duration.ofMinutes(1);

    /** How much the time by which records grow old moves before it is written down. */
    private static final Duration AGE_STEP = Duration.ofHours(1);

    private static final int PRUNE_BATCH = 1_000;
    private static final Duration SHRINK_INTERVAL = Duration.ofSeconds(10);
    private static final Duration REPLACE_PATIENCE = Duration.ofMillis(1500);

    private final ZmqSubscriber subscriber;
    private final ExitLog.Writer log;
    private final Lives lives;
    private final EndCache ends;
    private final Consumer<Set<ContainerKey>> onEnds;
    private final Duration retention;
    private final Duration replay;
    private final InstantSource clock;
    private final Worker worker;
    private final Unwritten unwritten;
    private final FailureLog dropped = new FailureLog(ExitRecorder.class);
    private long nextTry;
    private long nextPrune;
    private long nextLook;
    private long nextShrink;
    private @Nullable RetentionClock age;
    private Instant agedTo = Instant.EPOCH;

    /**
     * From now on the subscriber and the log belong to the recorder's thread.
     *
     * @param unwritten where what is not on disk is kept
     * @param onEnds told the containers whose ends can now be answered; called from the recorder's
     *     thread
     */
    ExitRecorder(
            ZmqSubscriber subscriber,
            ExitLog.Writer log,
            Lives lives,
            EndCache ends,
            Unwritten unwritten,
            Consumer<Set<ContainerKey>> onEnds,
            Settings settings,
            InstantSource clock) {
        this.subscriber = subscriber;
        this.log = log;
        this.lives = lives;
        this.ends = ends;
        this.unwritten = unwritten;
        this.onEnds = onEnds;
        this.retention = settings.retention();
        this.replay = settings.replay();
        this.clock = clock;
        this.worker = new Worker("tardis-store-recorder", this::run, subscriber::wake);
    }

    void start() {
        nextPrune = System.nanoTime();
        nextLook = nextPrune;
        nextShrink = nextPrune;
        worker.start();
    }

    /** Writes what has arrived, and ends. */
    @Override
    public void close() {
        if (!worker.wasStarted()) {
            subscriber.close();
            log.close();
            return;
        }
        worker.close();
    }

    private void run() {
        try (log;
                subscriber) {
            boolean last;
            boolean mayBeMore;
            do {
                last = worker.isStopping();
                Arrived arrived = collect(last ? Duration.ZERO : LOOK);
                mayBeMore = arrived.exits().size() == BATCH;
                recordOrKeep(withTheirEnds(arrived.exits()), last);
                // The registry says that these are lost; an exit that came first was to be recorded
                // before who waits is told.
                if (!arrived.lost().isEmpty()) {
                    onEnds.accept(Set.copyOf(arrived.lost()));
                }
                if (last || System.nanoTime() - nextLook >= 0) {
                    look();
                }
                if (!last) {
                    tidy();
                }
            } while (!last || (mayBeMore && !unwritten.isFailing()));
            if (unwritten.isFailing() && log.replaceIfUnusable(REPLACE_PATIENCE)) {
                writeLast();
            }
            if (unwritten.size() > 0) {
                LOG.error(
                        "{} exits could not be written before the end, and are lost",
                        unwritten.size());
            }
        }
    }

    /** Whether the log is where the next start looks for it, also while nothing ends. */
    private void look() {
        nextLook = System.nanoTime() + LOOK.toNanos();
        try {
            log.keepInPlace();
            if (unwritten.isFailing() && unwritten.size() == 0) {
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

    private void tidy() {
        long now = System.nanoTime();
        if (now - nextPrune >= 0) {
            prune();
        }
        if (now - nextShrink >= 0 && !unwritten.isFailing()) {
            try {
                nextShrink = now + (log.shrink() ? RETRY : SHRINK_INTERVAL).toNanos();
            } catch (ExitLogException e) {
                LOG.warn("the exit log cannot be made smaller now", e);
                nextShrink = now + PRUNE_INTERVAL.toNanos();
            }
        }
    }

    /**
     * Into a new log, for the next daemon; what this one still answers, it answers from memory and
     * from the old log.
     */
    private void writeLast() {
        try {
            while (unwritten.size() > 0) {
                List<Recorded> batch = unwritten.oldest(BATCH);
                log.append(batch);
                unwritten.written(batch);
            }
        } catch (ExitLogException e) {
            LOG.error("the new exit log cannot be written", e);
        }
    }

    /** What came together: exits in order, and containers whose lives are lost. */
    private record Arrived(List<ExitEvent> exits, Set<ContainerKey> lost) {}

    /** Waits for a message, and takes what has arrived with it, up to one batch. */
    private Arrived collect(Duration timeout) {
        Arrived arrived = new Arrived(new ArrayList<>(), new HashSet<>());
        ZmqSubscriber.Message message = subscriber.receive(timeout);
        while (message != null) {
            take(message, arrived);
            message = arrived.exits().size() < BATCH ? subscriber.receive(Duration.ZERO) : null;
        }
        return arrived;
    }

    private void take(ZmqSubscriber.Message message, Arrived arrived) {
        try {
            switch (PublishedCodec.decode(message.topic(), message.payload())) {
                case Published.Exit(ExitEvent event) -> arrived.exits().add(event);
                case Published.Lost lost -> arrived.lost().add(lost.container());
                case Published.Heartbeat _, Published.Gap _ -> LOG.trace("nothing to record");
            }
        } catch (MalformedMessageException e) {
            LOG.error(
                    "a message on {} cannot be understood and is not recorded", message.topic(), e);
        }
    }

    /**
     * The exits and whose ends they are; those before one that has to wait for that are recorded.
     */
    private List<Recorded> withTheirEnds(List<ExitEvent> exits) {
        List<Recorded> ready = new ArrayList<>();
        for (ExitEvent event : exits) {
            Optional<End> end =
                    endOf(
                            event,
                            () -> {
                                recordOrKeep(ready, false);
                                ready.clear();
                            });
            ready.add(new Recorded(event, end));
        }
        return ready;
    }

    /**
     * Whose end it is. While the registry cannot be read, for want of descriptors for instance,
     * that cannot be told, and a code without its life would be lost: the exit waits, and what
     * comes after it waits behind it. Not for ever: it may be one bad file.
     *
     * @param beforeWait done once, before it waits
     */
    private Optional<End> endOf(ExitEvent event, Runnable beforeWait) {
        long deadline = System.nanoTime() + REGISTRY_PATIENCE.toNanos();
        boolean told = false;
        while (true) {
            try {
                Optional<End> end = lives.endOf(event);
                if (told) {
                    LOG.info("the registry can be read again");
                }
                return end;
            } catch (UncheckedIOException e) {
                if (worker.isStopping() || System.nanoTime() - deadline >= 0) {
                    LOG.error(
                            "no code is kept of exit {} of {}: whose end it is cannot be read",
                            event.seq(),
                            event.exit().container(),
                            e);
                    return Optional.empty();
                }
                if (!told) {
                    LOG.error("exits wait until the registry can be read again", e);
                    told = true;
                    beforeWait.run();
                }
                LockSupport.parkNanos(REGISTRY_RETRY.toNanos());
            }
        }
    }

    private void recordOrKeep(List<Recorded> arrived, boolean last) {
        arrived.forEach(unwritten::add);
        if (unwritten.isFailing() && !last && System.nanoTime() - nextTry < 0) {
            keepInMemory(arrived);
        } else if (unwritten.size() > 0) {
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
            while (unwritten.size() > 0) {
                List<Recorded> batch = unwritten.oldest(BATCH);
                log.append(batch);
                List<End> written = endsOf(batch);
                written.forEach(ends::recorded);
                unwritten.written(batch);
                tell(written);
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
        List<End> kept = endsOf(arrived);
        kept.forEach(ends::notRecorded);
        for (var given = unwritten.dropOverLimit();
                given.isPresent();
                given = unwritten.dropOverLimit()) {
            given.get().end().ifPresent(ends::forget);
            dropped.error(
                    "too many exits wait for the disk ("
                            + Setting.MAX_UNWRITTEN.key()
                            + ", or a quarter of the memory): some are given up, and are lost",
                    "exit " + given.get().event().seq());
        }
        unwritten.notWritten();
        tell(kept);
    }

    private void tell(List<End> known) {
        if (!known.isEmpty()) {
            onEnds.accept(
                    known.stream().map(End::container).collect(Collectors.toUnmodifiableSet()));
        }
    }

    private static List<End> endsOf(List<Recorded> recorded) {
        return recorded.stream().flatMap(it -> it.end().stream()).toList();
    }

    /** One small step, so that exits never wait for it. */
    private void prune() {
        long now = System.nanoTime();
        try {
            Instant time = retentionClock(now).advance(clock.instant(), log.oldest(), now);
            ExitLog.Pruned pruned =
                    log.prune(time.minus(replay), time.minus(retention), this::mayGo, PRUNE_BATCH);
            pruned.containers().forEach(ends::changed);
            if (Duration.between(agedTo, time).abs().compareTo(AGE_STEP) >= 0) {
                log.setAgedTo(time);
                agedTo = time;
            }
            nextPrune = now + (pruned.more() ? RETRY : PRUNE_INTERVAL).toNanos();
        } catch (ExitLogException e) {
            LOG.warn("old records cannot be removed now", e);
            nextPrune = now + PRUNE_INTERVAL.toNanos();
        }
    }

    private boolean mayGo(ContainerKey container, String lifeId) {
        try {
            return lives.forget(container, lifeId);
        } catch (UncheckedIOException e) {
            LOG.warn("an old end of {} stays: {}", container, e.getMessage());
            return false;
        }
    }

    private RetentionClock retentionClock(long now) {
        RetentionClock known = age;
        if (known == null) {
            Instant begin = clock.instant();
            agedTo = log.agedTo().orElse(begin);
            if (agedTo.equals(begin)) {
                log.setAgedTo(begin);
            }
            known = new RetentionClock(agedTo, now);
            age = known;
        }
        return known;
    }
}
