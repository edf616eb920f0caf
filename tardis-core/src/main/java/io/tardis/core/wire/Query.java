package io.tardis.core.wire;

import io.tardis.core.event.ContainerKey;
import java.time.Duration;
import java.util.Optional;

/** What a client can ask. */
public sealed interface Query {

    /**
     * How did a life of the container end?
     *
     * @param container the container
     * @param life the id of one of its lives; empty for the newest that is known
     * @param maxWait how long to wait for the end of a life that is still open; zero for an answer
     *     at once
     */
    record ExitCode(ContainerKey container, Optional<String> life, Duration maxWait)
            implements Query {}

    /**
     * Which exits were there?
     *
     * @param after only exits with a greater number
     * @param limit how many at the most
     */
    record Replay(long after, int limit) implements Query {}

    /**
     * Which containers are known?
     *
     * @param namespace only those of this namespace, or of all
     * @param limit how many at the most
     */
    record ListContainers(Optional<String> namespace, int limit) implements Query {}

    /** What was counted and measured? */
    record AskFigures() implements Query {}

    /** Is anybody there? */
    record Ping() implements Query {}
}
