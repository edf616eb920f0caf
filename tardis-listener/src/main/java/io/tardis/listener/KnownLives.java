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
import io.tardis.listener.CtrEvent.TaskProcess;
import io.tardis.listener.Fate.End;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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

    /** Of a process that a report does not name. */
    static final long NO_PID = 0;

    static final int REMEMBERED = 20_000;
    private static final int REMEMBERED_OF_ONE = 10;

    /** The lives of each container, the newest last. */
    private final Map<ContainerKey, List<TrackedLife>> ofContainers = new HashMap<>();

    final Execs execs = new Execs();

    /** Lives that were over in a version that kept such, and whose end the store does not have. */
    final List<Life> lost = new ArrayList<>();

    /** Those that are done, the one that was done first first. */
    private final Map<String, TrackedLife> done = new LinkedHashMap<>();

    /** The lives of a container, the newest last. */
    List<TrackedLife> of(ContainerKey container) {
        return ofContainers.getOrDefault(container, List.of());
    }

    Stream<TrackedLife> all() {
        return ofContainers.values().stream().flatMap(List::stream);
    }

    /** The kept lives whose end is not known. */
    List<Life> open() {
        return all().filter(it -> it.kept && it.isOpen()).map(it -> it.life).toList();
    }

    /** How many {@link #open} has. */
    long countOpen() {
        return all().filter(it -> it.kept && it.isOpen()).count();
    }

    /** The registered lives that are over, and were not deleted. */
    List<Life> undeleted() {
        return all().filter(it -> it.registered && !it.deleted && !it.isOpen())
                .map(it -> it.life)
                .toList();
    }

    /** The lives of the same container that began after this one. */
    Stream<TrackedLife> after(TrackedLife life) {
        return of(life.life.container()).stream().dropWhile(it -> it != life).skip(1);
    }

    @Nullable TrackedLife newest(ContainerKey container) {
        return newest(container, _ -> true);
    }

    /** The newest life of the container that is such a one. */
    @Nullable TrackedLife newest(ContainerKey container, Predicate<TrackedLife> which) {
        return of(container).reversed().stream().filter(which).findFirst().orElse(null);
    }

    /** The life that an exit ends, or has ended; null if none that is known does. */
    @Nullable TrackedLife endedBy(TaskExit exit) {
        ContainerKey container = exit.container();
        TrackedLife newest = newest(container);
        if (newest == null) {
            return null;
        }
        if (exit.pid() == NO_PID) {
            // containerd could not even clean up after its shim.
            return exit.exitedAt().isBefore(newest.life.createdAt()) ? null : newest;
        }
        TrackedLife life = newest(container, it -> it.awaitsEndOf(exit.pid()));
        if (life == null) {
            life = newest(container, it -> it.hasEndedWith(exit));
        }
        return life == null && newest.mayEndWith(exit) ? newest : life;
    }

    /**
     * Whether more is known of a container that was found by its bundle: how this process ended, or
     * that another one runs.
     *
     * @param process without its start time if it is gone
     */
    boolean isBetterKnown(TaskProcess found, InitProcess process) {
        TrackedLife newest = newest(found.container());
        return newest != null
                && (newest.runsBeside(found.pid())
                        || (!newest.isOpen()
                                && newest.hasPid(found.pid())
                                && process.startTime().isEmpty()));
    }

    /** The life that is known by this one's id. */
    @Nullable TrackedLife find(Life life) {
        return newest(life.container(), it -> it.life.id().equals(life.id()));
    }

    /** The life that is known by this one's id; else this one, as the container's newest. */
    TrackedLife findOrAdd(TrackedLife life) {
        TrackedLife found = find(life.life);
        return found != null ? found : add(life);
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
        } else if (find(life.life) != null) {
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
        if (event.exit().isContainerExit()) {
            remember(new Answer.Exited(event, true));
        } else {
            execs.remember(event.exit(), fateOf(event));
        }
    }

    /** What the store knows of a life, and perhaps nobody else. */
    void remember(Answer.OfContainer state) {
        lifeOf(state).ifPresent(it -> remember(findOrAdd(it), state));
    }

    /** A life that was registered before, and what the store knows of it. */
    void remember(Life life, Answer.OfContainer state) {
        TrackedLife tracked = findOrAdd(new TrackedLife(life, true, true));
        tracked.life = life;
        tracked.kept = true;
        tracked.registered = true;
        remember(tracked, state);
    }

    private void remember(TrackedLife tracked, Answer.OfContainer state) {
        tracked.begun = !(state instanceof Answer.Unknown);
        if (state instanceof Answer.Exited(ExitEvent event, _)) {
            tracked.fate = fateOf(event);
            tracked.seq = OptionalLong.of(event.seq());
        } else if (state instanceof Answer.Lost) {
            tracked.fate = new Fate.Lost();
        } else if (state instanceof Answer.Running(_, Optional<Begun> begun)) {
            begun.ifPresent(it -> tracked.details = it.details());
        }
        settle(tracked);
    }

    private static Fate fateOf(ExitEvent event) {
        return new Fate.Ended(
                new End(event.exit(), event.signal(), event.oomKilled(), event.source(), 0), false);
    }

    /** The life that an answer of the store is about, if it names one. */
    static Optional<TrackedLife> lifeOf(Answer.OfContainer state) {
        return switch (state) {
            case Answer.Running(_, Optional<Begun> begun) -> begun.map(KnownLives::lifeOf);
            case Answer.Lost(_, Optional<Begun> begun) -> begun.map(KnownLives::lifeOf);
            case Answer.Exited(ExitEvent event, _) ->
                    event.life()
                            .map(it -> lifeOf(it, event.exit()))
                            .or(() -> Optional.of(newLife(event.exit(), false)));
            case Answer.Unknown _ -> Optional.empty();
        };
    }

    private static TrackedLife lifeOf(Begun begun) {
        return lifeOf(
                begun.life(), begun.container(), begun.pid().orElse(NO_PID), begun.startTime());
    }

    /** A life of which nothing but its end was reported. */
    static TrackedLife newLife(TaskExit exit, boolean kept) {
        return lifeOf(new LifeRef(UUID.randomUUID().toString(), exit.exitedAt(), kept), exit);
    }

    private static TrackedLife lifeOf(LifeRef ref, TaskExit exit) {
        return lifeOf(ref, exit.container(), exit.pid(), OptionalLong.empty());
    }

    private static TrackedLife lifeOf(
            LifeRef ref, ContainerKey container, long pid, OptionalLong startTime) {
        Life life = Life.of(ref.id(), container, ref.createdAt(), Path.of(""));
        return new TrackedLife(
                pid == NO_PID ? life : life.withInit(new InitProcess(pid, startTime)),
                ref.kept(),
                false);
    }

    /** A life that began with the create or start of its process. */
    static TrackedLife newLife(ContainerKey container, Instant at, Path bundle, boolean kept) {
        return new TrackedLife(
                Life.of(UUID.randomUUID().toString(), container, at, bundle), kept, false);
    }
}
