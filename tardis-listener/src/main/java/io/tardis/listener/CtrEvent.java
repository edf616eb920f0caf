package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.TaskExit;
import io.tardis.core.spec.AboutReader;
import java.nio.file.Path;
import java.time.Instant;

/** What one line of {@code ctr events} says. */
sealed interface CtrEvent {

    /**
     * A process ended, a container's own or one that was exec'd in it; or a task was deleted, and
     * the line repeats how it had ended. Deletes without an {@code exit_status} are {@link Ignored}
     * instead: absent means 0 on an exit line, and nowhere else.
     */
    record Exit(TaskExit exit) implements CtrEvent {}

    /**
     * A container's own process was created, and waits to be started; or it was started. For an
     * exec containerd has a topic of its own.
     *
     * @param bundle its bundle's directory; empty where the line has none, as that of a start
     * @param pid 0 where the line has none
     * @param at when containerd's shim reported it: some milliseconds later, and of a process that
     *     ends at once maybe after its end
     */
    record TaskProcess(ContainerKey container, Path bundle, long pid, Instant at, boolean isStart)
            implements CtrEvent {}

    /** The kernel killed a process of this container for memory. */
    record Oom(ContainerKey container) implements CtrEvent {}

    /**
     * A container was created, which is before its task is; or it was deleted.
     *
     * @param image as whoever created it named it; empty if it has none, or was deleted. No more of
     *     it than {@link AboutReader#MAX_VALUE} characters
     */
    record Container(ContainerKey container, String image) implements CtrEvent {}

    /** A line of another topic. */
    record Ignored() implements CtrEvent {}

    /**
     * Text that could not be understood; an exit may have been in it.
     *
     * @param reason one sentence, without the text itself
     */
    record Malformed(String reason) implements CtrEvent {}
}
