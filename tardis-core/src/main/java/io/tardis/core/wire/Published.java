package io.tardis.core.wire;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import java.time.Instant;

/** The second frame of a published message. */
public sealed interface Published {

    /** An exit. */
    record Exit(ExitEvent event) implements Published {}

    /**
     * A sign of life.
     *
     * @param lastSeq the number of the last exit that was published; a subscriber that has not seen
     *     it asks for a replay
     * @param at when it was sent
     */
    record Heartbeat(long lastSeq, Instant at) implements Published {}

    /**
     * Events may have been missed between the two times.
     *
     * @param lastSeq the number of the last exit that was published
     * @param from when events were last known to be heard
     * @param to when they were heard again
     * @param reason why, in a sentence
     */
    record Gap(long lastSeq, Instant from, Instant to, String reason) implements Published {}

    /**
     * A life is over, and nobody can tell how it ended: its code is not 0, and not any other
     * number. A late word of containerd may still be published as its exit.
     *
     * @param lastSeq the number of the last exit that was published
     * @param container the container
     * @param life which of its lives
     */
    record Lost(long lastSeq, ContainerKey container, String life) implements Published {}
}
