package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Published.Begun;
import io.tardis.listener.Fate.End;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The lives that are known, by container. Those that are open, or not deleted, stay; of the others
 * the last {@value #REMEMBERED}, and {@value #REMEMBERED_OF_ONE} of each container.
 */
final class KnownLives {

    static final int REMEMBERED = 20_000;
    private static final int REMEMBERED_OF_ONE = 10;

    /** The lives of each container, the newest last. */
    private final Map<ContainerKey, List<TrackedLife>> ofContainers = new HashMap<>();

    private final Execs execs = new Execs();

    /** Those that are done, the one that was done first first. */
    private final Map<String, TrackedLife> done = new LinkedHashMap<>();

    Execs execs() {
        return execs;
    }

    /** The lives of a container, the newest last. */
    List<TrackedLife> of(ContainerKey container) {
        return ofContainers.getOrDefault(container, List.of());
    }

    Stream<TrackedLife> all() {
        return ofContainers.values().stream().flatMap(List::stream);
    }

    @Nullable TrackedLife newest(ContainerKey container) {
        List<TrackedLife> lives = of(container);
        return lives.isEmpty() ? null : lives.getLast();
    }

    /** The newest life of the container that is such a one. */
    @Nullable TrackedLife newest(ContainerKey container, Predicate<TrackedLife> which) {
        return of(container).reversed().stream().filter(which).findFirst().orElse(null);
    }

    @Nullable TrackedLife find(ContainerKey container, String id) {
        return newest(container, it -> it.life.id().equals(id));
    }

    /** The life that is known by this one's id; else this one, as the container's newest. */
    TrackedLife findOrAdd(Life life, boolean kept, boolean registered) {
        TrackedLife found = find(life.container(), life.id());
        return found != null ? found : add(new TrackedLife(life, kept, registered));
    }

    /** Adds a life as the container's newest: it began after all that are known. */
    TrackedLife add(TrackedLife life) {
        Life added = life.life;
        List<TrackedLife> lives =
                ofContainers.computeIfAbsent(added.container(), _ -> new ArrayList<>(2));
        if (!lives.isEmpty() && !lives.getLast().life.createdAt().isBefore(added.createdAt())) {
            Instant after = lives.getLast().life.createdAt().plus(1, ChronoUnit.MICROS);
            if (after.isBefore(Rfc3339.MAX)) { // else a report had a time that nobody can be after
                life.life = added.withCreatedAt(after); // the clock was set back
            }
        }
        lives.add(life);
        if (lives.size() > REMEMBERED_OF_ONE) {
            lives.stream().filter(TrackedLife::isDone).findFirst().ifPresent(this::forget);
        }
        return life;
    }

    /**
     * Adds a life of which only the end is known: as the oldest if it ended before all others
     * began, since reports may be late; else as the newest.
     */
    TrackedLife addEnded(TrackedLife life) {
        List<TrackedLife> lives = of(life.life.container());
        if (lives.isEmpty() || !life.life.createdAt().isBefore(lives.getFirst().life.createdAt())) {
            return add(life);
        }
        lives.addFirst(life);
        return life;
    }

    /** To be called when something may have become of a life. */
    void settle(TrackedLife life) {
        String id = life.life.id();
        if (!life.isDone()) {
            done.remove(id);
        } else if (find(life.life.container(), id) != null) {
            done.putIfAbsent(id, life);
            if (done.size() > REMEMBERED) {
                forget(done.values().iterator().next());
            }
        }
    }

    void forget(TrackedLife life) {
        ContainerKey container = life.life.container();
        done.remove(life.life.id());
        List<TrackedLife> lives = of(container);
        lives.remove(life);
        if (lives.isEmpty()) {
            ofContainers.remove(container);
        }
    }

    /** An exit that was published before. */
    void remember(ExitEvent event) {
        TaskExit exit = event.exit();
        if (!exit.isContainerExit()) {
            execs.remember(exit, fateOf(event));
            return;
        }
        LifeRef ref = event.life().orElseGet(() -> new LifeRef(newId(), exit.exitedAt(), false));
        TrackedLife life = findOrAdd(lifeOf(exit.container(), ref, exit.pid()), ref.kept(), false);
        life.begun = true;
        life.fate = fateOf(event);
        life.seq = OptionalLong.of(event.seq());
        settle(life);
    }

    private static Fate fateOf(ExitEvent event) {
        return new Fate.Ended(
                new End(event.exit(), event.signal(), event.oomKilled(), event.source()), false);
    }

    /** A life that was registered before, and what the store knows of it. */
    void remember(Life life, Answer.OfContainer state) {
        TrackedLife tracked = findOrAdd(life, true, true);
        tracked.life = life;
        tracked.kept = true;
        tracked.registered = true;
        tracked.begun = !(state instanceof Answer.Unknown);
        switch (state) {
            case Answer.Exited(ExitEvent event, boolean _) -> {
                tracked.fate = fateOf(event);
                tracked.seq = OptionalLong.of(event.seq());
            }
            case Answer.Lost _ -> tracked.fate = new Fate.Lost();
            case Answer.Running _, Answer.Unknown _ -> {}
        }
        settle(tracked);
    }

    /** The newest life of a container, which the store knows, and perhaps nobody else. */
    void remember(Answer.OfContainer state) {
        switch (state) {
            case Answer.Running running -> running.begun().ifPresent(it -> remember(it, false));
            case Answer.Lost lost -> lost.begun().ifPresent(it -> remember(it, true));
            case Answer.Exited exited -> remember(exited.event());
            case Answer.Unknown _ -> {}
        }
    }

    /** A life that the store knows, and perhaps nobody else. */
    void remember(Begun begun, boolean lost) {
        if (find(begun.container(), begun.life().id()) == null) {
            Life life = lifeOf(begun.container(), begun.life(), 0);
            if (begun.pid().isPresent()) {
                life = life.withInit(new InitProcess(begun.pid().getAsLong(), begun.startTime()));
            }
            TrackedLife tracked = add(new TrackedLife(life, begun.life().kept(), false));
            tracked.begun = true;
            tracked.fate = lost ? new Fate.Lost() : new Fate.Open();
            settle(tracked);
        }
    }

    /** A life of which no more than its process is known, or less. */
    static Life lifeOf(ContainerKey container, LifeRef ref, long pid) {
        Life life = Life.of(ref.id(), container, ref.createdAt(), Path.of(""));
        return pid == 0 ? life : life.withInit(new InitProcess(pid, OptionalLong.empty()));
    }

    static String newId() {
        return UUID.randomUUID().toString();
    }
}
