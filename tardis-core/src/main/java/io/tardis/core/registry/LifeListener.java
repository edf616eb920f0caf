package io.tardis.core.registry;

import io.tardis.core.event.ContainerKey;
import java.nio.file.Path;
import java.time.Instant;

/** The part of the daemon that knows lives and witnesses their ends. From any thread. */
public interface LifeListener {

    /**
     * A life begins: its process is not known yet.
     *
     * @param isRegistered whether the registry has it; not where it could not be written
     */
    void begun(Life life, boolean isRegistered);

    /** A life's process is known now, and may run when this returns. */
    void started(Life life);

    /** Whether a life's end is known already, and is only to be recorded. */
    boolean isEndKnown(Life life);

    /** A life's process ran and is gone, and nobody observed how it ended. */
    void lost(Life life);

    /** A life was deleted, and is closed in the registry. */
    void deleted(Life life);

    /**
     * The life of a container that was created unseen, as far as it is known by now; it is kept
     * from now on.
     *
     * @param at when it was created
     * @param until when it was deleted, or created again; {@link Instant#MAX} if it was not
     * @throws io.tardis.core.TardisException if that cannot be had now
     */
    Life keep(ContainerKey container, Path bundle, Instant at, Instant until);
}
