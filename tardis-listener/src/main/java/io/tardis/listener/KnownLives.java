package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.Life;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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

    /** Those that are done, the one that was done first first. */
    private final Map<String, TrackedLife> done = new LinkedHashMap<>();

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

    /** Adds a life as the container's newest: it began after all that are known. */
    TrackedLife add(TrackedLife life) {
        Life added = life.life;
        List<TrackedLife> lives =
                ofContainers.computeIfAbsent(added.container(), _ -> new ArrayList<>(2));
        if (!lives.isEmpty() && !lives.getLast().life.createdAt().isBefore(added.createdAt())) {
            Instant after = lives.getLast().life.createdAt().plus(1, ChronoUnit.MICROS);
            life.life = added.withCreatedAt(after); // the clock was set back
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
}
