package io.tardis.core.registry;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.LifeRef;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;

/**
 * One life of a container, from {@code create} to {@code delete}. The same id can live many times,
 * and a code is the code of one life.
 *
 * @param id tells this life from every other
 * @param container the container
 * @param createdAt when it was registered, by the wall clock
 * @param bundle its bundle's directory
 * @param init its first process, known from {@code start} on
 * @param forceDeleted whether {@code delete --force} came before an end was known: then
 *     containerd's shim was gone, and a 137 or 255 that containerd reports afterwards is made up
 */
public record Life(
        String id,
        ContainerKey container,
        Instant createdAt,
        Path bundle,
        Optional<InitProcess> init,
        boolean forceDeleted) {

    /** A life whose process is not known yet. */
    public static Life of(String id, ContainerKey container, Instant createdAt, Path bundle) {
        return new Life(id, container, createdAt, bundle, Optional.empty(), false);
    }

    /** This life, with its first process known. */
    public Life withInit(InitProcess process) {
        return new Life(id, container, createdAt, bundle, Optional.of(process), forceDeleted);
    }

    /** This life, after a {@code delete --force} that came before an end was known. */
    public Life withForceDeleted() {
        return new Life(id, container, createdAt, bundle, init, true);
    }

    /** How messages name this life. */
    public LifeRef ref() {
        return new LifeRef(id, createdAt, true);
    }
}
