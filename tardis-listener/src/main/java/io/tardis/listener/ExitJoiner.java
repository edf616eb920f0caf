package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.CtrEvent.TaskDelete;
import io.tardis.core.event.CtrEvent.TaskStart;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes one exit of everything that is told about the end of a process.
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
    record Joined(TaskExit exit, OptionalInt signal, boolean oomKilled, ExitSource source) {}

    private record ProcessKey(ContainerKey container, String id, long pid) {}

    private static final Logger LOG = LoggerFactory.getLogger(ExitJoiner.class);
    private static final long NO_PID = 0;
    private static final int REMEMBERED = 20_000;

    /**
     * What containerd tells for a process whose shim is gone: 128 + SIGKILL, or 255 if even its
     * clean-up failed.
     */
    private static final long MADE_UP_KILLED = 137;

    private static final long MADE_UP_UNKNOWN = 255;

    private final Predicate<TaskExit> shimWasGone;
    private final Map<ProcessKey, TaskExit> told = bounded();

    /** The container's own end since its last start. */
    private final Map<ContainerKey, TaskExit> ended = bounded();

    private final Map<ContainerKey, Boolean> oomKilled = bounded();

    /**
     * A joiner that remembers nothing yet.
     *
     * @param shimWasGone whether containerd's shim was gone before the end of this process was
     *     known; asked only for a container's own 137 or 255
     */
    ExitJoiner(Predicate<TaskExit> shimWasGone) {
        this.shimWasGone = shimWasGone;
    }

    /** A container was started, or restarted. */
    void started(TaskStart start) {
        ContainerKey container = start.container();
        told.remove(new ProcessKey(container, container.id(), start.pid()));
        ended.remove(container);
        oomKilled.remove(container);
    }

    /** The kernel killed a process of {@code container} for memory; its exit comes next. */
    void outOfMemory(ContainerKey container) {
        oomKilled.put(container, true);
    }

    /** containerd told an exit. Empty if it was told before. */
    Optional<Joined> exited(TaskExit exit) {
        boolean own = exit.isContainerExit();
        TaskExit before =
                own && exit.pid() == NO_PID ? ended.get(exit.container()) : told.get(keyOf(exit));
        if (before != null) {
            logRepetition(before, exit);
            return Optional.empty();
        }
        told.put(keyOf(exit), exit);
        if (own) {
            ended.put(exit.container(), exit);
        }
        boolean madeUp =
                own
                        && (exit.exitStatus() == MADE_UP_KILLED
                                || exit.exitStatus() == MADE_UP_UNKNOWN)
                        && shimWasGone.test(exit);
        return Optional.of(
                new Joined(
                        exit,
                        OptionalInt.empty(),
                        own && oomKilled.remove(exit.container()) != null,
                        madeUp ? ExitSource.ASSUMED : ExitSource.CONTAINERD));
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

    private static void logRepetition(TaskExit before, TaskExit now) {
        if (before.exitStatus() != now.exitStatus()) {
            LOG.warn(
                    "{} (pid {}) ended with {}, but is now told to have ended with {}; the first stays",
                    now.container(),
                    now.pid(),
                    before.exitStatus(),
                    now.exitStatus());
        } else {
            LOG.debug("{} (pid {}) is told once more to have ended", now.container(), now.pid());
        }
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
