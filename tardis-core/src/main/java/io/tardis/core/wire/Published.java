package io.tardis.core.wire;

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
}
