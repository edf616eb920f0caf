package io.tardis.listener;

import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.LifeRef;
import io.tardis.listener.Fate.End;
import java.util.Optional;
import java.util.OptionalLong;

/** Receives what is to be published, in order. */
interface LifeSink {
    /** A life has begun; again with {@code endedSeq}, where it is to be kept after all. */
    void begun(TrackedLife life, OptionalLong endedSeq);

    /**
     * A process ended.
     *
     * @param life the life that it ends, or that an exec'd process ran in
     * @param details what else is known of the life that it ends
     * @param corrects whether that end was published before, and more is known of it now
     * @return the number of the exit
     */
    long exit(End end, Optional<LifeRef> life, LifeDetails details, boolean corrects);

    /** A life is over whose end nobody observed. */
    void lost(TrackedLife life);
}
