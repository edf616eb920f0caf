package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import java.time.Duration;

/** Where the shim asks how a container ended. */
@FunctionalInterface
public interface ExitCodes {

    /**
     * What is known of the newest life of {@code container}.
     *
     * @param container the container
     * @param maxWait how long to wait for an end that is not known yet
     * @throws io.tardis.core.TardisException if nobody can tell
     */
    Answer.OfContainer exitCode(ContainerKey container, Duration maxWait);
}
