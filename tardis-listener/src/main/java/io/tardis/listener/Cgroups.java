package io.tardis.listener;

import io.tardis.core.event.Usage;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The cgroups of the lives that are open. The runtime removes a cgroup some 10 ms after the end, so
 * it is read as soon as anything reports that, by whoever hears it first. From any thread.
 */
final class Cgroups {

    /**
     * A cgroup.
     *
     * @param hadGroups whether it had groups below at some time
     * @param usage what it said when its life had ended
     */
    private record Measured(Cgroup cgroup, boolean hadGroups, @Nullable Usage usage) {
        private Measured now() {
            return new Measured(cgroup, hadGroups, cgroup.usage(hadGroups));
        }
    }

    /** By the lives' ids. */
    private final Map<String, Measured> ofLives = new ConcurrentHashMap<>();

    /**
     * Finds the cgroup of a life's process, if it is there.
     *
     * @param runs whether it runs already: what its cgroup has counted was all its own
     */
    void find(Life life, boolean runs) {
        if (life.init().isEmpty() || ofLives.containsKey(life.id())) {
            return;
        }
        InitProcess init = life.init().get();
        Optional<Cgroup> found =
                runs
                        ? Cgroup.ofRunning(life.container(), init.pid())
                        : Cgroup.of(life.container(), init.pid());
        // Looked at afterwards: the pid may have been another process's by then.
        if (found.isPresent() && init.exists()) {
            add(life, found);
        }
    }

    /** The cgroup of a life's process was found before. */
    void add(Life life, Optional<Cgroup> cgroup) {
        cgroup.ifPresent(it -> ofLives.putIfAbsent(life.id(), new Measured(it, false, null)));
    }

    /** The life has ended just now. */
    void measure(Life life) {
        ofLives.computeIfPresent(life.id(), (_, it) -> it.now());
    }

    /**
     * The kernel killed a process of the life for memory: it may have been in a group that is
     * removed before the life ends.
     */
    void outOfMemory(Life life) {
        ofLives.computeIfPresent(
                life.id(),
                (_, it) ->
                        new Measured(
                                it.cgroup(),
                                it.hadGroups() || it.cgroup().hasUncountedGroups(),
                                it.usage()));
    }

    /** What the life had used. Nothing is left of it then. */
    Usage take(Life life) {
        Measured taken = ofLives.remove(life.id());
        if (taken == null) {
            return Usage.NOTHING;
        }
        Usage usage = taken.usage() != null ? taken.usage() : taken.now().usage();
        return Objects.requireNonNull(usage);
    }
}
