package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.Life;
import io.tardis.listener.CtrEvent.TaskDelete;
import io.tardis.listener.CtrEvent.TaskStart;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes one exit of everything that containerd and the kernel tell about the end of a process.
 *
 * <p>containerd may publish the same exit twice, and repeats it on {@code /tasks/delete}; after its
 * shim was killed it makes one up. The first that is told of a process wins. A process is known by
 * its container, its id and its pid; a start of the same container with the same pid makes it a new
 * one. Where containerd could not even clean up after its shim, it tells no pid: then the end of
 * the container's own process since its last start is meant. For one thread; its memory is bounded.
 */
final class ExitJoiner {

    /**
     * An exit that is to be published.
     *
     * @param exit how it ended
     * @param signal the signal, where the source knows it
     * @param oomKilled whether the kernel killed a process of the container for memory since its
     *     start
     * @param source where the status comes from
     */
    record Joined(TaskExit exit, OptionalInt signal, boolean oomKilled, ExitSource source) {
        private Joined withOomKilled(boolean outOfMemory) {
            return new Joined(exit, signal, outOfMemory, source);
        }
    }

    private record ProcessKey(ContainerKey container, String id, long pid) {}

    /**
     * What was told of a process.
     *
     * @param joined the exit that is published for it
     * @param life the life that the kernel witnessed; empty if containerd told first
     * @param byContainerd whether containerd has told it, too
     * @param disputed whether another status was reported since
     */
    private record Told(
            Joined joined, Optional<String> life, boolean byContainerd, boolean disputed) {}

    /** A death that waits for containerd's word, and until when. */
    private record Held(Joined joined, long deadline) {}

    private static final Logger LOG = LoggerFactory.getLogger(ExitJoiner.class);
    private static final long NO_PID = 0;
    private static final int SIGKILL = 9;
    private static final int SIGNAL_BASE = 128;

    /** containerd's word comes within some 100 ms of the end, if it comes. */
    private static final Duration HOLD = Duration.ofMillis(250);

    /**
     * The shim tells a start when {@code runc start} has returned, and a short process has ended by
     * then: of 50 that ran {@code true}, 7 by up to 1.2 ms (containerd 1.6.20). A pid cannot come
     * round to the same container in this time.
     */
    private static final Duration START_DELAY = Duration.ofSeconds(2);

    private static final int REMEMBERED = 20_000;

    /**
     * What containerd tells for a process whose shim is gone: 128 + SIGKILL, or 255 if even its
     * clean-up failed.
     */
    private static final long MADE_UP_KILLED = 137;

    private static final long MADE_UP_UNKNOWN = 255;

    private final Predicate<TaskExit> shimWasGone;
    private final Map<ProcessKey, Told> told = bounded();

    /** The container's own process that ended since its last start. */
    private final Map<ContainerKey, ProcessKey> ended = bounded();

    /** In the order of their deadlines. */
    private final Map<ProcessKey, Held> held = new LinkedHashMap<>();

    private final Map<ContainerKey, Boolean> oomKilled = bounded();

    /**
     * A joiner that remembers nothing yet.
     *
     * @param shimWasGone whether containerd's shim was gone before the end of this process was
     *     known; asked only for a container's own 137 or 255 with a pid
     */
    ExitJoiner(Predicate<TaskExit> shimWasGone) {
        this.shimWasGone = shimWasGone;
    }

    /** An exit that was published before this joiner was there. */
    void remember(ExitEvent event) {
        TaskExit exit = event.exit();
        Joined joined = new Joined(exit, event.signal(), event.oomKilled(), event.source());
        told.put(keyOf(exit), new Told(joined, Optional.empty(), true, false));
        if (exit.isContainerExit()) {
            ended.put(exit.container(), keyOf(exit));
        }
    }

    /**
     * A container was started, or restarted: what was told of a process that had its pid before is
     * another one's. But the end of this very process may have been told already. The kernel may be
     * faster than containerd; and after a daemon took over from another one, the start is heard
     * here whose end the other one has published.
     */
    void started(TaskStart start) {
        ContainerKey container = start.container();
        ProcessKey process = new ProcessKey(container, container.id(), start.pid());
        Told before = told.get(process);
        if (before != null && isOfThisStart(before, start)) {
            return;
        }
        told.remove(process);
        ended.remove(container);
        oomKilled.remove(container);
    }

    private static boolean isOfThisStart(Told before, TaskStart start) {
        boolean byTheKernelAlone = before.life().isPresent() && !before.byContainerd();
        Instant ended = before.joined().exit().exitedAt();
        return byTheKernelAlone || ended.isAfter(start.at().minus(START_DELAY));
    }

    /**
     * The kernel told how the process of a life ended. Empty if that is published already, and for
     * a death by SIGKILL: whether it was for want of memory only containerd tells, a moment later.
     *
     * @param waitStatus how it ended, as wait(2) tells it
     * @param at when it was seen, by the wall clock
     * @param nanoTime now, by the monotonic clock
     */
    Optional<Joined> witnessed(Life life, int waitStatus, Instant at, long nanoTime) {
        ContainerKey container = life.container();
        ProcessKey process =
                new ProcessKey(container, container.id(), life.init().orElseThrow().pid());
        int signal = waitStatus & 0x7f;
        int code = signal == 0 ? waitStatus >> 8 & 0xff : SIGNAL_BASE + signal;
        TaskExit exit = new TaskExit(container, container.id(), process.pid(), code, at);
        Told before = told.get(process);
        // Another life of the container may have had the same pid.
        boolean toldOfThisLife =
                before != null && before.life().orElse(life.id()).equals(life.id());
        if (before != null && toldOfThisLife && before.joined().source() != ExitSource.ASSUMED) {
            boolean disputed = isDisputed(before, exit, ExitSource.KERNEL);
            told.put(
                    process,
                    new Told(before.joined(), before.life(), before.byContainerd(), disputed));
            return Optional.empty();
        }
        Joined joined =
                new Joined(
                        exit,
                        signal == 0 ? OptionalInt.empty() : OptionalInt.of(signal),
                        oomKilled.remove(container) != null,
                        ExitSource.KERNEL);
        told.put(process, new Told(joined, Optional.of(life.id()), toldOfThisLife, false));
        ended.put(container, process);
        if (signal == SIGKILL && !joined.oomKilled()) {
            held.put(process, new Held(joined, nanoTime + HOLD.toNanos()));
            return Optional.empty();
        }
        return Optional.of(joined);
    }

    /** The monotonic time at which {@link #overdue} has something, if anything is held. */
    OptionalLong nextDeadline() {
        return held.values().stream().mapToLong(Held::deadline).findFirst();
    }

    /** What was held, and containerd has said nothing of in time. */
    List<Joined> overdue(long nanoTime) {
        List<Joined> late = new ArrayList<>();
        held.values()
                .removeIf(it -> {
                    boolean over = it.deadline() - nanoTime <= 0;
                    if (over) {
                        late.add(it.joined());
                    }
                    return over;
                });
        return late;
    }

    /** All that is held; containerd will not be heard any more. */
    List<Joined> drain() {
        List<Joined> all = held.values().stream().map(Held::joined).toList();
        held.clear();
        return all;
    }

    /** The kernel killed a process of {@code container} for memory; its exit comes next. */
    void outOfMemory(ContainerKey container) {
        oomKilled.put(container, true);
    }

    /** containerd told an exit. Empty if it was told before. */
    Optional<Joined> exited(TaskExit exit) {
        boolean own = exit.isContainerExit();
        boolean nameless = own && exit.pid() == NO_PID;
        ProcessKey process =
                nameless ? ended.getOrDefault(exit.container(), keyOf(exit)) : keyOf(exit);
        Told before = nameless && !ended.containsKey(exit.container()) ? null : told.get(process);
        if (before != null) {
            boolean disputed =
                    isDisputed(
                            before,
                            exit,
                            isMadeUp(exit) ? ExitSource.ASSUMED : ExitSource.CONTAINERD);
            told.put(process, new Told(before.joined(), before.life(), true, disputed));
            boolean outOfMemory = own && oomKilled.remove(exit.container()) != null;
            return Optional.ofNullable(held.remove(process))
                    .map(it -> it.joined().withOomKilled(outOfMemory));
        }
        Joined joined =
                new Joined(
                        exit,
                        OptionalInt.empty(),
                        own && oomKilled.remove(exit.container()) != null,
                        isMadeUp(exit) ? ExitSource.ASSUMED : ExitSource.CONTAINERD);
        told.put(process, new Told(joined, Optional.empty(), true, false));
        if (own) {
            ended.put(exit.container(), process);
        }
        return Optional.of(joined);
    }

    /**
     * containerd deleted a task and told its exit again. Empty if it was told before, as it should
     * have been.
     */
    Optional<Joined> deleted(TaskDelete delete) {
        ContainerKey container = delete.container();
        return exited(
                new TaskExit(
                        container,
                        container.id(),
                        delete.pid(),
                        delete.exitStatus(),
                        delete.exitedAt()));
    }

    /** Without a pid containerd could not even clean up after its shim: it knows nothing. */
    private boolean isMadeUp(TaskExit exit) {
        if (!exit.isContainerExit()) {
            return false;
        }
        boolean unknown = exit.exitStatus() == MADE_UP_UNKNOWN;
        if (unknown && exit.pid() == NO_PID) {
            return true;
        }
        return (unknown || exit.exitStatus() == MADE_UP_KILLED) && shimWasGone.test(exit);
    }

    /** Whether another status was reported than the first one, which stays; logged once. */
    private static boolean isDisputed(Told before, TaskExit now, ExitSource source) {
        Joined first = before.joined();
        if (first.exit().exitStatus() == now.exitStatus()) {
            LOG.debug("{} (pid {}) has ended already", now.container(), now.pid());
            return before.disputed();
        }
        if (!before.disputed()) {
            LOG.warn(
                    "{} (pid {}) ended with {} ({}), which stays; now {} ({}) is reported",
                    now.container(),
                    now.pid(),
                    first.exit().exitStatus(),
                    first.source().word(),
                    now.exitStatus(),
                    source.word());
        }
        return true;
    }

    private static ProcessKey keyOf(TaskExit exit) {
        return new ProcessKey(exit.container(), exit.id(), exit.pid());
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
}
