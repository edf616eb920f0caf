package io.tardis.cli;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.core.wire.Answer;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalInt;

/** Exits for tests. */
final class Events {

    static final ContainerKey TC = new ContainerKey("default", "tc");
    static final Instant TIME = Instant.parse("2025-04-04T19:10:59.78307293Z");

    private Events() {}

    static ExitEvent exit(long seq, ContainerKey container, long status) {
        return new ExitEvent(
                seq,
                new TaskExit(container, container.id(), 6615, status, TIME),
                OptionalInt.empty(),
                false,
                ExitSource.CONTAINERD,
                Optional.empty());
    }

    static ExitEvent killed(long seq, ContainerKey container) {
        return new ExitEvent(
                seq,
                new TaskExit(container, container.id(), 6615, 137, TIME),
                OptionalInt.of(9),
                true,
                ExitSource.KERNEL,
                Optional.empty());
    }

    static ExitEvent exec(long seq, ContainerKey container, String id, long status) {
        return new ExitEvent(
                seq,
                new TaskExit(container, id, 6616, status, TIME),
                OptionalInt.empty(),
                false,
                ExitSource.CONTAINERD,
                Optional.empty());
    }

    static Answer.OfContainer exited(ContainerKey container, long status) {
        return new Answer.Exited(exit(1, container, status), true);
    }
}
