package io.tardis.core.registry;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.TaskExit;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;

/**
 * One life of a Tardis-enabled container, from {@code create} to {@code delete}. The same id can
 * live many times, and a code is the code of one life.
 *
 * @param id tells this life from every other
 * @param container the container
 * @param createdAt when it was registered, by the wall clock
 * @param bundle its bundle's directory
 * @param init its first process, known from {@code start} on
 * @param forceDeleted whether {@code delete --force} came before an end was known: then
 *     containerd's shim was gone, and a 137 or 255 that containerd tells afterwards is made up
 * @param lost whether its process is gone, and nobody could observe how it ended
 */
public record Life(
        String id,
        ContainerKey container,
        Instant createdAt,
        Path bundle,
        Optional<InitProcess> init,
        boolean forceDeleted,
        boolean lost) {

    /** This life, with its first process known. */
    public Life withInit(InitProcess process) {
        return new Life(id, container, createdAt, bundle, Optional.of(process), forceDeleted, lost);
    }

    /** This life, after a {@code delete --force} that came before an end was known. */
    public Life withForceDeleted() {
        return new Life(id, container, createdAt, bundle, init, true, lost);
    }

    /** This life, after its process went unobserved. */
    public Life withLost() {
        return new Life(id, container, createdAt, bundle, init, forceDeleted, true);
    }

    /**
     * Whether {@code exit} is the end of this life. The pid tells where both know it. Where one
     * does not (the life was never started, or containerd made the exit up), an exit at or after
     * the life's beginning is taken for its end.
     */
    public boolean endsWith(TaskExit exit) {
        if (!exit.container().equals(container) || !exit.isContainerExit()) {
            return false;
        }
        if (init.isPresent() && exit.pid() != 0) {
            return init.get().pid() == exit.pid();
        }
        return !exit.exitedAt().isBefore(createdAt);
    }
}
