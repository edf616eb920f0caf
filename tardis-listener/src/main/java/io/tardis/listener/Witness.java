package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.Life;
import java.util.Optional;

/** Knows how the processes of lives ended, without containerd. Each end is given once. */
interface Witness {

    /**
     * The process of a life ended.
     *
     * @param life the life
     * @param waitStatus how its process ended, as in wait(2)
     */
    record Ended(Life life, int waitStatus) {}

    /** The end that an {@link Inbox.Signal.Reaped} is about; empty if it was taken before. */
    Optional<Ended> take(long number);

    /**
     * The end of the process with this container and pid, if it is watched and was reaped. Lives
     * are asked for by what containerd reports of them.
     */
    Optional<Ended> take(ContainerKey container, long pid);
}
