package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.event.Usage;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.listener.CtrEvent.TaskProcess;
import io.tardis.listener.Fate.End;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.LongPredicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides which life an exit ends. Every life is known here from the moment that anything reports
 * it: the shim, containerd's create or start, or its end alone. An id is used many times, and so is
 * a pid; what distinguishes lives is the order of the reports, the pid, and the time.
 *
 * <p>For one thread. {@link KnownLives} and {@link OomReports} bound its memory.
 */
final class Lives {

    private static final Logger LOG = LoggerFactory.getLogger(Lives.class);

    private final LifeSink sink;
    private final boolean keepsAll;
    private final Node node;
    private final KnownLives known;
    private final HeldLives held = new HeldLives();
    private final Begins begins;
    private final OomReports ooms = new OomReports();

    /** When the report in hand was made, by the monotonic clock; for measuring only. */
    long reported = System.nanoTime();

    /**
     * Goes on with what is known.
     *
     * @param known what was there before
     * @param keepsAll whether also the ends of containers are kept that are not enabled
     * @param node where the processes are
     */
    Lives(KnownLives known, LifeSink sink, boolean keepsAll, Node node) {
        this.known = known;
        this.sink = sink;
        this.keepsAll = keepsAll;
        this.node = node;
        this.begins = new Begins(sink, node);
    }

    /**
     * Publishes the begin of each life that the store did not know, and the lives that are lost.
     */
    void announce() {
        known.open().forEach(node::runs);
        known.all().filter(it -> it.life.init().isPresent()).forEach(begins::begin);
        known.lost.stream()
                .filter(it -> it.init().isPresent())
                .forEach(it -> sink.lost(new TrackedLife(it, true, false)));
    }

    /**
     * The shim begins a life. It is published when its process is known, so that a create that
     * fails leaves nothing.
     *
     * @param isRegistered whether the registry has it; not where the disk could not be written
     */
    void begun(Life life, boolean isRegistered) {
        TrackedLife tracked = note(life, isRegistered);
        if (tracked.life.init().isPresent()) {
            begins.begin(tracked);
        }
    }

    private TrackedLife note(Life life, boolean isRegistered) {
        TrackedLife tracked = known.find(life);
        if (tracked == null) {
            tracked = known.add(new TrackedLife(life, true, isRegistered));
            tracked.unregistered = !isRegistered;
            ooms.forgetEarly(life.container());
        } else {
            Optional<InitProcess> init = life.init().or(tracked.life::init);
            tracked.life =
                    init.map(life::withInit).orElse(life).withCreatedAt(tracked.life.createdAt());
            tracked.registered |= isRegistered;
        }
        return tracked;
    }

    /** The shim notes that a life was started, and its process if that is known. */
    void started(Life life) {
        begins.begin(note(life, true));
    }

    /**
     * The shim makes up for a create that it did not see. If the life was reported by others
     * meanwhile, it is kept from now on, also where it has ended.
     *
     * @param at when it was created
     * @param until when it was deleted, or created again; the end of time if it was not
     * @return the life, to be registered
     */
    Life keep(ContainerKey container, Path bundle, Instant at, Instant until) {
        Optional<TrackedLife> reported =
                known.of(container).stream()
                        .filter(it -> it.mayHaveBegun(at, until, bundle))
                        .findFirst();
        TrackedLife life =
                reported.orElseGet(
                        () -> known.add(KnownLives.newLife(container, at, bundle, true)));
        life.until = until;
        if (reported.isEmpty()) {
            life.unregistered = true;
        } else {
            life.kept = true;
            known.settle(life);
            sink.begun(life, life.seq);
            life.begun = true;
            life.life = life.life.withCreatedAt(at).withBundle(bundle);
            // The store takes the life whose begin came last for the newest.
            known.after(life).forEach(it -> sink.begun(it, OptionalLong.empty()));
        }
        return life.life.withCreatedAt(at);
    }

    /**
     * The shim has closed a life.
     *
     * @param endComes whether a witness will report its end
     */
    void deleted(Life life, boolean endComes) {
        TrackedLife tracked = known.find(life);
        if (tracked == null) {
            return;
        }
        tracked.deleted = true;
        if (life.forceDeleted()) {
            tracked.life = tracked.life.withForceDeleted();
        }
        if (tracked.isOpen() && !tracked.begun) {
            known.forget(tracked); // its create failed
        } else if (tracked.isOpen() && !endComes) {
            lose(tracked);
        }
        known.settle(tracked);
    }

    /** The process of a life is gone, and nobody reported its end in time. */
    void lost(Life life) {
        TrackedLife tracked = known.find(life);
        if (tracked != null && tracked.isOpen()) {
            LOG.warn(
                    "how {} ended could not be observed: its process {} is gone, and containerd reported nothing",
                    life.container(),
                    tracked.life.init().map(it -> Long.toString(it.pid())).orElse("(not known)"));
            lose(tracked);
            known.settle(tracked);
        }
    }

    /**
     * containerd reported the process of a life: finds the one that has it, or is still without
     * one; else begins another one.
     */
    void reported(TaskProcess report) {
        ContainerKey container = report.container();
        InitProcess process = node.process(report.pid(), report.at());
        TrackedLife life = known.newest(container, it -> it.hasProcess(process, report.at()));
        if (life == null) {
            life = known.newest(container);
            if (life != null && life.isAfter(report)) {
                return; // of the life before, which the shim has seen deleted
            }
            if (life == null || !life.mayBegin(report)) {
                life =
                        known.add(
                                KnownLives.newLife(
                                        container, report.at(), report.bundle(), keepsAll));
                ooms.forgetEarly(container);
            }
            if (report.pid() != KnownLives.NO_PID) {
                life.life = life.life.withInit(process);
            }
        }
        life.noteBundle(report.bundle());
        // The shim nearly always notes the process of what it has registered; but a restore has no
        // start.
        if (life.isOpen()
                && life.kept
                && life.life.init().isPresent()
                && (report.isStart() || !life.registered)) {
            node.watch(life.life, life.registered, report.isStart());
        }
        if (!report.isStart()) {
            begins.created(life);
        }
        begins.begin(life);
        if (life.isOpen() && report.isStart()) {
            life.details = life.details.withStartedAt(report.at());
        }
        known.settle(life);
    }

    /** A container was found by its bundle: it runs, or has ended and was not deleted. */
    void found(TaskProcess report) {
        if (!known.isBetterKnown(report, node.process(report.pid(), report.at()))) {
            reported(report);
        }
    }

    /** The kernel killed a process of the container for memory; its exit mostly comes next. */
    void outOfMemory(ContainerKey container, long nanoTime) {
        TrackedLife newest = known.newest(container);
        if (newest == null) {
            ooms.early(container, nanoTime);
        } else {
            node.outOfMemory(newest.life);
            if (ooms.changes(newest, nanoTime)) {
                apply(newest, newest.fate.outOfMemory());
            }
        }
    }

    /** Events were missed. */
    void missed() {
        ooms.forgetAll();
        node.missed();
    }

    /**
     * The kernel reported how the process of a life ended.
     *
     * @param at when it was seen, by the wall clock
     * @param nanoTime now, by the monotonic clock
     */
    void witnessed(Witness.Ended ended, Instant at, long nanoTime) {
        TrackedLife life = known.findOrAdd(new TrackedLife(ended.life(), true, true));
        report(life, ended.exit(at), ended.signal(), ExitSource.KERNEL, nanoTime);
    }

    /** containerd's shim reported how the process of a life ended. */
    void reportedByShim(Life life, TaskExit exit, long nanoTime) {
        TrackedLife tracked = known.findOrAdd(new TrackedLife(life, true, true));
        report(tracked, exit, OptionalInt.empty(), ExitSource.SHIM, nanoTime);
    }

    /** containerd reported an exit; perhaps not for the first time. */
    void exited(TaskExit exit, long nanoTime) {
        if (!exit.isContainerExit()) {
            execEnded(exit);
            return;
        }
        TrackedLife life = known.endedBy(exit);
        if (life == null) {
            TrackedLife newest = known.newest(exit.container());
            if (newest != null && newest.runsBeside(exit.pid())) {
                execEnded(exit.asExec());
                return;
            }
            life = unreported(exit, nanoTime);
        } else if (life.life.init().isEmpty() && exit.pid() != KnownLives.NO_PID) {
            life.life = life.life.withInit(new InitProcess(exit.pid(), OptionalLong.empty()));
        }
        report(life, exit, OptionalInt.empty(), life.sourceOf(exit), nanoTime);
    }

    /** A life of which nothing but its end was reported. */
    private TrackedLife unreported(TaskExit exit, long nanoTime) {
        TrackedLife life = known.addEnded(KnownLives.newLife(exit, keepsAll));
        life.oomKilled = ooms.takeEarly(exit.container(), nanoTime);
        // The exit says it all, unless the life is newer than others that are known.
        life.begun = known.of(exit.container()).getFirst() == life;
        return life;
    }

    private void execEnded(TaskExit exit) {
        Optional<LifeRef> life =
                Optional.ofNullable(known.newest(exit.container())).map(TrackedLife::ref);
        known.execs
                .ended(exit, reported)
                .ifPresent(it -> sink.exit(it, life, LifeDetails.NONE, false));
    }

    private void report(
            TrackedLife life, TaskExit exit, OptionalInt signal, ExitSource source, long nanoTime) {
        if (life.kept && life.fate.known().isEmpty()) {
            life.details = life.details.withUsage(node.usage(life.life));
        }
        ooms.reported(life, nanoTime);
        boolean isCounted = life.noteOomKills();
        End end = new End(exit, signal, life.oomKilled, source, reported);
        Fate.Step step = life.fate.after(end, !isCounted, nanoTime);
        apply(life, step);
        if (step.next() instanceof Fate.Held) {
            held.add(life);
        }
    }

    private void apply(TrackedLife life, Fate.Step step) {
        life.fate = step.next();
        step.published()
                .ifPresent(it -> {
                    begins.begin(life);
                    boolean corrects = life.seq.isPresent();
                    long seq = sink.exit(it, Optional.of(life.ref()), life.details, corrects);
                    life.seq = OptionalLong.of(seq);
                    if (it.source() != ExitSource.ASSUMED) {
                        life.details = LifeDetails.NONE; // a late report brings no more than a code
                    }
                });
        known.settle(life);
    }

    private void lose(TrackedLife life) {
        begins.begin(life);
        life.fate = new Fate.Lost();
        life.details = LifeDetails.NONE;
        Usage _ = node.usage(life.life); // nobody will ask for it
        sink.lost(life);
    }

    /** The monotonic time at which {@link #publishOverdue} has something, if anything is held. */
    OptionalLong nextDeadline() {
        return held.nextDeadline();
    }

    /** Publishes what was held, and containerd has reported nothing of in time. */
    void publishOverdue(long nanoTime) {
        publishHeld(deadline -> deadline - nanoTime <= 0);
    }

    /** Publishes all that is held; containerd reports nothing any more. */
    void publishAll() {
        publishHeld(_ -> true);
    }

    private void publishHeld(LongPredicate isDue) {
        for (TrackedLife it = held.poll(isDue); it != null; it = held.poll(isDue)) {
            apply(it, it.fate.overdue(it.oomKilled));
        }
    }
}
