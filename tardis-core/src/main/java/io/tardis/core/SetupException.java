package io.tardis.core;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** Something in the setup must be mended before this can work: a setting, a file, a permission. */
public class SetupException extends TardisException {

    @Serial private static final long serialVersionUID = 1L;

    public SetupException(String message) {
        super(message);
    }

    public SetupException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
