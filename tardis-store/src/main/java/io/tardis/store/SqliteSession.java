package io.tardis.store;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.sqlite.SQLiteConfig;

/**
 * One connection to a SQLite file, and what is done with any of them. What SQLite refuses is an
 * {@link ExitLogException} that names the file. For one thread.
 */
final class SqliteSession implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(SqliteSession.class);

    /** Another connection's commit, or checkpoint, is waited for. */
    static final String BUSY_TIMEOUT = "PRAGMA busy_timeout = 5000";

    private final Path file;
    private final Connection connection;

    /** By their SQL; there are few, and most are run again for each exit. */
    private final Map<String, PreparedStatement> statements = new HashMap<>();

    private SqliteSession(Path file, Connection connection) {
        this.file = file;
        this.connection = connection;
    }

    /** Connects, and changes nothing in the file. */
    static SqliteSession open(Path file) throws SQLException {
        return open(file, new SQLiteConfig());
    }

    /** Connects, and cannot change anything in the file. */
    static SqliteSession openReadOnly(Path file) throws SQLException {
        SQLiteConfig config = new SQLiteConfig();
        config.setReadOnly(true);
        return open(file, config);
    }

    private static SqliteSession open(Path file, SQLiteConfig config) throws SQLException {
        SqliteSession session =
                new SqliteSession(
                        file,
                        DriverManager.getConnection("jdbc:sqlite:" + file, config.toProperties()));
        try {
            session.execute(BUSY_TIMEOUT);
            return session;
        } catch (SQLException e) {
            session.close();
            throw e;
        }
    }

    Path file() {
        return file;
    }

    Connection connection() {
        return connection;
    }

    /** The statement, which stays the session's to close. For SQL that is written in the code. */
    PreparedStatement prepare(String sql) throws SQLException {
        PreparedStatement known = statements.get(sql);
        if (known == null) {
            known = connection.prepareStatement(sql);
            statements.put(sql, known);
        }
        return known;
    }

    /**
     * After a failure nobody relies on the state that they were left in; and beside one that was
     * run, SQLite refuses to VACUUM.
     */
    void closeStatements() throws SQLException {
        for (PreparedStatement statement : statements.values()) {
            statement.close();
        }
        statements.clear();
    }

    void execute(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** As {@link #execute}, to the end where SQLite works in steps. */
    void executeSteps(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate(sql);
        }
    }

    /** As {@link #execute}, with parameters. */
    void execute(String sql, Binder binder) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            binder.bind(statement);
            statement.executeUpdate();
        }
    }

    interface Work {
        void run() throws SQLException;
    }

    /**
     * All of {@code work}, or nothing.
     *
     * @param what it does, for the message where it fails: "write to"
     */
    void inTransaction(String what, Work work) {
        try {
            try {
                connection.setAutoCommit(false);
                work.run();
                connection.commit();
            } catch (SQLException | RuntimeException e) {
                undo(this::closeStatements, e);
                undo(connection::rollback, e);
                undo(() -> connection.setAutoCommit(true), e);
                throw e;
            }
            connection.setAutoCommit(true);
        } catch (SQLException e) {
            throw new ExitLogException("cannot " + what + " " + file + ": " + e.getMessage(), e);
        }
    }

    /**
     * On some errors, a full disk for instance, SQLite rolls back by itself, and then refuses to do
     * it again: what failed first is what is reported.
     */
    private static void undo(Work step, Exception first) {
        try {
            step.run();
        } catch (SQLException e) {
            first.addSuppressed(e);
        }
    }

    interface Binder {
        void bind(PreparedStatement statement) throws SQLException;
    }

    interface RowReader<T> {
        /** What the row holds; null if it is to be passed over. */
        @Nullable T read(ResultSet row) throws SQLException;
    }

    <T> List<T> query(String sql, Binder binder, RowReader<T> reader) {
        return query(sql, binder, reader, Integer.MAX_VALUE);
    }

    /**
     * The first rows that can be read. The limit is not SQL's: a damaged row must not make a page
     * shorter, since that means the end to who turns the pages.
     */
    <T> List<T> query(String sql, Binder binder, RowReader<T> reader, int limit) {
        try {
            PreparedStatement statement = prepare(sql);
            binder.bind(statement);
            List<T> rows = new ArrayList<>();
            try (ResultSet results = statement.executeQuery()) {
                while (rows.size() < limit && results.next()) {
                    T row = reader.read(results);
                    if (row != null) {
                        rows.add(row);
                    }
                }
            }
            return rows;
        } catch (SQLException e) {
            undo(this::closeStatements, e);
            throw new ExitLogException("cannot read " + file + ": " + e.getMessage(), e);
        }
    }

    /** The one number, in milliseconds since 1970, that {@code sql} gives; empty if it is NULL. */
    Optional<Instant> time(String sql) {
        return query(
                        sql,
                        _ -> {},
                        row -> {
                            long millis = row.getLong(1);
                            return row.wasNull() ? null : Instant.ofEpochMilli(millis);
                        })
                .stream()
                .findFirst();
    }

    /** The one number that {@code sql} gives. */
    long number(String sql) {
        return query(sql, _ -> {}, row -> row.getLong(1)).getFirst();
    }

    @Override
    public void close() {
        try {
            connection.close();
        } catch (SQLException e) {
            LOG.warn("the exit log {} cannot be closed", file, e);
        }
    }
}
