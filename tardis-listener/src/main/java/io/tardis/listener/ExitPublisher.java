package io.tardis.listener;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.figures.Meter;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.listener.Inbox.Signal;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Owns the PUB socket and the numbers: takes what was heard, in order, and publishes one message
 * for each exit.
 */
final class ExitPublisher implements LifeSink, AutoCloseable {

    /** How often the last number is published, for subscribers that missed the message itself. */
    static final Duration HEARTBEAT = Duration.ofSeconds(5);

    /** How often all lives are looked at, though nothing was missed as far as is known. */
    private static final Duration LOOK = Duration.ofHours(1);

    private static final Duration UNREADABLE_INTERVAL = Duration.ofSeconds(1);
    private static final Logger LOG = LoggerFactory.getLogger(ExitPublisher.class);
    private static final Duration STOP_PATIENCE = Duration.ofSeconds(1);

    private final ZmqPublisher socket;
    private final Inbox inbox;
    private final ExitSequence sequence;
    private final Optional<? extends Witness> witness;

    /** What is known before the start is for the thread that starts this, until it does. */
    final KnownLives known = new KnownLives();

    private final Node node;
    private final Lives lives;
    private final LifeChecker checker;
    private final BooleanSupplier ownsStateDir;
    private final InstantSource clock;
    private final Meter meter;
    private final Worker worker;
    private final FailureLog failures = new FailureLog(ExitPublisher.class);
    private long nextHeartbeat = System.nanoTime();

    /** When the end has to come, though more was reported. From any thread. */
    private volatile OptionalLong stopBy = OptionalLong.empty();

    private long nextLook = System.nanoTime();

    /** Lines that could not be read since the last gap that was published for some. */
    private long unreadable;

    private Instant unreadableSince = Instant.EPOCH;
    private String unreadableReason = "";
    private long nextUnreadable = System.nanoTime();

    /**
     * From now on the socket and the sequence belong to the publisher's thread; from {@link #start}
     * on, {@link #known} does, too.
     *
     * @param witness asked how a process ended whose exit containerd has published
     * @param checker looks at lives whose end may have been missed
     * @param keepsAll whether also the ends of containers are kept that are not enabled
     * @param node where the processes are
     * @param ownsStateDir whether the sequence's file is this process's to write again, where
     *     somebody removed it
     * @param meter counts what is published
     */
    ExitPublisher(
            ZmqPublisher socket,
            Inbox inbox,
            ExitSequence sequence,
            Optional<? extends Witness> witness,
            LifeChecker checker,
            boolean keepsAll,
            Node node,
            BooleanSupplier ownsStateDir,
            InstantSource clock,
            Meter meter) {
        this.socket = socket;
        this.inbox = inbox;
        this.sequence = sequence;
        this.witness = witness;
        this.node = node;
        this.lives = new Lives(known, this, keepsAll, node);
        this.checker = checker;
        this.ownsStateDir = ownsStateDir;
        this.clock = clock;
        this.meter = meter;
        this.worker = new Worker("tardis-listener-publisher", this::run, this::askToStop);
    }

    void start() {
        worker.start();
    }

    /**
     * Publishes what is in the inbox, as far as a second is enough for it. The socket stays open,
     * for those who have not read all of it: JeroMQ may fail in a subscriber of the same process
     * whose publisher closes under it.
     */
    void stop() {
        worker.close();
    }

    private void askToStop() {
        stopBy = OptionalLong.of(System.nanoTime() + STOP_PATIENCE.toNanos());
        try {
            // Bounded: a thread that hangs makes no room in a full inbox.
            boolean _ = worker.isAlive() && inbox.offer(new Signal.Stop(), STOP_PATIENCE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Stops, and closes the socket. May be called twice. */
    @Override
    public void close() {
        stop();
        if (!worker.isAlive()) {
            socket.close(); // its owner has ended
        }
    }

    private void run() throws InterruptedException {
        lives.announce();
        check();
        Signal signal = null;
        while (!(signal instanceof Signal.Stop) && !isLate()) {
            if (signal != null) {
                handle(signal);
            }
            doDuties();
            signal = inbox.poll(untilNextDuty());
        }
        lives.publishAll();
        if (!(signal instanceof Signal.Stop)) {
            LOG.warn(
                    "the daemon ends amid a flood: {} reports that had been read are not published; the next start publishes a gap",
                    inbox.size());
        }
    }

    /** Whether the daemon is to end, and more was reported than can be published until then. */
    private boolean isLate() {
        return stopBy.isPresent() && System.nanoTime() - stopBy.getAsLong() > 0;
    }

    private long untilNextDuty() {
        long now = System.nanoTime();
        long left = nextHeartbeat - now;
        if (unreadable > 0) {
            left = Math.min(left, nextUnreadable - now);
        }
        return Math.min(left, lives.nextDeadline().orElse(nextHeartbeat) - now);
    }

    private void doDuties() {
        long now = System.nanoTime();
        lives.publishOverdue(now);
        if (unreadable > 0 && nextUnreadable - now <= 0) {
            publishUnreadable(now);
        }
        if (nextLook - now <= 0) {
            check();
        }
        if (nextHeartbeat - now <= 0) {
            meter.openLives(known.countOpen());
            publish(new Published.Heartbeat(sequence.last(), clock.instant()));
            if (ownsStateDir.getAsBoolean()) {
                sequence.keepInPlace(clock);
            }
            nextHeartbeat = now + HEARTBEAT.toNanos();
        }
    }

    private void handle(Signal signal) {
        lives.reported = inbox.reported();
        switch (signal) {
            case Signal.Read(CtrEvent event) -> handle(event);
            case Signal.Reaped(long number) ->
                    witness.flatMap(it -> it.take(number)).ifPresent(this::handle);
            case Signal.OfLife(Consumer<Lives> report) -> report.accept(lives);
            case Signal.Missed(Instant from, String reason) -> {
                lives.missed();
                publishGap(from, reason);
            }
            case Signal.Stop() -> throw new IllegalStateException("the end is handled by the loop");
        }
    }

    private void handle(Witness.Ended ended) {
        lives.witnessed(ended, clock.instant(), System.nanoTime());
    }

    private void check() {
        checker.check(known.open(), known.undeleted());
        nextLook = System.nanoTime() + LOOK.toNanos();
    }

    private void handle(CtrEvent event) {
        switch (event) {
            case CtrEvent.Exit(TaskExit exit) -> {
                // The kernel knows more, and knows it by now: the process is reaped before
                // containerd reports its exit.
                witness.flatMap(it -> it.take(exit.container(), exit.pid()))
                        .ifPresent(this::handle);
                lives.exited(exit, System.nanoTime());
            }
            case CtrEvent.TaskProcess process -> {
                lives.reported(process);
                node.reported(process.pid());
            }
            case CtrEvent.Oom(var container) -> lives.outOfMemory(container, System.nanoTime());
            case CtrEvent.Container container -> node.note(container);
            case CtrEvent.Ignored() -> LOG.trace("a line of another topic");
            case CtrEvent.Malformed(String reason) -> {
                lives.missed();
                failures.warn("a line of the event source cannot be read", reason);
                if (unreadable++ == 0) {
                    unreadableSince = clock.instant();
                }
                unreadableReason = reason;
            }
        }
    }

    /** The first at once, then all of a second together: there may be a million of them. */
    private void publishUnreadable(long now) {
        publishGap(
                unreadableSince,
                (unreadable == 1
                                ? "a line cannot be read: "
                                : unreadable + " lines cannot be read, the last one because ")
                        + unreadableReason);
        unreadable = 0;
        nextUnreadable = now + UNREADABLE_INTERVAL.toNanos();
    }

    @Override
    public long exit(Fate.End end, Optional<LifeRef> life, LifeDetails details, boolean corrects) {
        ExitEvent event =
                new ExitEvent(
                        sequence.next(),
                        end.exit(),
                        end.signal(),
                        end.oomKilled(),
                        end.source(),
                        life,
                        details);
        if (corrects) {
            meter.corrected(event);
        } else {
            meter.published(event, end.reported());
        }
        publish(new Published.Exit(event));
        LOG.debug("published {}", event);
        return event.seq();
    }

    @Override
    public void begun(TrackedLife life, OptionalLong endedSeq) {
        Optional<InitProcess> init = life.life.init();
        publish(
                new Published.Begun(
                        sequence.last(),
                        life.life.container(),
                        life.ref(),
                        init.map(it -> OptionalLong.of(it.pid())).orElse(OptionalLong.empty()),
                        init.map(InitProcess::startTime).orElse(OptionalLong.empty()),
                        endedSeq,
                        life.details));
    }

    @Override
    public void lost(TrackedLife life) {
        meter.lost();
        publish(new Published.Lost(sequence.last(), life.life.container(), life.ref()));
    }

    private void publishGap(Instant from, String reason) {
        Instant to = clock.instant();
        // The clock may have been set back meanwhile.
        meter.gap();
        publish(new Published.Gap(sequence.last(), from.isAfter(to) ? to : from, to, reason));
        check();
    }

    private void publish(Published message) {
        socket.send(PublishedCodec.topic(message), PublishedCodec.encode(message));
    }
}
