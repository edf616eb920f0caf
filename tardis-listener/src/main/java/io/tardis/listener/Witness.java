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

    /** One that watches nothing. */
    Witness NONE =
            new Witness() {
                @Override
                public Optional<Ended> take(long number) {
                    return Optional.empty();
                }

                @Override
                public Optional<Ended> take(ContainerKey container, long pid) {
                    return Optional.empty();
                }

                @Override
                public boolean isWatching(ContainerKey container, long pid) {
                    return false;
                }
            };

    /**
     * The end that an {@link Inbox.Signal.Reaped} is about; empty if it was taken before.
     *
     * @throws IllegalStateException if the kernel cannot be asked
     */
    Optional<Ended> take(long number);

    /** Whether the process with this container and pid is watched. From any thread. */
    boolean isWatching(ContainerKey container, long pid);

    /** The end of the process with this container and pid, if it is watched and was reaped. */
    Optional<Ended> take(ContainerKey container, long pid);
}
