package io.tardis.core.wire;

import io.tardis.core.TardisException;
import java.io.Serial;

/**
 * Bytes that are no message of Tardis. The text says what is wrong with them, in a sentence that
 * may be sent to their author.
 */
public final class MalformedMessageException extends TardisException {

    @Serial private static final long serialVersionUID = 1L;

    MalformedMessageException(String message) {
        super(message);
    }

    MalformedMessageException(String message, Throwable cause) {
        super(message, cause);
    }
}
