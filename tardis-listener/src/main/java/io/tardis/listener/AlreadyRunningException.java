package io.tardis.listener;

import io.tardis.core.TardisException;
import java.io.Serial;
import java.nio.file.Path;
import java.util.OptionalLong;

/** Another listener runs on the same state directory. */
public final class AlreadyRunningException extends TardisException {

    @Serial private static final long serialVersionUID = 1L;

    /**
     * Another listener runs.
     *
     * @param stateDir the state directory
     * @param pid its process, if it is known
     */
    public AlreadyRunningException(Path stateDir, OptionalLong pid) {
        super(
                "Tardis already runs on "
                        + stateDir
                        + (pid.isPresent()
                                ? " as process " + pid.getAsLong()
                                : ", in a process that is not known"));
    }
}
