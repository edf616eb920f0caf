package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.Life;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalInt;

/** Knows how the processes of lives ended, without containerd. Each end is given once. */
interface Witness {

    /**
     * The process of a life ended.
     *
     * @param life the life
     * @param waitStatus how its process ended, as in wait(2)
     */
    record Ended(Life life, int waitStatus) {
        /** The signal that ended the process, if one did. */
        OptionalInt signal() {
            int signal = waitStatus & 0x7f;
            return signal == 0 ? OptionalInt.empty() : OptionalInt.of(signal);
        }

        /** As containerd reports it: a signal's code is 128 more. */
        TaskExit exit(Instant at) {
            ContainerKey container = life.container();
            long pid = life.init().orElseThrow().pid();
            int code = signal().isPresent() ? 128 + signal().getAsInt() : waitStatus >> 8 & 0xff;
            return new TaskExit(container, container.id(), pid, code, at);
        }
    }

    /** The end that an {@link Inbox.Signal.Reaped} is about; empty if it was taken before. */
    Optional<Ended> take(long number);

    /**
     * The end of the process with this container and pid, if it is watched and was reaped. Lives
     * are asked for by what containerd reports of them.
     */
    Optional<Ended> take(ContainerKey container, long pid);
}
