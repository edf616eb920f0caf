package io.tardis.core;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * The root of Tardis's exceptions. Its subclasses say what the caller can do: {@link
 * SetupException} asks somebody to mend the setup, {@link UnavailableException} may be tried again.
 * A plain one means: give up.
 */
public class TardisException extends RuntimeException {

    @Serial private static final long serialVersionUID = 1L;

    public TardisException(String message) {
        super(message);
    }

    public TardisException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
