package io.tardis.store;

import io.tardis.core.SetupException;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The log that a {@link SqliteExitLog} writes, for looking up by another thread. */
final class SqliteReader extends ExitTables {

    private static final Logger LOG = LoggerFactory.getLogger(SqliteReader.class);

    /** What the session has open, as {@link LogFiles#opened} names it. */
    private List<Object> opened;

    private SqliteSession session;

    /**
     * Opens the log once more.
     *
     * @throws SetupException if it cannot be opened
     */
    SqliteReader(LogFiles files) {
        super(files);
        this.opened = files.opened();
        this.session = open();
    }

    private SqliteSession open() {
        return ExitLogFile.openForReading(files.file()).onDamage(files::setDamage);
    }

    /** The writer may have put another file in the place of its own. */
    @Override
    SqliteSession session() {
        List<Object> now = files.opened();
        if (!opened.equals(now)) {
            try {
                SqliteSession next = open();
                session.close();
                session = next;
                opened = now;
            } catch (SetupException e) {
                LOG.debug("the old exit log is read until the new one can be opened", e);
            }
        }
        return session;
    }

    @Override
    public void close() {
        session.close();
    }
}
