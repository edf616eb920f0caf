package io.tardis.store;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies an exit log: beside a daemon that writes it, which notices nothing, or without one. The
 * log's files stay as they are.
 */
public final class ExitLogBackup {

    private static final Logger LOG = LoggerFactory.getLogger(ExitLogBackup.class);

    private ExitLogBackup() {}

    /**
     * Writes what is recorded in {@code log} now into {@code target}. That is there as a whole, on
     * the disk, and for its owner alone, or not at all.
     *
     * @throws SetupException if there is no such log, or already a {@code target}
     * @throws TardisException if the log cannot be read, or the target not be written
     */
    public static void write(Path log, Path target) {
        if (!Files.isReadable(log) && !Files.notExists(log)) {
            throw new TardisException("cannot tell: permission denied on " + log);
        }
        if (!Files.isRegularFile(log)) {
            throw new SetupException("there is no exit log " + log);
        }
        if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            throw new SetupException(target + " exists already, and is not overwritten");
        }
        // One of its own: two may be at work for the same target.
        Path beside =
                target.resolveSibling(
                        ".%s.%d.new"
                                .formatted(target.getFileName(), ProcessHandle.current().pid()));
        try (SqliteSession session = SqliteSession.openReadOnly(log)) {
            check(session);
            session.copyTo(beside);
            try (SqliteSession copy = SqliteSession.open(beside)) {
                check(copy);
            }
            put(beside, target);
            LogFiles.forceDirectory(target);
        } catch (FileAlreadyExistsException e) {
            throw new SetupException(target + " exists already, and is not overwritten", e);
        } catch (IOException | ExitLogException e) {
            throw new TardisException(
                    "no backup of %s in %s: %s".formatted(log, target, e.getMessage()), e);
        } finally {
            LogFiles.remove(beside);
            LogFiles.remove(beside.resolveSibling(beside.getFileName() + "-journal"));
        }
    }

    private static void check(SqliteSession session) {
        String problem = ExitLogFile.problemOf(session);
        if (problem != null) {
            throw new TardisException(session.file() + ": " + problem);
        }
    }

    /** A link never overwrites, as a move may where two do it at once. */
    private static void put(Path beside, Path target) throws IOException {
        try {
            Files.createLink(target, beside);
        } catch (FileAlreadyExistsException e) {
            throw e;
        } catch (FileSystemException | UnsupportedOperationException e) {
            LOG.debug("{} has no links", target, e);
            Files.move(beside, target);
        }
    }
}
