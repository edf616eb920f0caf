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
 * @param id is no other life's
 * @param container the container
 * @param createdAt when it was registered, by the wall clock
 * @param bundle its bundle's directory
 * @param init its first process, known from {@code start} on
 * @param root the runtime's whole {@code --root}: below another one the same id is another
 *     container; empty in files of the first version, which did not hold it
 * @param forceDeleted whether {@code delete --force} came before an end was known: then
 *     containerd's shim was gone, and a 137 or 255 that containerd reports afterwards is made up
 */
public record Life(
        String id,
        ContainerKey container,
        Instant createdAt,
        Path bundle,
        Optional<InitProcess> init,
        boolean forceDeleted,
        Path root) {

    /** A life whose process and root are not known yet. */
    public static Life of(String id, ContainerKey container, Instant createdAt, Path bundle) {
        return new Life(id, container, createdAt, bundle, Optional.empty(), false, Path.of(""));
    }

    /** This life, with its first process known. */
    public Life withInit(InitProcess process) {
        return new Life(id, container, createdAt, bundle, Optional.of(process), forceDeleted, root);
    }

    /** This life, after a {@code delete --force} that came before an end was known. */
    public Life withForceDeleted() {
        return new Life(id, container, createdAt, bundle, init, true, root);
    }

    /** This life, with another time of its begin. */
    public Life withCreatedAt(Instant time) {
        return new Life(id, container, time, bundle, init, forceDeleted, root);
    }

    /** This life, with its bundle known. */
    public Life withBundle(Path directory) {
        return new Life(id, container, createdAt, directory, init, forceDeleted, root);
    }

    /** This life, below a root of the runtime. */
    public Life withRoot(Path directory) {
        return new Life(id, container, createdAt, bundle, init, forceDeleted, directory);
    }

    /** Whether it is a life of the container below {@code directory}, as far as that is known. */
    public boolean isBelow(Path directory) {
        return root.toString().isEmpty() || root.equals(directory);
    }

    /** How messages name this life. */
    public LifeRef ref() {
        return new LifeRef(id, createdAt, true);
    }
}
