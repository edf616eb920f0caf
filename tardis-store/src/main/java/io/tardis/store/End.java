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
 */
record End(String lifeId, Instant createdAt, ExitEvent event) {

    ContainerKey container() {
        return event.exit().container();
    }
}
