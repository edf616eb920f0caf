package io.tardis.store;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the tables of an exit log, and brings a file of an earlier version up to date. What only
 * improves the file may fail, for instance on a disk that is nearly full: the daemon goes on with
 * what is there. What is in the tables, {@link ExitTables} says.
 */
final class ExitLogSchema {

    private static final Logger LOG = LoggerFactory.getLogger(ExitLogSchema.class);

    private static final long MEBIBYTE = 1 << 20;
    private static final long MOST_REWRITTEN_BYTES = 32 * MEBIBYTE;

    /** In version 1 each life had ended, and was only marked where its code was made up. */
    private static final String MIGRATION =
            """
            BEGIN;
            ALTER TABLE lives RENAME COLUMN assumed TO stage;
            UPDATE lives SET stage = 4 - stage;
            COMMIT\
            """;

    /** A row of a table WITHOUT ROWID with more than 1,002 bytes would take a page more. */
    private static final String LIVES =
            """
            lives (
              life TEXT NOT NULL PRIMARY KEY, namespace TEXT NOT NULL, container_id TEXT NOT NULL,
              created_at INTEGER NOT NULL, recorded_at INTEGER NOT NULL, stage INTEGER NOT NULL, event BLOB NOT NULL,
              crc INTEGER NOT NULL)\
            """;

    /** Earlier versions had such a table, and no row of that length. */
    private static final String IS_WITHOUT_ROWID =
            "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND name = 'lives' AND wr";

    private static final String WITH_ROWID =
            """
            BEGIN;
            ALTER TABLE lives RENAME TO former_lives;
            CREATE TABLE %s;
            INSERT INTO lives SELECT * FROM former_lives;
            DROP TABLE former_lives;
            COMMIT\
            """
                    .formatted(LIVES);

    private static final String TABLES =
            """
            PRAGMA application_id = %d;
            PRAGMA user_version = %d;
            CREATE TABLE IF NOT EXISTS events (
              seq INTEGER PRIMARY KEY, recorded_at INTEGER NOT NULL, event BLOB NOT NULL, crc INTEGER NOT NULL);
            CREATE TABLE IF NOT EXISTS %s;
            CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
            INSERT OR IGNORE INTO meta VALUES ('last_seq', 0)\
            """
                    .formatted(ExitLogFile.APPLICATION_ID, ExitLogFile.VERSION, LIVES);

    /**
     * What makes queries fast and the file small. Lives that are open although there is a later one
     * were left so by a daemon that ended too soon; a late report may still bring their ends. What
     * is dropped was in files of earlier versions.
     */
    private static final String TIDY =
            """
            BEGIN;
            CREATE INDEX IF NOT EXISTS events_by_age ON events (recorded_at);
            CREATE INDEX IF NOT EXISTS lives_by_container ON lives (namespace, container_id, created_at);
            CREATE INDEX IF NOT EXISTS open_lives ON lives (namespace) WHERE stage = 1;
            CREATE INDEX IF NOT EXISTS lives_by_age ON lives (recorded_at);
            CREATE INDEX IF NOT EXISTS lives_by_namespace_and_age ON lives (namespace, recorded_at);
            UPDATE lives AS l SET stage = 2 WHERE stage = 1 AND EXISTS (
              SELECT 1 FROM lives WHERE namespace = l.namespace AND container_id = l.container_id
                                    AND created_at > l.created_at);
            DROP INDEX IF EXISTS lives_by_beginning;
            DROP INDEX IF EXISTS lives_by_namespace;
            DROP TABLE IF EXISTS disputes;
            COMMIT\
            """;

    /**
     * Files of earlier versions keep the pages of what was removed. To change that, the file is
     * written again, once.
     */
    private static final String SHRINKABLE = "PRAGMA auto_vacuum = INCREMENTAL; VACUUM";

    private final SqliteSession session;

    /** Whether something could not be improved; that is logged once. */
    private boolean failed;

    private ExitLogSchema(SqliteSession session) {
        this.session = session;
    }

    /**
     * Makes the tables, as far as they are missing.
     *
     * @throws ExitLogException if a table cannot be made
     */
    static void apply(SqliteSession session) {
        new ExitLogSchema(session).apply();
    }

    private void apply() {
        if (session.number("SELECT count(*) FROM pragma_table_info('lives') WHERE name = 'assumed'")
                > 0) {
            session.execute(MIGRATION);
        }
        session.execute(TABLES);
        if (session.number(IS_WITHOUT_ROWID) > 0 && isQuicklyRewritten()) {
            improve(WITH_ROWID);
        }
        improve(TIDY);
        if (session.number("PRAGMA auto_vacuum") == 0) {
            if (isQuicklyRewritten()) {
                shrink();
            } else {
                LOG.info(
                        "{} is too large to be written again at a start, and does not give back what is free in it",
                        session.file());
            }
        }
    }

    private void shrink() {
        improve(SHRINKABLE);
        releaseWal();
    }

    /** All of {@code sql}, or nothing. The next start tries again what was not possible. */
    private void improve(String sql) {
        try {
            session.execute(sql);
        } catch (ExitLogException e) {
            if (!failed) {
                LOG.warn(
                        "{} stays as an earlier version made it, which is slower or takes more space: {}. Free {} MiB on its disk; the next start tries again",
                        session.file(),
                        e.getMessage(),
                        neededMebibytes());
            }
            LOG.debug("{} cannot be improved", session.file(), e);
            failed = true;
            rollBack();
            releaseWal();
        }
    }

    private void rollBack() {
        try {
            session.execute("ROLLBACK");
        } catch (ExitLogException e) {
            LOG.debug("SQLite has rolled back by itself", e);
        }
    }

    /** Gives back what the write-ahead log has taken, also for what was rolled back. */
    private void releaseWal() {
        try {
            session.number("PRAGMA wal_checkpoint(TRUNCATE)");
        } catch (ExitLogException e) {
            LOG.debug("the write-ahead log of {} stays as long as it is", session.file(), e);
        }
    }

    /** For the new pages of the file, and the same again in the write-ahead log. */
    private long neededMebibytes() {
        return 2 * usedBytes() / MEBIBYTE + 1;
    }

    /** Whether a start is delayed by no more than a second; the first container waits for it. */
    private boolean isQuicklyRewritten() {
        return usedBytes() <= MOST_REWRITTEN_BYTES;
    }

    private long usedBytes() {
        long used = session.number("PRAGMA page_count") - session.number("PRAGMA freelist_count");
        return used * session.number("PRAGMA page_size");
    }
}
