package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import java.time.Instant;

/**
 * How one life ended.
 *
 * @param lifeId the life, as the registry names it; a made one for a container that is not enabled
 * @param createdAt when the life began; orders the lives of a container
 * @param event its end
 * @param newest whether the container is known to have had no life after it; counts more than the
 *     wall clock, which may have been set back since the life before
 */
record End(String lifeId, Instant createdAt, ExitEvent event, boolean newest) {

    /** An end of which only the clock tells whether it is the newest. */
    End(String lifeId, Instant createdAt, ExitEvent event) {
        this(lifeId, createdAt, event, false);
    }

    ContainerKey container() {
        return event.exit().container();
    }
}
