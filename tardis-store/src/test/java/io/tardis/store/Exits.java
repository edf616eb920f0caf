package io.tardis.store;

import io.tardis.core.event.About;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.Published.Begun;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** Exits and lives for tests. */
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
                ExitSource.CONTAINERD,
                Optional.empty());
    }

    /** The same exit, once it is known that memory ran out. */
    static ExitEvent outOfMemory(long seq, ExitEvent event) {
        return new ExitEvent(
                seq,
                event.exit(),
                event.signal(),
                true,
                event.source(),
                event.life(),
                event.details());
    }

    static ExitEvent assumed(long seq, ContainerKey container, long pid, long status) {
        return event(seq, container, pid, status, ExitSource.ASSUMED);
    }

    static ExitEvent exec(long seq, ContainerKey container, long pid, long status) {
        return new ExitEvent(
                seq,
                new TaskExit(container, "shell", pid, status, AT),
                OptionalInt.empty(),
                false,
                ExitSource.CONTAINERD,
                Optional.empty());
    }

    /** A life that is kept, and began that many seconds after the others. */
    static LifeRef life(String id, long began) {
        return new LifeRef(id, AT.truncatedTo(ChronoUnit.MICROS).plusSeconds(began), true);
    }

    static LifeRef notKept(String id, long began) {
        return new LifeRef(id, life(id, began).createdAt(), false);
    }

    /** The exit that ends {@code life}. */
    static ExitEvent ofLife(LifeRef life, ExitEvent event) {
        return event.ofLife(life);
    }

    static Begun begun(LifeRef life, ContainerKey container, long pid) {
        OptionalLong none = OptionalLong.empty();
        return new Begun(0, container, life, OptionalLong.of(pid), none, none);
    }

    /** The same, with its image known. */
    static Begun ofImage(String image, Begun begun) {
        About about =
                new About(
                        Optional.empty(),
                        Optional.of(image),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        false);
        return new Begun(
                begun.lastSeq(),
                begun.container(),
                begun.life(),
                begun.pid(),
                begun.startTime(),
                begun.endedSeq(),
                begun.details().withAbout(about));
    }

    /** A life that is kept from now on, and may have ended before. */
    static Begun keptAfter(long endedSeq, LifeRef life, ContainerKey container) {
        OptionalLong none = OptionalLong.empty();
        return new Begun(0, container, life, none, none, OptionalLong.of(endedSeq));
    }

    static Published.Lost lost(LifeRef life, ContainerKey container) {
        return new Published.Lost(0, container, life);
    }

    static Recorded recorded(Published message) {
        return new Recorded(0, message);
    }

    /** For replay only. */
    static Recorded passing(ExitEvent event) {
        return new Recorded(event.seq(), new Published.Exit(event));
    }

    /** The end of the life {@code life}, which began that many seconds after the others. */
    static Recorded ending(String life, long began, ExitEvent event) {
        return passing(ofLife(life(life, began), event));
    }

    static LifeState end(String life, long began, ExitEvent event) {
        return ending(life, began, event).state().orElseThrow();
    }

    static LifeState state(Published message) {
        return recorded(message).state().orElseThrow();
    }

    private static ExitEvent event(
            long seq, ContainerKey container, long pid, long status, ExitSource source) {
        return new ExitEvent(
                seq,
                new TaskExit(container, container.id(), pid, status, AT),
                OptionalInt.empty(),
                false,
                source,
                Optional.empty());
    }
}
