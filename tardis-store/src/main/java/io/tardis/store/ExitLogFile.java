package io.tardis.store;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.sqlite.ProgressHandler;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteException;

/**
 * The file of an exit log, before anything is read from it or written: whether it is one, what is
 * done with one that is not, and the tables of a new one. What is in the tables, {@link ExitTables}
 * says.
 */
final class ExitLogFile {

    private static final Logger LOG = LoggerFactory.getLogger(ExitLogFile.class);
    private static final int APPLICATION_ID = 0x54415244;
    private static final int VERSION = 2;

    /** How long the start may be delayed by looking for damage. */
    private static final Duration CHECK_TIME = Duration.ofMillis(500);

    private static final long MOST_REWRITTEN_BYTES = 32 << 20;

    private static final int CHECK_STEPS = 10_000;

    /** What SQLite says where not the file is to blame, but what is around it. */
    private static final Set<SQLiteErrorCode> OUTSIDE =
            Set.of(
                    SQLiteErrorCode.SQLITE_PERM,
                    SQLiteErrorCode.SQLITE_BUSY,
                    SQLiteErrorCode.SQLITE_LOCKED,
                    SQLiteErrorCode.SQLITE_NOMEM,
                    SQLiteErrorCode.SQLITE_READONLY,
                    SQLiteErrorCode.SQLITE_INTERRUPT,
                    SQLiteErrorCode.SQLITE_IOERR,
                    SQLiteErrorCode.SQLITE_FULL,
                    SQLiteErrorCode.SQLITE_CANTOPEN,
                    SQLiteErrorCode.SQLITE_PROTOCOL,
                    SQLiteErrorCode.SQLITE_AUTH);

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
                setAside(file, problem, clock.instant());
            }
            Files.deleteIfExists(damageNote(file));
            SqliteSession session = connect(file);
            try {
                createTables(session);
                allowToShrink(session);
                LogFiles.forceDirectory(file);
                return session;
            } catch (SQLException e) {
                session.close();
                throw e;
            }
        } catch (IOException | SQLException | ExitLogException e) {
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
            session.execute("BEGIN IMMEDIATE");
            session.execute("ROLLBACK");
        } catch (SQLException | ExitLogException e) {
            if (e instanceof SQLiteException cause
                    && primary(cause) == SQLiteErrorCode.SQLITE_BUSY.code) {
                throw new SetupException(
                        "the exit log " + file + " cannot be written: another program keeps it", e);
            }
            LOG.debug("{} cannot be tried; who opens it sets it aside", file, e);
        }
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
        try {
            return connect(file);
        } catch (SQLException e) {
            throw new SetupException(
                    "the exit log " + file + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static SqliteSession connect(Path file) throws SQLException {
        SqliteSession session = SqliteSession.open(file);
        try {
            // For a new file, before anything is in it.
            session.execute("PRAGMA auto_vacuum = INCREMENTAL");
            session.execute("PRAGMA journal_mode = WAL");
            session.execute("PRAGMA synchronous = FULL");
            return session;
        } catch (SQLException e) {
            session.close();
            throw e;
        }
    }

    private static void createTables(SqliteSession session) throws SQLException {
        migrate(session);
        session.execute("PRAGMA application_id = " + APPLICATION_ID);
        session.execute("PRAGMA user_version = " + VERSION);
        session.execute(
                """
                CREATE TABLE IF NOT EXISTS events (
                  seq INTEGER PRIMARY KEY, recorded_at INTEGER NOT NULL, event BLOB NOT NULL, crc INTEGER NOT NULL)\
                """);
        session.execute("CREATE INDEX IF NOT EXISTS events_by_age ON events (recorded_at)");
        session.execute(
                """
                CREATE TABLE IF NOT EXISTS lives (
                  life TEXT PRIMARY KEY, namespace TEXT NOT NULL, container_id TEXT NOT NULL, created_at INTEGER NOT NULL,
                  recorded_at INTEGER NOT NULL, stage INTEGER NOT NULL, event BLOB NOT NULL, crc INTEGER NOT NULL)
                WITHOUT ROWID\
                """);
        session.execute(
                "CREATE INDEX IF NOT EXISTS lives_by_container ON lives (namespace, container_id, created_at)");
        session.execute(
                "CREATE INDEX IF NOT EXISTS open_lives ON lives (namespace) WHERE stage = 1");
        session.execute("CREATE INDEX IF NOT EXISTS lives_by_age ON lives (recorded_at)");
        session.execute(
                "CREATE INDEX IF NOT EXISTS lives_by_namespace_and_age ON lives (namespace, recorded_at)");
        // A daemon that ended too soon left these open; a late report may still bring their ends.
        session.execute(
                """
                UPDATE lives AS l SET stage = 2 WHERE stage = 1 AND EXISTS (
                  SELECT 1 FROM lives WHERE namespace = l.namespace AND container_id = l.container_id
                                        AND created_at > l.created_at)\
                """);
        // Lists were once in the order of the lives' beginnings, and what sources disagreed on was
        // kept.
        session.execute("DROP INDEX IF EXISTS lives_by_beginning");
        session.execute("DROP INDEX IF EXISTS lives_by_namespace");
        session.execute("DROP TABLE IF EXISTS disputes");
        session.execute(
                "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL)");
        session.execute("INSERT OR IGNORE INTO meta VALUES ('last_seq', 0)");
    }

    /** In version 1 each life had ended, and was only marked where its code was made up. */
    private static void migrate(SqliteSession session) throws SQLException {
        boolean isOld =
                session.number(
                                "SELECT count(*) FROM pragma_table_info('lives') WHERE name = 'assumed'")
                        > 0;
        if (isOld) {
            session.inTransaction(
                    "migrate",
                    () -> {
                        session.execute("ALTER TABLE lives RENAME COLUMN assumed TO stage");
                        session.execute(
                                "UPDATE lives SET stage = %d - stage"
                                        .formatted(LifeState.Stage.ENDED.number()));
                    });
        }
    }

    /**
     * Files of earlier versions keep the pages of what was removed. To change that, the file is
     * written again, once; the start is not delayed for it by more than a second, so a larger file
     * stays as it is.
     */
    private static void allowToShrink(SqliteSession session) throws SQLException {
        long used = session.number("PRAGMA page_count") - session.number("PRAGMA freelist_count");
        if (session.number("PRAGMA auto_vacuum") != 0) {
            return;
        }
        if (used * session.number("PRAGMA page_size") > MOST_REWRITTEN_BYTES) {
            LOG.info(
                    "{} is too large to be written again at a start, and does not give back what is free in it",
                    session.file());
            return;
        }
        try {
            session.execute("PRAGMA auto_vacuum = INCREMENTAL");
            session.execute("VACUUM");
            session.number("PRAGMA wal_checkpoint(TRUNCATE)");
        } catch (SQLException | ExitLogException e) {
            LOG.warn("{} cannot be written again, and does not shrink", session.file(), e);
        }
    }

    /** Why {@code file} cannot be used, or null if it can. */
    private static @Nullable String problemOf(Path file) throws IOException, SQLException {
        if (Files.exists(damageNote(file))) {
            return "it was found to be damaged: " + Files.readString(damageNote(file));
        }
        if (Files.size(file) == 0) {
            return null;
        }
        try (SqliteSession session = SqliteSession.open(file)) {
            long applicationId = session.number("PRAGMA application_id");
            long version = session.number("PRAGMA user_version");
            if (applicationId != APPLICATION_ID) {
                // SQLite makes the file before the tables and marks come: a start that was killed
                // in between.
                return session.number("SELECT count(*) FROM sqlite_master") == 0
                        ? null
                        : "it is not an exit log of Tardis";
            }
            if (version > VERSION) {
                return "its version is "
                        + version
                        + ", and this Tardis knows none after "
                        + VERSION;
            }
            session.number("SELECT count(*) FROM sqlite_master");
            return damageOf(session);
        } catch (ExitLogException e) {
            if (e.getCause() instanceof SQLiteException cause && canBeNothingButDamage(cause)) {
                return "it is damaged: " + cause.getMessage();
            }
            throw e;
        }
    }

    /**
     * Makes sure that the file is an exit log of a version that is known, and not damaged as far as
     * that can be found out in a moment.
     *
     * @throws TardisException if it is not
     */
    static void check(SqliteSession session) throws SQLException {
        if (session.number("PRAGMA application_id") != APPLICATION_ID
                || session.number("PRAGMA user_version") > VERSION) {
            throw new TardisException(
                    session.file() + " is not an exit log that this Tardis knows");
        }
        String damage = damageOf(session);
        if (damage != null) {
            throw new TardisException(session.file() + ": " + damage);
        }
    }

    /**
     * What SQLite finds to be damaged within {@link #CHECK_TIME}, or null. The check reads every
     * page, which would take minutes for a log of gigabytes, and the first container waits for the
     * start. What is damaged further on is found by a record's checksum when it is read, or by
     * SQLite when it is written ({@link #noteDamage}).
     */
    private static @Nullable String damageOf(SqliteSession session) throws SQLException {
        long deadline = System.nanoTime() + CHECK_TIME.toNanos();
        ProgressHandler.setHandler(
                session.connection(),
                CHECK_STEPS,
                new ProgressHandler() {
                    @Override
                    protected int progress() {
                        return System.nanoTime() - deadline < 0 ? 0 : 1;
                    }
                });
        try {
            String check =
                    session.query("PRAGMA quick_check(1)", _ -> {}, row -> row.getString(1))
                            .getFirst();
            return check.equals("ok") ? null : "it is damaged: " + check;
        } catch (ExitLogException e) {
            if (e.getCause() instanceof SQLiteException cause
                    && cause.getResultCode() == SQLiteErrorCode.SQLITE_INTERRUPT) {
                LOG.info(
                        "{} was looked through for {} ms, not to its end",
                        session.file(),
                        CHECK_TIME.toMillis());
                return null;
            }
            throw e;
        } finally {
            ProgressHandler.clearHandler(session.connection());
        }
    }

    /** Whether SQLite says that the file is damaged. */
    static boolean isDamage(ExitLogException e) {
        return e.getCause() instanceof SQLiteException cause
                && (primary(cause) == SQLiteErrorCode.SQLITE_CORRUPT.code
                        || primary(cause) == SQLiteErrorCode.SQLITE_NOTADB.code);
    }

    /**
     * Whether nothing around the file explains that SQLite cannot read it. It calls a spoiled byte
     * of the header a mere error, for instance, and such a file would end every start.
     */
    private static boolean canBeNothingButDamage(SQLiteException e) {
        return OUTSIDE.stream().noneMatch(it -> it.code == primary(e));
    }

    /** The upper bits of SQLite's extended codes only say more about the lower ones. */
    private static int primary(SQLiteException e) {
        return e.getResultCode().code & 0xff;
    }

    private static Path damageNote(Path file) {
        return file.resolveSibling(file.getFileName() + ".damaged");
    }

    private static void setAside(Path file, String problem, Instant now) throws IOException {
        Path aside = LogFiles.setAside(file, now);
        LOG.error("{} was set aside as {}, and a new exit log begun: {}", file, aside, problem);
    }
}
