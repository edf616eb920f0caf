package io.tardis.runc;

import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import java.time.Duration;

/** Where the shim asks how a container ended. */
@FunctionalInterface
public interface ExitCodes {

    /**
     * What is known of a life.
     *
     * @param life the life
     * @param maxWait how long to wait for an end that is not known yet
     * @throws io.tardis.core.TardisException if the store does not answer
     */
    Answer.OfContainer exitCode(Life life, Duration maxWait);
}
