package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Published.Begun;
import io.tardis.listener.CtrEvent.TaskCreate;
import io.tardis.listener.CtrEvent.TaskStart;
import io.tardis.listener.Fate.End;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides which life an exit ends. Every life is known here from the moment that anything reports
 * it: the shim, containerd's create or start, or its end alone. An id is used many times, and so is
 * a pid; what tells lives apart is the order of the reports, the pid, and the time.
 *
 * <p>For one thread. Its memory is bounded by the open lives and {@value #REMEMBERED} others.
 */
final class Lives {

    /** Receives what is to be published, in order. */
    interface Sink {
        /** A life has begun; again with {@code endedSeq}, where it is to be kept after all. */
        void begun(
                ContainerKey container,
                LifeRef life,
                Optional<InitProcess> init,
                OptionalLong endedSeq);

        /**
         * A process ended.
         *
         * @return the number of the exit
         */
        long exit(End end, Optional<LifeRef> life);

        /** A life is over whose end nobody observed. */
        void lost(ContainerKey container, LifeRef life);

        /** containerd reported the process of a life that the shim has registered. */
        void initKnown(Life life);
    }

    /** One life. */
    private static final class Tracked {
        private Life life;
        private boolean kept;

        /** Whether the registry has it until it is deleted. */
        private boolean registered;

        /** Whether the shim has begun it, and could not register it. */
        private boolean unregistered;

        private boolean begun;
        private boolean deleted;
        private boolean oomKilled;
        private Fate fate = new Fate.Open();
        private OptionalLong seq = OptionalLong.empty();

        private Tracked(Life life, boolean kept, boolean registered) {
            this.life = life;
            this.kept = kept;
            this.registered = registered;
        }

        private LifeRef ref() {
            return new LifeRef(life.id(), life.createdAt(), kept);
        }

        private boolean hasPid(long pid) {
            return life.init().filter(it -> it.pid() == pid).isPresent();
        }

        private boolean isOpen() {
            return fate instanceof Fate.Open;
        }

        private boolean hasRealEnd() {
            return fate instanceof Fate.Ended(End end, boolean _)
                    && end.source() != ExitSource.ASSUMED;
        }

        /** Whether nobody will ask for it, and it is only remembered for reports that come late. */
        private boolean isDone() {
            return !kept || (!isOpen() && (deleted || !registered));
        }

        private Optional<Instant> exitedAt() {
            return switch (fate) {
                case Fate.Open _, Fate.Lost _ -> Optional.empty();
                case Fate.Held(End end, long _) -> Optional.of(end.exit().exitedAt());
                case Fate.Ended(End end, boolean _) -> Optional.of(end.exit().exitedAt());
            };
        }
    }

    private record ExecKey(ContainerKey container, String id, long pid) {}

    private static final Logger LOG = LoggerFactory.getLogger(Lives.class);
    private static final long NO_PID = 0;
    private static final int SIGNAL_BASE = 128;

    /**
     * A shim reports a start when {@code runc start} has returned, and a short process has ended by
     * then: of 50 that ran {@code true}, 7 by up to 1.2 ms (containerd 1.6.20). A pid cannot come
     * round to the same container in this time. The kernel's and containerd's times of one exit
     * differ by less, too.
     */
    private static final Duration SAME = Duration.ofSeconds(2);

    /** A launcher notes a call when it gives up. It waits no longer than this. */
    private static final Duration LONGEST_CALL = Duration.ofSeconds(30);

    private static final int REMEMBERED = 20_000;
    private static final int REMEMBERED_OF_ONE = 10;

    /**
     * What containerd reports for a process whose shim is gone: 128 + SIGKILL, or 255 if even its
     * clean-up failed.
     */
    private static final long MADE_UP_KILLED = 137;

    private static final long MADE_UP_UNKNOWN = 255;

    private final Sink sink;
    private final boolean keepsAll;
    private final LongFunction<InitProcess> processes;

    /** The lives of each container, the newest last. */
    private final Map<ContainerKey, List<Tracked>> ofContainers = new HashMap<>();

    /** Those that are done, the one that was done first first. */
    private final Map<String, Tracked> done = new LinkedHashMap<>();

    private final Map<ExecKey, Fate> execs = bounded();

    /** Containers whose lives were not known when the kernel killed a process of theirs. */
    private final Map<ContainerKey, Boolean> oomKilled = bounded();

    /** In the order of their deadlines. */
    private final Deque<Tracked> held = new ArrayDeque<>();

    /**
     * No lives yet.
     *
     * @param keepsAll whether also the ends of containers are kept that are not enabled
     * @param processes gives the process that has a pid now
     */
    Lives(Sink sink, boolean keepsAll, LongFunction<InitProcess> processes) {
        this.sink = sink;
        this.keepsAll = keepsAll;
        this.processes = processes;
    }

    /** An exit that was published before. */
    void remember(ExitEvent event) {
        TaskExit exit = event.exit();
        Fate fate =
                new Fate.Ended(
                        new End(exit, event.signal(), event.oomKilled(), event.source()), false);
        if (!exit.isContainerExit()) {
            execs.put(keyOf(exit), fate);
            return;
        }
        LifeRef ref = event.life().orElseGet(() -> new LifeRef(newId(), exit.exitedAt(), false));
        Tracked life = find(exit.container(), ref.id());
        if (life == null) {
            life = add(new Tracked(lifeOf(exit.container(), ref, exit.pid()), ref.kept(), false));
        }
        life.begun = true;
        life.fate = fate;
        life.seq = OptionalLong.of(event.seq());
        settle(life);
    }

    /** A life that was registered before, and what the store knows of it. */
    void remember(Life life, Answer.OfContainer known) {
        Tracked tracked = find(life.container(), life.id());
        if (tracked == null) {
            tracked = add(new Tracked(life, true, true));
        }
        tracked.life = life;
        tracked.kept = true;
        tracked.registered = true;
        tracked.begun = !(known instanceof Answer.Unknown);
        switch (known) {
            case Answer.Exited(ExitEvent event, boolean _) -> {
                tracked.fate =
                        new Fate.Ended(
                                new End(
                                        event.exit(),
                                        event.signal(),
                                        event.oomKilled(),
                                        event.source()),
                                false);
                tracked.seq = OptionalLong.of(event.seq());
            }
            case Answer.Lost _ -> tracked.fate = new Fate.Lost();
            case Answer.Running _, Answer.Unknown _ -> {}
        }
        done.remove(life.id());
        settle(tracked);
    }

    /** A life that the store knows, and perhaps nobody else. */
    void remember(Begun begun, boolean lost) {
        if (find(begun.container(), begun.life().id()) == null) {
            Life life = lifeOf(begun.container(), begun.life(), begun.pid().orElse(NO_PID));
            if (begun.pid().isPresent()) {
                life = life.withInit(new InitProcess(begun.pid().getAsLong(), begun.startTime()));
            }
            Tracked tracked = add(new Tracked(life, begun.life().kept(), false));
            tracked.begun = true;
            tracked.fate = lost ? new Fate.Lost() : new Fate.Open();
            settle(tracked);
        }
    }

    /** Publishes the begin of each life that the store did not know. */
    void announce() {
        for (List<Tracked> lives : List.copyOf(ofContainers.values())) {
            lives.stream().filter(it -> it.life.init().isPresent()).forEach(this::begin);
        }
    }

    /** A life whose end the version before kept, or had lost. */
    void former(Life life) {
        sink.begun(life.container(), life.ref(), life.init(), OptionalLong.empty());
        if (life.init().isPresent()) {
            sink.lost(life.container(), life.ref());
        }
    }

    /**
     * The shim begins a life, or notes its process.
     *
     * @param isRegistered whether the registry has it; not where the disk could not be written
     */
    void begun(Life life, boolean isRegistered) {
        Tracked tracked = find(life.container(), life.id());
        if (tracked == null) {
            tracked = add(new Tracked(life, true, isRegistered));
            tracked.unregistered = !isRegistered;
        } else {
            Optional<InitProcess> init = life.init().or(tracked.life::init);
            tracked.life =
                    init.map(life::withInit).orElse(life).withCreatedAt(tracked.life.createdAt());
            tracked.registered |= isRegistered;
        }
        if (tracked.life.init().isPresent()) {
            begin(tracked);
        }
    }

    /**
     * The shim makes up for a create that it did not see. If the life was reported by others
     * meanwhile, it is kept from now on, also where it has ended.
     *
     * @param at when it was created
     * @return the life, to be registered
     */
    Life keep(ContainerKey container, Path bundle, Instant at) {
        for (Tracked each : lives(container)) {
            boolean isThis =
                    !each.registered
                            && !each.life
                                    .createdAt()
                                    .isBefore(each.unregistered ? at.minus(LONGEST_CALL) : at)
                            && (each.life.bundle().equals(bundle) || isUnknown(each.life.bundle()));
            if (isThis) {
                each.kept = true;
                done.remove(each.life.id());
                sink.begun(container, each.ref(), each.life.init(), each.seq);
                each.begun = true;
                each.life = each.life.withCreatedAt(at).withBundle(bundle);
                return each.life;
            }
        }
        return Life.of(newId(), container, at, bundle);
    }

    /**
     * The shim has closed a life.
     *
     * @param endComes whether the kernel will report its end
     */
    void deleted(Life life, boolean endComes) {
        Tracked tracked = find(life.container(), life.id());
        if (tracked == null) {
            return;
        }
        tracked.deleted = true;
        if (life.forceDeleted()) {
            tracked.life = tracked.life.withForceDeleted();
        }
        if (tracked.isOpen() && tracked.life.init().isEmpty()) {
            forget(tracked); // its create failed
        } else if (tracked.isOpen() && !endComes) {
            lose(tracked);
        }
        settle(tracked);
    }

    /** The process of a life is gone, and nobody reported its end in time. */
    void lost(Life life) {
        Tracked tracked = find(life.container(), life.id());
        if (tracked != null && tracked.isOpen()) {
            LOG.warn(
                    "how {} ended could not be observed: its process {} is gone, and containerd reported nothing",
                    life.container(),
                    tracked.life.init().map(it -> Long.toString(it.pid())).orElse("(not known)"));
            lose(tracked);
            settle(tracked);
        }
    }

    /** containerd reported that a container was created. */
    void created(TaskCreate create) {
        reported(create.container(), pathOf(create.bundle()), create.pid(), create.at(), false);
    }

    /** containerd reported that a container was started. */
    void started(TaskStart start) {
        reported(start.container(), Path.of(""), start.pid(), start.at(), true);
    }

    /** Finds the life whose process was reported, or begins it. */
    private void reported(
            ContainerKey container, Path bundle, long pid, Instant at, boolean isStart) {
        List<Tracked> lives = lives(container);
        for (Tracked each : lives.reversed()) {
            boolean isKnown =
                    pid != NO_PID
                            && each.hasPid(pid)
                            && each.exitedAt().filter(it -> !it.isAfter(at.minus(SAME))).isEmpty();
            if (isKnown) {
                noteStart(each, isStart);
                return;
            }
        }
        Tracked newest = lives.isEmpty() ? null : lives.getLast();
        if (newest != null && at.isBefore(newest.life.createdAt())) {
            return; // of an earlier life
        }
        boolean isPending =
                newest != null
                        && newest.isOpen()
                        && newest.life.init().isEmpty()
                        && (isUnknown(bundle)
                                || isUnknown(newest.life.bundle())
                                || bundle.equals(newest.life.bundle()));
        if (newest == null || !isPending) {
            newest = add(new Tracked(Life.of(newId(), container, at, bundle), keepsAll, false));
            oomKilled.remove(container);
        }
        if (pid != NO_PID) {
            newest.life = newest.life.withInit(processes.apply(pid));
            noteStart(newest, isStart);
        }
        begin(newest);
        settle(newest);
    }

    /** Nearly always the shim has noted it; {@code restore} has no start. */
    private void noteStart(Tracked life, boolean isStart) {
        if (isStart && life.registered && life.isOpen()) {
            sink.initKnown(life.life);
        }
    }

    /** The kernel killed a process of the container for memory; its exit comes next. */
    void outOfMemory(ContainerKey container) {
        List<Tracked> lives = lives(container);
        boolean isAwaited =
                !lives.isEmpty()
                        && (lives.getLast().isOpen() || lives.getLast().fate instanceof Fate.Held);
        if (isAwaited) {
            lives.getLast().oomKilled = true;
        } else {
            oomKilled.put(container, true);
        }
    }

    /**
     * The kernel reported how the process of a life ended.
     *
     * @param waitStatus how it ended, as in wait(2)
     * @param at when it was seen, by the wall clock
     * @param nanoTime now, by the monotonic clock
     */
    void witnessed(Life life, int waitStatus, Instant at, long nanoTime) {
        Tracked tracked = find(life.container(), life.id());
        if (tracked == null) {
            tracked = add(new Tracked(life, true, true));
        }
        int signal = waitStatus & 0x7f;
        int code = signal == 0 ? waitStatus >> 8 & 0xff : SIGNAL_BASE + signal;
        ContainerKey container = life.container();
        long pid = life.init().orElseThrow().pid();
        report(
                tracked,
                new TaskExit(container, container.id(), pid, code, at),
                signal == 0 ? OptionalInt.empty() : OptionalInt.of(signal),
                ExitSource.KERNEL,
                nanoTime);
    }

    /** containerd reported an exit; perhaps not for the first time. */
    void exited(TaskExit exit, long nanoTime) {
        if (!exit.isContainerExit()) {
            execEnded(exit);
            return;
        }
        ContainerKey container = exit.container();
        Tracked life = exit.pid() == NO_PID ? namelessEnd(exit) : endedBy(exit);
        if (life == null) {
            Tracked newest = newest(container);
            if (newest != null && isExecBeside(newest, exit)) {
                execEnded(exit.asExec());
                return;
            }
            life = unreported(exit);
        } else if (life.life.init().isEmpty() && exit.pid() != NO_PID) {
            life.life = life.life.withInit(new InitProcess(exit.pid(), OptionalLong.empty()));
        }
        ExitSource source = isMadeUp(exit, life) ? ExitSource.ASSUMED : ExitSource.CONTAINERD;
        report(life, exit, OptionalInt.empty(), source, nanoTime);
    }

    /** A life of which nothing but its end was reported. */
    private Tracked unreported(TaskExit exit) {
        ContainerKey container = exit.container();
        LifeRef ref = new LifeRef(newId(), exit.exitedAt(), keepsAll);
        Tracked life = new Tracked(lifeOf(container, ref, exit.pid()), keepsAll, false);
        List<Tracked> others = lives(container);
        if (!others.isEmpty() && exit.exitedAt().isBefore(others.getFirst().life.createdAt())) {
            others.addFirst(life); // reported late
        } else {
            add(life);
        }
        life.oomKilled = oomKilled.remove(container) != null;
        // The exit says it all, unless the life is newer than others that are known.
        life.begun = lives(container).getFirst() == life;
        return life;
    }

    /** The life that ended with this pid; null if none that is known did. */
    private @Nullable Tracked endedBy(TaskExit exit) {
        List<Tracked> lives = lives(exit.container()).reversed();
        for (Tracked each : lives) {
            if (each.hasPid(exit.pid()) && each.exitedAt().isEmpty()) {
                return each;
            }
        }
        for (Tracked each : lives) {
            if (each.hasPid(exit.pid()) && isDouble(each, exit)) {
                return each;
            }
        }
        Tracked newest = lives.isEmpty() ? null : lives.getFirst();
        boolean fits =
                newest != null
                        && newest.life.init().isEmpty()
                        && !newest.hasRealEnd()
                        && !exit.exitedAt().isBefore(newest.life.createdAt());
        return fits ? newest : null;
    }

    /**
     * Whether it is the exit of this life once more, and not one of a life that nobody reported.
     */
    private static boolean isDouble(Tracked life, TaskExit exit) {
        Duration after = Duration.between(life.exitedAt().orElseThrow(), exit.exitedAt());
        // The kernel's report has the time when it was read, which may be late.
        boolean isByKernel =
                life.fate instanceof Fate.Ended(End end, boolean _)
                        && end.source() == ExitSource.KERNEL;
        return (after.compareTo(SAME) <= 0 && (isByKernel || after.compareTo(SAME.negated()) >= 0))
                || exit.exitStatus() == MADE_UP_KILLED
                || exit.exitStatus() == MADE_UP_UNKNOWN;
    }

    /** Without a pid containerd could not even clean up after its shim. */
    private @Nullable Tracked namelessEnd(TaskExit exit) {
        Tracked newest = newest(exit.container());
        return newest == null || exit.exitedAt().isBefore(newest.life.createdAt()) ? null : newest;
    }

    private static boolean isExecBeside(Tracked newest, TaskExit exit) {
        return newest.isOpen()
                && newest.life
                        .init()
                        .filter(it -> it.pid() != exit.pid() && it.exists())
                        .isPresent();
    }

    private void execEnded(TaskExit exit) {
        ExecKey key = keyOf(exit);
        End end = new End(exit, OptionalInt.empty(), false, ExitSource.CONTAINERD);
        Fate.Step step = execs.getOrDefault(key, new Fate.Open()).after(end, 0);
        execs.put(key, step.next());
        Optional<LifeRef> life = Optional.ofNullable(newest(exit.container())).map(Tracked::ref);
        step.published().ifPresent(it -> sink.exit(it, life));
    }

    private void report(
            Tracked life, TaskExit exit, OptionalInt signal, ExitSource source, long nanoTime) {
        Fate.Step step = life.fate.after(new End(exit, signal, life.oomKilled, source), nanoTime);
        apply(life, step);
        if (step.next() instanceof Fate.Held) {
            held.add(life);
        }
    }

    private void apply(Tracked life, Fate.Step step) {
        life.fate = step.next();
        step.published()
                .ifPresent(it -> {
                    begin(life);
                    life.seq = OptionalLong.of(sink.exit(it, Optional.of(life.ref())));
                });
        settle(life);
    }

    /** Without a pid containerd knows nothing; after a forced delete it makes the status up. */
    private static boolean isMadeUp(TaskExit exit, Tracked life) {
        boolean unknown = exit.exitStatus() == MADE_UP_UNKNOWN;
        return (unknown && exit.pid() == NO_PID)
                || ((unknown || exit.exitStatus() == MADE_UP_KILLED) && life.life.forceDeleted());
    }

    private void lose(Tracked life) {
        begin(life);
        life.fate = new Fate.Lost();
        sink.lost(life.life.container(), life.ref());
    }

    private void begin(Tracked life) {
        if (!life.begun) {
            life.begun = true;
            sink.begun(life.life.container(), life.ref(), life.life.init(), OptionalLong.empty());
        }
    }

    /** The monotonic time at which {@link #publishOverdue} has something, if anything is held. */
    OptionalLong nextDeadline() {
        while (!held.isEmpty() && !(held.peek().fate instanceof Fate.Held)) {
            held.remove();
        }
        return held.isEmpty()
                ? OptionalLong.empty()
                : OptionalLong.of(((Fate.Held) held.peek().fate).deadline());
    }

    /** Publishes what was held, and containerd has reported nothing of in time. */
    void publishOverdue(long nanoTime) {
        for (OptionalLong next = nextDeadline();
                next.isPresent() && next.getAsLong() - nanoTime <= 0;
                next = nextDeadline()) {
            publishHeld();
        }
    }

    /** Publishes all that is held; containerd reports nothing any more. */
    void publishAll() {
        while (nextDeadline().isPresent()) {
            publishHeld();
        }
    }

    private void publishHeld() {
        Tracked life = held.remove();
        apply(life, life.fate.overdue());
    }

    /** The kept lives whose end is not known. */
    List<Life> open() {
        return ofContainers.values().stream()
                .flatMap(List::stream)
                .filter(it -> it.kept && it.isOpen())
                .map(it -> it.life)
                .toList();
    }

    /** The registered lives that are over, and were not deleted. */
    List<Life> undeleted() {
        return ofContainers.values().stream()
                .flatMap(List::stream)
                .filter(it -> it.registered && !it.deleted && !it.isOpen())
                .map(it -> it.life)
                .toList();
    }

    private List<Tracked> lives(ContainerKey container) {
        return ofContainers.getOrDefault(container, List.of());
    }

    private @Nullable Tracked newest(ContainerKey container) {
        List<Tracked> lives = lives(container);
        return lives.isEmpty() ? null : lives.getLast();
    }

    private @Nullable Tracked find(ContainerKey container, String id) {
        for (Tracked each : lives(container)) {
            if (each.life.id().equals(id)) {
                return each;
            }
        }
        return null;
    }

    /** Adds a life as the container's newest: it began after all that are known. */
    private Tracked add(Tracked life) {
        Life added = life.life;
        List<Tracked> lives =
                ofContainers.computeIfAbsent(added.container(), _ -> new ArrayList<>(2));
        if (!lives.isEmpty() && !lives.getLast().life.createdAt().isBefore(added.createdAt())) {
            Instant after = lives.getLast().life.createdAt().plus(1, ChronoUnit.MICROS);
            life.life = added.withCreatedAt(after);
        }
        lives.add(life);
        if (lives.size() > REMEMBERED_OF_ONE) {
            lives.stream().filter(Tracked::isDone).findFirst().ifPresent(this::forget);
        }
        return life;
    }

    private void settle(Tracked life) {
        if (life.isDone() && find(life.life.container(), life.life.id()) != null) {
            done.putIfAbsent(life.life.id(), life);
            if (done.size() > REMEMBERED) {
                forget(done.values().iterator().next());
            }
        }
    }

    private void forget(Tracked life) {
        done.remove(life.life.id());
        List<Tracked> lives = lives(life.life.container());
        lives.remove(life);
        if (lives.isEmpty()) {
            ofContainers.remove(life.life.container());
        }
    }

    private static Life lifeOf(ContainerKey container, LifeRef ref, long pid) {
        Life life = Life.of(ref.id(), container, ref.createdAt(), Path.of(""));
        return pid == NO_PID ? life : life.withInit(new InitProcess(pid, OptionalLong.empty()));
    }

    private static boolean isUnknown(Path bundle) {
        return bundle.toString().isEmpty();
    }

    private static Path pathOf(String bundle) {
        try {
            return Path.of(bundle);
        } catch (InvalidPathException e) {
            return Path.of("");
        }
    }

    private static <K, V> Map<K, V> bounded() {
        return new LinkedHashMap<>() {
            @java.io.Serial private static final long serialVersionUID = 1L;

            @Override
            protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
                return size() > REMEMBERED;
            }
        };
    }

    private static ExecKey keyOf(TaskExit exit) {
        return new ExecKey(exit.container(), exit.id(), exit.pid());
    }

    private static String newId() {
        return UUID.randomUUID().toString();
    }
}
