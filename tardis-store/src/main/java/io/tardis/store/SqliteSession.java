package io.tardis.store;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.sqlite.ProgressHandler;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteErrorCode;

/**
 * One connection to a SQLite file, and what is done with any of them. What SQLite refuses is an
 * {@link ExitLogException} that names the file, with SQLite's own as its cause. For one thread.
 */
final class SqliteSession implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(SqliteSession.class);

    /** Another connection's commit, or checkpoint, is waited for. */
    static final int BUSY_MILLIS = 5000;

    private static final int PROGRESS_STEPS = 10_000;

    private final Path file;
    private final Connection connection;

    /** By their SQL; there are few, and most are run again for each exit. */
    private final Map<String, PreparedStatement> statements = new HashMap<>();

    private Consumer<String> onDamage = _ -> {};

    private SqliteSession(Path file, SQLiteConfig config) {
        this.file = file;
        config.setBusyTimeout(BUSY_MILLIS);
        try {
            this.connection =
                    DriverManager.getConnection("jdbc:sqlite:" + file, config.toProperties());
        } catch (SQLException e) {
            throw failure("open", e);
        }
    }

    /** Connects, and changes nothing in the file. */
    static SqliteSession open(Path file) {
        return new SqliteSession(file, new SQLiteConfig());
    }

    /** Connects, and cannot change anything in the file. */
    static SqliteSession openReadOnly(Path file) {
        SQLiteConfig config = new SQLiteConfig();
        config.setReadOnly(true);
        return new SqliteSession(file, config);
    }

    /** Also reports to {@code receiver} what SQLite finds to be damaged; from now on. */
    SqliteSession onDamage(Consumer<String> receiver) {
        onDamage = receiver;
        return this;
    }

    /** Nobody relies on the state that the statements are left in: some cannot be run again. */
    private ExitLogException failure(String what, SQLException e) {
        closeStatements();
        ExitLogException failure =
                new ExitLogException("cannot " + what + " " + file + ": " + e.getMessage(), e);
        if (failure.isOfDamage()) {
            onDamage.accept(String.valueOf(failure.getMessage()));
        }
        return failure;
    }

    private void closeStatements() {
        for (PreparedStatement each : statements.values()) {
            try {
                each.close();
            } catch (SQLException e) {
                LOG.debug("SQLite repeats what failed before", e);
            }
        }
        statements.clear();
    }

    Path file() {
        return file;
    }

    /** Runs one or more statements, each to its end. */
    void execute(String sql) {
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate(sql);
        } catch (SQLException e) {
            throw failure("write", e);
        }
    }

    /** Runs one statement, which is prepared once; returns how many rows it changed. */
    int update(String sql, Object... values) {
        try {
            return prepare(sql, values).executeUpdate();
        } catch (SQLException e) {
            throw failure("write", e);
        }
    }

    private PreparedStatement prepare(String sql, Object... values) throws SQLException {
        PreparedStatement statement = statements.get(sql);
        if (statement == null) {
            statement = connection.prepareStatement(sql);
            statements.put(sql, statement);
        }
        for (int i = 0; i < values.length; i++) {
            statement.setObject(i + 1, values[i]);
        }
        return statement;
    }

    /** All of {@code work}, or nothing. */
    <T> T inTransaction(Supplier<T> work) {
        execute("BEGIN");
        try {
            T result = work.get();
            execute("COMMIT");
            return result;
        } catch (RuntimeException e) {
            try {
                execute("ROLLBACK");
            } catch (ExitLogException late) {
                // On some errors, a full disk for instance, SQLite has rolled back by itself.
                e.addSuppressed(late);
            }
            throw e;
        }
    }

    interface RowReader<T> {
        /** What the row holds; null if it is to be passed over. */
        @Nullable T read(ResultSet row) throws SQLException;
    }

    /**
     * The first rows that can be read. The limit is not SQL's: a damaged row must not make a page
     * shorter, since that means the end to who turns the pages.
     */
    <T> List<T> query(int limit, String sql, RowReader<T> reader, Object... values) {
        List<T> rows = new ArrayList<>();
        try (ResultSet results = prepare(sql, values).executeQuery()) {
            while (rows.size() < limit && results.next()) {
                T row = reader.read(results);
                if (row != null) {
                    rows.add(row);
                }
            }
            return rows;
        } catch (SQLException e) {
            throw failure("read", e);
        }
    }

    <T> Optional<T> first(String sql, RowReader<T> reader, Object... values) {
        return query(1, sql, reader, values).stream().findFirst();
    }

    /** The one number, in milliseconds since 1970, that {@code sql} gives; empty if it is NULL. */
    Optional<Instant> time(String sql) {
        return first(sql, row -> row.getObject(1) == null ? null : row.getLong(1))
                .map(Instant::ofEpochMilli);
    }

    /** The one number that {@code sql} gives. */
    long number(String sql, Object... values) {
        return first(sql, row -> row.getLong(1), values).orElseThrow();
    }

    /** The one text that {@code sql} gives; empty if that takes longer than it may. */
    Optional<String> textWithin(Duration longest, String sql) {
        long deadline = System.nanoTime() + longest.toNanos();
        ProgressHandler handler =
                new ProgressHandler() {
                    @Override
                    protected int progress() {
                        return System.nanoTime() - deadline < 0 ? 0 : 1;
                    }
                };
        try {
            ProgressHandler.setHandler(connection, PROGRESS_STEPS, handler);
            try {
                return first(sql, row -> row.getString(1));
            } finally {
                ProgressHandler.clearHandler(connection);
            }
        } catch (SQLException e) {
            throw failure("read", e);
        } catch (ExitLogException e) {
            if (e.isOneOf(SQLiteErrorCode.SQLITE_INTERRUPT)) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /**
     * Writes all that can be read into a new file, which is whole and on the disk afterwards, and
     * for its owner's eyes only. Replaces {@code target}, and returns it.
     */
    Path copyTo(Path target) throws IOException {
        Files.deleteIfExists(target);
        // SQLite fills an empty file, and would make one that everybody can read.
        Files.createFile(
                target,
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        closeStatements(); // SQLite refuses to VACUUM beside one that was run
        int _ = update("VACUUM INTO ?", target.toString());
        try (FileChannel copy = FileChannel.open(target, StandardOpenOption.WRITE)) {
            copy.force(true);
        }
        return target;
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
