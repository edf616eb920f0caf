package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import java.nio.file.Path;

/** A call of the runtime that concerns Tardis. The launcher reads it from runc's command line. */
public sealed interface RuncCall {

    /** The container. */
    ContainerKey container();

    /** The runtime's {@code --root}, absolute and normalized. */
    Path root();

    /**
     * {@code create}, or {@code restore}, which stands in for create and start.
     *
     * @param container the container
     * @param root the runtime's root
     * @param bundle the container's bundle, a directory
     */
    record Create(ContainerKey container, Path root, Path bundle) implements RuncCall {}

    /**
     * {@code start}.
     *
     * @param container the container
     * @param root the runtime's root
     */
    record Start(ContainerKey container, Path root) implements RuncCall {

        /** The runtime's directory for the container. */
        Path state() {
            return root.resolve(container.id());
        }
    }

    /**
     * {@code delete}.
     *
     * @param container the container
     * @param root the runtime's root
     * @param force whether the container may still run
     */
    record Delete(ContainerKey container, Path root, boolean force) implements RuncCall {}
}
