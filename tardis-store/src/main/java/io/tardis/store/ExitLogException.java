package io.tardis.store;

import io.tardis.core.UnavailableException;
import java.io.Serial;
import java.util.stream.Stream;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteException;

/** The exit log could not be read or written; it may work later. */
final class ExitLogException extends UnavailableException {

    @Serial private static final long serialVersionUID = 1L;

    ExitLogException(String message) {
        super(message);
    }

    ExitLogException(String message, Throwable cause) {
        super(message, cause);
    }

    /** Whether SQLite found the file to be damaged. */
    boolean isOfDamage() {
        return isOneOf(SQLiteErrorCode.SQLITE_CORRUPT, SQLiteErrorCode.SQLITE_NOTADB);
    }

    /** Whether SQLite gave one of these reasons; the upper bits of its codes only say more. */
    boolean isOneOf(SQLiteErrorCode... reasons) {
        return getCause() instanceof SQLiteException cause
                && Stream.of(reasons)
                        .anyMatch(it -> it.code == (cause.getResultCode().code & 0xff));
    }
}
