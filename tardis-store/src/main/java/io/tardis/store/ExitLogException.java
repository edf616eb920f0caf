package io.tardis.store;

import io.tardis.core.UnavailableException;
import java.io.Serial;

/** The exit log could not be read or written; it may work later. */
final class ExitLogException extends UnavailableException {

    @Serial private static final long serialVersionUID = 1L;

    ExitLogException(String message) {
        super(message);
    }

    ExitLogException(String message, Throwable cause) {
        super(message, cause);
    }
}
