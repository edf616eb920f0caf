package io.tardis.store;

import static org.sqlite.SQLiteErrorCode.SQLITE_BUSY;
import static org.sqlite.SQLiteErrorCode.SQLITE_CORRUPT;
import static org.sqlite.SQLiteErrorCode.SQLITE_ERROR;
import static org.sqlite.SQLiteErrorCode.SQLITE_FORMAT;
import static org.sqlite.SQLiteErrorCode.SQLITE_INTERNAL;
import static org.sqlite.SQLiteErrorCode.SQLITE_NOTADB;
import static org.sqlite.SQLiteErrorCode.SQLITE_READONLY;
import static org.sqlite.SQLiteErrorCode.SQLITE_TOOBIG;

import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file of an exit log, before anything is read from it or written: whether it is one, what is
 * done with one that is not. {@link ExitLogSchema} makes its tables.
 */
final class ExitLogFile {

    private static final Logger LOG = LoggerFactory.getLogger(ExitLogFile.class);
    static final int APPLICATION_ID = 0x54415244;
    static final int VERSION = 2;

    /** How long the start may be delayed by looking for damage. */
    private static final Duration CHECK_TIME = Duration.ofMillis(500);

    private ExitLogFile() {}

    /**
     * Opens the file for writing, and makes it if there is none. One that is torn, damaged, foreign
     * or of a newer version is set aside under another name, and logged.
     *
     * @throws SetupException if there can be no log at this place
     */
    static SqliteSession openForWriting(Path file, InstantSource clock) {
        try {
            if (Files.exists(file) && !Files.isRegularFile(file)) {
                throw new IOException("it is not a file; move it away");
            }
            String problem = Files.exists(file) ? problemOf(file) : null;
            if (problem != null) {
                Path aside = LogFiles.setAside(file, clock.instant());
                LOG.error(
                        "{} was set aside as {}, and a new exit log begun: {}",
                        file,
                        aside,
                        problem);
            }
            Files.deleteIfExists(damageNote(file));
            SqliteSession session = openForReading(file);
            try {
                ExitLogSchema.apply(session);
                LogFiles.forceDirectory(file);
                return session;
            } catch (IOException | ExitLogException e) {
                session.close();
                throw e;
            }
        } catch (IOException | ExitLogException e) {
            throw new SetupException(
                    "the exit log " + file + " cannot be opened: " + e.getMessage(), e);
        }
    }

    /**
     * Makes sure that the file could be opened for writing now: that no other program keeps it.
     *
     * @throws SetupException if it could not
     */
    static void rehearse(Path file) {
        if (!Files.exists(file)) {
            return;
        }
        try (SqliteSession session = SqliteSession.open(file)) {
            tryToWrite(session);
        } catch (ExitLogException e) {
            if (e.isOneOf(SQLITE_BUSY)) {
                throw new SetupException(
                        "the exit log " + file + " cannot be written: another program keeps it", e);
            }
            LOG.debug("{} cannot be tried; who opens it sets it aside", file, e);
        }
    }

    /** Of a file that SQLite takes for read-only, BEGIN IMMEDIATE alone only reads. */
    private static void tryToWrite(SqliteSession session) {
        session.execute("BEGIN IMMEDIATE; PRAGMA user_version = " + VERSION);
        session.execute("ROLLBACK");
    }

    /**
     * Notes that the file was found to be damaged while it was in use. The next {@link
     * #openForWriting} sets it aside, whatever its own look at the file finds.
     */
    static void noteDamage(Path file, String damage) {
        LOG.error(
                "{} is damaged; what it does not take is kept in memory, and the next start sets it aside: {}",
                file,
                damage);
        try {
            Files.writeString(damageNote(file), damage);
        } catch (IOException e) {
            LOG.error("that {} is damaged cannot be noted beside it", file, e);
        }
    }

    /**
     * Opens a file that was opened for writing before, for looking up.
     *
     * @throws SetupException if it cannot be opened
     */
    static SqliteSession openForReading(Path file) {
        SqliteSession session = null;
        try {
            session = SqliteSession.open(file);
            // The first is for a new file, before anything is in it.
            session.execute(
                    "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
            return session;
        } catch (ExitLogException e) {
            if (session != null) {
                session.close();
            }
            throw new SetupException(
                    "the exit log " + file + " cannot be opened: " + e.getMessage(), e);
        }
    }

    /** Why {@code file} cannot be used, or null if it can. */
    private static @Nullable String problemOf(Path file) throws IOException {
        if (Files.exists(damageNote(file))) {
            return "it was found to be damaged: " + Files.readString(damageNote(file));
        }
        try (SqliteSession session = SqliteSession.open(file)) {
            // SQLite makes the file before the tables come: a start that was killed in between.
            String problem =
                    session.number("SELECT count(*) FROM sqlite_master") == 0
                            ? null
                            : problemOf(session);
            if (problem == null) {
                tryToWrite(session);
            }
            return problem;
        } catch (ExitLogException e) {
            // SQLite calls a spoiled byte of the header a mere error, for instance, or says that
            // the file cannot be written, and such a file would end every start. Any other reason
            // is not in the file, but around it.
            boolean isReadOnly = e.isOneOf(SQLITE_READONLY) && Files.isWritable(file);
            if (isReadOnly
                    || e.isOneOf(
                            SQLITE_ERROR,
                            SQLITE_INTERNAL,
                            SQLITE_CORRUPT,
                            SQLITE_TOOBIG,
                            SQLITE_FORMAT,
                            SQLITE_NOTADB)) {
                return "it is damaged: " + e.getMessage();
            }
            throw e;
        }
    }

    /**
     * Why this is no exit log of a version that is known, or what is damaged, as far as that can be
     * found out in a moment; null if nothing is wrong.
     */
    static @Nullable String problemOf(SqliteSession session) {
        if (session.number("PRAGMA application_id") != APPLICATION_ID) {
            return "it is not an exit log of Tardis";
        }
        long version = session.number("PRAGMA user_version");
        return version > VERSION
                ? "its version is " + version + ", and this Tardis knows none after " + VERSION
                : damageOf(session);
    }

    /**
     * Makes sure that this is an exit log that can be read without changing it.
     *
     * @throws SetupException if it is foreign, or of another version
     */
    static void requireOurs(SqliteSession session) {
        if (session.number("PRAGMA application_id") != APPLICATION_ID) {
            throw new SetupException(session.file() + " is not an exit log of Tardis");
        }
        long version = session.number("PRAGMA user_version");
        if (version != VERSION) {
            throw new SetupException(
                    "%s has version %d, and this Tardis reads version %d without a daemon"
                            .formatted(session.file(), version, VERSION));
        }
    }

    /**
     * What SQLite finds to be damaged within {@link #CHECK_TIME}, or null. The check reads every
     * page, which would take minutes for a log of gigabytes, and the first container waits for the
     * start. What is damaged further on is found by a record's checksum when it is read, or by
     * SQLite when it is written ({@link #noteDamage}).
     */
    private static @Nullable String damageOf(SqliteSession session) {
        Optional<String> check = session.textWithin(CHECK_TIME, "PRAGMA quick_check(1)");
        if (check.isEmpty()) {
            LOG.info(
                    "{} was looked through for {} ms, not to its end",
                    session.file(),
                    CHECK_TIME.toMillis());
        }
        return check.filter(it -> !it.equals("ok")).map(it -> "it is damaged: " + it).orElse(null);
    }

    private static Path damageNote(Path file) {
        return file.resolveSibling(file.getFileName() + ".damaged");
    }
}
