package io.tardis.core.client;

import io.tardis.core.TardisException;
import java.io.Serial;

/**
 * The daemon cannot answer now, because its log cannot be read or too much is asked; the same
 * question may work later.
 */
final class RefusedForNowException extends TardisException {

    @Serial private static final long serialVersionUID = 1L;

    RefusedForNowException(String message) {
        super(message);
    }
}
