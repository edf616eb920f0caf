package io.tardis.core.event;

import java.time.Instant;

/**
 * Names one life of a container. An id is used many times, and a code is the code of one life.
 *
 * @param id is no other life's
 * @param createdAt when the life began, by the wall clock, as far as that was seen
 * @param kept whether its end is stored, so that it can be asked for
 */
public record LifeRef(String id, Instant createdAt, boolean kept) {

    public LifeRef {
        if (!ContainerKey.isIdentifier(id)) {
            throw new IllegalArgumentException("not the id of a life: '" + id + "'");
        }
    }
}
