package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.Life;
import io.tardis.core.registry.LifeListener;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** A listener that remembers what the shim reports, in order. */
final class FakeListener implements LifeListener {

    /** Gives the life of a container that was created unseen. */
    @FunctionalInterface
    interface Keeper {
        Life keep(ContainerKey container, Path bundle, Instant at);
    }

    private final List<Life> begun = new CopyOnWriteArrayList<>();
    private final List<Life> unregistered = new CopyOnWriteArrayList<>();
    private final List<Life> started = new CopyOnWriteArrayList<>();
    private final List<Life> lost = new CopyOnWriteArrayList<>();
    private final List<Life> deleted = new CopyOnWriteArrayList<>();
    private final List<Life> kept = new CopyOnWriteArrayList<>();
    private final Set<Life> known = ConcurrentHashMap.newKeySet();
    private final List<Instant> ends = new CopyOnWriteArrayList<>();
    private volatile Keeper keeper =
            (container, bundle, at) -> Life.of(UUID.randomUUID().toString(), container, at, bundle);

    /** From now on knows the end of this life. */
    void knowEnd(Life life) {
        known.add(life);
    }

    /** Until when each life that was kept lasted at the most. */
    List<Instant> ends() {
        return List.copyOf(ends);
    }

    /** From now on gives these lives; at first it gives new ones. */
    void keep(Keeper newKeeper) {
        keeper = newKeeper;
    }

    /** Those that the registry has. */
    List<Life> begun() {
        return begun;
    }

    /** Those that the registry could not write. */
    List<Life> unregistered() {
        return unregistered;
    }

    List<Life> started() {
        return started;
    }

    List<Life> lost() {
        return lost;
    }

    List<Life> deleted() {
        return deleted;
    }

    /** What it gave for containers that were created unseen. */
    List<Life> kept() {
        return kept;
    }

    @Override
    public void begun(Life life, boolean isRegistered) {
        (isRegistered ? begun : unregistered).add(life);
    }

    @Override
    public void started(Life life) {
        started.add(life);
    }

    @Override
    public boolean isEndKnown(Life life) {
        return known.contains(life);
    }

    @Override
    public void lost(Life life) {
        lost.add(life);
    }

    @Override
    public void deleted(Life life) {
        deleted.add(life);
    }

    @Override
    public Life keep(ContainerKey container, Path bundle, Instant at, Instant until) {
        ends.add(until);
        Life life = keeper.keep(container, bundle, at);
        kept.add(life);
        return life;
    }
}
