package io.tardis.core.wire;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.LifeRef;
import java.time.Instant;
import java.util.OptionalLong;

/** The second frame of a published message. */
public sealed interface Published {

    /** The number of the last exit that was published, this one included. */
    long lastSeq();

    /** An exit. */
    record Exit(ExitEvent event) implements Published {
        @Override
        public long lastSeq() {
            return event.seq();
        }
    }

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
     * A life has begun: its process is known, or its end is what is known of it first. It comes
     * before the life's exit. It may be published again, with the same life, after a restart of the
     * daemon.
     *
     * @param lastSeq the number of the last exit that was published
     * @param container the container
     * @param life which of its lives
     * @param pid its first process, in the host's pid namespace; empty if that is not known
     * @param startTime when that was started, in clock ticks since the boot; empty if it is not
     *     known
     * @param endedSeq the number of its exit, where that was published before it was known that the
     *     life is to be kept
     * @param details what else is known of the life, without its usage
     */
    record Begun(
            long lastSeq,
            ContainerKey container,
            LifeRef life,
            OptionalLong pid,
            OptionalLong startTime,
            OptionalLong endedSeq,
            LifeDetails details)
            implements Published {

        /** A begin of which no more is known. */
        public Begun(
                long lastSeq,
                ContainerKey container,
                LifeRef life,
                OptionalLong pid,
                OptionalLong startTime,
                OptionalLong endedSeq) {
            this(lastSeq, container, life, pid, startTime, endedSeq, LifeDetails.NONE);
        }

        /** The same begin, of another life. */
        public Begun ofLife(LifeRef other) {
            return new Begun(lastSeq, container, other, pid, startTime, endedSeq, details);
        }
    }

    /**
     * A life is over, and nobody observed how it ended: its code is not 0, and not any other
     * number. A late report of containerd may still be published as its exit.
     *
     * @param lastSeq the number of the last exit that was published
     * @param container the container
     * @param life which of its lives
     */
    record Lost(long lastSeq, ContainerKey container, LifeRef life) implements Published {}
}
