package io.tardis.cli;

import io.tardis.core.TardisException;
import java.io.Serial;

/** A name on the command line stands for several containers; the message lists them. */
final class AmbiguousNameException extends TardisException {

    @Serial private static final long serialVersionUID = 1L;

    AmbiguousNameException(String message) {
        super(message);
    }
}
