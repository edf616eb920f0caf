package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.TaskExit;
import java.time.Instant;

/** What one line of {@code ctr events} says. */
sealed interface CtrEvent {

    /** A container's own process ended. */
    record ContainerExit(TaskExit exit) implements CtrEvent {}

    /** A process that was exec'd in a container ended; never the container's own end. */
    record ExecExit(TaskExit exit) implements CtrEvent {}

    /**
     * A container was created, and its own process waits to be started.
     *
     * @param bundle its bundle's directory; empty where the line has none
     * @param pid 0 where the line has none
     * @param at when containerd's shim reported it, some milliseconds later
     */
    record TaskCreate(ContainerKey container, String bundle, long pid, Instant at)
            implements CtrEvent {}

    /**
     * A container's own process was started. For an exec containerd has a topic of its own.
     *
     * @param pid 0 where the line has none
     * @param at when containerd's shim reported it: some milliseconds later, and of a process that
     *     ends at once maybe after its end
     */
    record TaskStart(ContainerKey container, long pid, Instant at) implements CtrEvent {}

    /** The kernel killed a process of this container for memory. */
    record Oom(ContainerKey container) implements CtrEvent {}

    /**
     * A task was deleted, and the line repeats how it had ended. Lines without an {@code
     * exit_status} are {@link Ignored} instead: absent means 0 on an exit line, and nowhere else.
     */
    record TaskDelete(TaskExit exit) implements CtrEvent {}

    /** A line of another topic. */
    record Ignored() implements CtrEvent {}

    /**
     * Text that could not be understood; an exit may have been in it.
     *
     * @param reason one sentence, without the text itself
     */
    record Malformed(String reason) implements CtrEvent {}
}
