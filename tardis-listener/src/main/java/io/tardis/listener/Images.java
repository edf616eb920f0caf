package io.tardis.listener;

import io.tardis.core.event.ContainerKey;

/**
 * The images of the containers that exist, as {@code ctr} and others named them when they created
 * them. A container keeps its image until it is deleted: it may have one task after the other. For
 * one thread.
 */
final class Images {

    private final BoundedMap<ContainerKey, String> images = new BoundedMap<>(KnownLives.REMEMBERED);

    /** A container was created or deleted. */
    void note(CtrEvent.Container event) {
        if (event.image().isEmpty()) {
            images.remove(event.container());
        } else {
            images.put(event.container(), event.image());
        }
    }

    /** The container's image; empty if it is not known. */
    String of(ContainerKey container) {
        return images.getOrDefault(container, "");
    }

    /** Events were missed: a container of one of these names may be another one by now. */
    void forgetAll() {
        images.clear();
    }
}
