package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.OptionalInt;

/** Exits and ends for tests. */
final class Exits {

    static final ContainerKey TC = new ContainerKey("default", "tc");
    static final Instant AT = Instant.parse("2026-11-23T06:51:23.418123456Z");

    private Exits() {}

    static ContainerKey container(String id) {
        return new ContainerKey("default", id);
    }

    static ExitEvent exit(long seq, ContainerKey container, long pid, long status) {
        return event(seq, container, pid, status, ExitSource.CONTAINERD);
    }

    /** An exit so many seconds after the others. */
    static ExitEvent exitAfter(long seconds, long seq, ContainerKey container) {
        return new ExitEvent(
                seq,
                new TaskExit(container, container.id(), 1, 0, AT.plusSeconds(seconds)),
                OptionalInt.empty(),
                false,
                ExitSource.CONTAINERD);
    }

    static ExitEvent madeUp(long seq, ContainerKey container, long pid, long status) {
        return event(seq, container, pid, status, ExitSource.ASSUMED);
    }

    static ExitEvent exec(long seq, ContainerKey container, long pid, long status) {
        return new ExitEvent(
                seq,
                new TaskExit(container, "shell", pid, status, AT),
                OptionalInt.empty(),
                false,
                ExitSource.CONTAINERD);
    }

    /** For replay only. */
    static Recorded passing(ExitEvent event) {
        return new Recorded(event, Optional.empty());
    }

    /** The end of the life {@code life}, which began that many seconds after the others. */
    static Recorded ending(String life, long began, ExitEvent event) {
        return new Recorded(event, Optional.of(end(life, began, event)));
    }

    static End end(String life, long began, ExitEvent event) {
        return new End(life, AT.truncatedTo(ChronoUnit.MICROS).plusSeconds(began), event);
    }

    private static ExitEvent event(
            long seq, ContainerKey container, long pid, long status, ExitSource source) {
        return new ExitEvent(
                seq,
                new TaskExit(container, container.id(), pid, status, AT),
                OptionalInt.empty(),
                false,
                source);
    }
}
