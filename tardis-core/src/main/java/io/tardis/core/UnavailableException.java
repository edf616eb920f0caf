package io.tardis.core;

import java.io.Serial;

/** The other side did not answer in time or broke off; the same call may work later. */
public class UnavailableException extends TardisException {

    @Serial private static final long serialVersionUID = 1L;

    public UnavailableException(String message) {
        super(message);
    }

    public UnavailableException(String message, Throwable cause) {
        super(message, cause);
    }
}
