package io.tardis.core.event;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * What is known of a life besides its end.
 *
 * @param startedAt when its process began to run, by the wall clock; within some milliseconds
 * @param about who it was
 * @param usage what it had used when it ended
 */
public record LifeDetails(Optional<Instant> startedAt, About about, Usage usage) {

    /** Nothing is known. */
    public static final LifeDetails NONE =
            new LifeDetails(Optional.empty(), About.NOTHING, Usage.NOTHING);

    /** The same, with another time of its start. */
    public LifeDetails withStartedAt(Instant time) {
        return new LifeDetails(Optional.of(time), about, usage);
    }

    /** The same, with who it was. */
    public LifeDetails withAbout(About known) {
        return new LifeDetails(startedAt, known, usage);
    }

    /** The same, with its usage. */
    public LifeDetails withUsage(Usage known) {
        return new LifeDetails(startedAt, about, known);
    }

    /**
     * How long it ran until {@code end}; empty where that is not known, or the clock was set back
     * to before its start.
     */
    public Optional<Duration> durationUntil(Instant end) {
        return startedAt.filter(it -> !end.isBefore(it)).map(it -> Duration.between(it, end));
    }
}
