package io.tardis.store;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.SQLException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Writes all that a session can read into a new file, which is whole and on the disk afterwards: in
 * a thread of its own, since a log of gigabytes takes a minute. Meanwhile the session belongs to
 * that thread.
 */
final class LogCopy {

    private final Thread thread;
    private @Nullable Exception failure;

    private LogCopy(SqliteSession session, Path target) {
        this.thread =
                new Thread(
                        () -> {
                            try {
                                write(session, target);
                            } catch (IOException | SQLException | ExitLogException e) {
                                failure = e;
                            }
                        },
                        "tardis-store-copy");
        thread.setDaemon(true);
    }

    /** Begins. */
    static LogCopy start(SqliteSession session, Path target) {
        LogCopy copy = new LogCopy(session, target);
        copy.thread.start();
        return copy;
    }

    /**
     * Waits for the end.
     *
     * @return whether it has ended
     */
    boolean await(Duration patience) {
        try {
            return thread.join(patience);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Why there is no copy; null if there is one. To be asked after the end. */
    @Nullable Exception failure() {
        return failure;
    }

    /** Replaces {@code target}, for its owner's eyes only. */
    static void write(SqliteSession session, Path target) throws IOException, SQLException {
        Files.deleteIfExists(target);
        // SQLite fills an empty file, and would make one that everybody can read.
        Files.createFile(
                target,
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        session.closeStatements();
        session.execute("VACUUM INTO ?", statement -> statement.setString(1, target.toString()));
        try (FileChannel file = FileChannel.open(target, StandardOpenOption.WRITE)) {
            file.force(true);
        }
    }
}
