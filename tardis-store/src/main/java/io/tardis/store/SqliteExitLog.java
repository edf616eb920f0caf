package io.tardis.store;

import io.tardis.core.FailureLog;
import io.tardis.core.SetupException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.wire.MalformedMessageException;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiPredicate;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The exit log in a SQLite file, {@code exits.db}.
 *
 * <pre>
 * events  seq          INTEGER  the exit's number
 *         recorded_at  INTEGER  when it was written, milliseconds since 1970
 *         event        BLOB     the exit as it was published, JSON
 *         crc          INTEGER  CRC-32 of event
 * lives   life         TEXT     the life's id
 *         namespace, container_id, recorded_at
 *         created_at   INTEGER  orders the lives of a container: when the life began, microseconds since
 *                               1970, or just after the life before it if the clock was set back since
 *         assumed      INTEGER  1 if containerd made the code up
 *         event, crc            as above
 * meta    key, value            last_seq: the greatest number ever written; aged_to: what the
 *                               RetentionClock shows, milliseconds since 1970
 * </pre>
 *
 * {@code application_id} is {@code 'TARD'} and {@code user_version} the version of this format.
 * Write-ahead log, {@code synchronous=FULL}: a commit that returned survives the loss of power.
 * SQLite has no checksums for its pages, so every record has its own; one that does not match is
 * passed over and told.
 *
 * <p>A log that turns out to be damaged when it is written is used as far as it goes, for what it
 * still answers, and the next start sets it aside.
 */
final class SqliteExitLog implements ExitLog.Writer, ExitLog.Reader {

    private static final Logger LOG = LoggerFactory.getLogger(SqliteExitLog.class);

    /** The columns that {@link #end} reads. */
    private static final String ENDS =
            """
            SELECT life, created_at, event, crc, namespace, container_id FROM lives AS l
            """;

    private static final String OF_CONTAINER =
            " WHERE namespace = ?1 AND container_id = ?2 ORDER BY created_at DESC LIMIT ";
    private static final String NEWEST_OF_EACH =
            """
             created_at = (SELECT max(created_at) FROM lives
                           WHERE namespace = l.namespace AND container_id = l.container_id)
            ORDER BY l.recorded_at DESC LIMIT ?1\
            """;

    static final String LATEST_END = ENDS + OF_CONTAINER + 1;
    static final String LATEST_ENDS = ENDS + " WHERE" + NEWEST_OF_EACH;
    static final String LATEST_ENDS_OF_NAMESPACE =
            ENDS + " WHERE namespace = ?2 AND" + NEWEST_OF_EACH;
    static final String EVENTS_AFTER = "SELECT event, crc FROM events WHERE seq > ? ORDER BY seq";
    static final String FIRST_SEQ = "SELECT coalesce(min(seq), 0) FROM events";
    static final String LAST_SEQ = "SELECT value FROM meta WHERE key = 'last_seq'";
    private static final String SET_LAST_SEQ =
            "UPDATE meta SET value = max(value, ?) WHERE key = 'last_seq'";
    static final String OLDEST =
            """
            SELECT min(t) FROM (SELECT min(recorded_at) AS t FROM events
                                UNION ALL SELECT min(recorded_at) FROM lives)\
            """;
    static final String INSERT_EVENT = "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)";
    static final String INSERT_END =
            """
            INSERT INTO lives VALUES (?1, ?2, ?3, CASE WHEN ?9 THEN max(?4, coalesce((
                SELECT created_at + 1 FROM lives
                WHERE namespace = ?2 AND container_id = ?3 AND life <> ?1
                ORDER BY created_at DESC LIMIT 1), ?4)) ELSE ?4 END,
              ?5, ?6, ?7, ?8)
            ON CONFLICT (life) DO UPDATE SET recorded_at = excluded.recorded_at,
              assumed = excluded.assumed, event = excluded.event, crc = excluded.crc
            WHERE lives.assumed > excluded.assumed\
            """;
    static final String DELETE_EVENTS =
            "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE recorded_at < ? LIMIT ?)";
    static final String OLD_ENDS =
            "SELECT life, namespace, container_id FROM lives WHERE recorded_at < ? LIMIT ?";
    static final String DELETE_LIFE = "DELETE FROM lives WHERE life = ?";
    static final String KEEP_LIFE = "UPDATE lives SET recorded_at = ? WHERE life = ?";

    /** SQLite itself empties it at 1,000 pages, 4 MiB, if nobody reads just then. */
    private static final long MOST_JOURNAL_BYTES = 8 << 20;

    private static final long MUCH_JOURNAL_BYTES = 16 << 20;

    private static final int SPARE_PAGES = 256;

    /** 2 MiB, which takes some 50 ms. */
    private static final int SHRINK_PAGES = 512;

    /** How long the recorder waits for a copy before it goes on with something else. */
    private static final Duration SHORT_COPY = Duration.ofMillis(50);

    private static final Duration FIRST_COPY_DELAY = Duration.ofMillis(500);
    private static final Duration LAST_COPY_DELAY = Duration.ofMinutes(1);

    private final LogFiles files;
    private final InstantSource clock;

    /** Tells whether the state directory is this process's, before anything is made there anew. */
    private final BooleanSupplier ownsDirectory;

    private final FailureLog failures = new FailureLog(SqliteExitLog.class);
    private SqliteSession session;
    private int openings;
    private boolean damaged;

    /** How large the files were when the writer had last to do with them. */
    private long size;

    private long journalSize;

    /** Whether somebody has cut the file since. SQLite goes on with what it remembers of it. */
    private boolean cut;

    /** Of what was in the files that are not in their place; null while they are. */
    private @Nullable LogCopy copy;

    private boolean outOfPlace;
    private Duration copyDelay = FIRST_COPY_DELAY;
    private long nextCopy;

    private SqliteExitLog(
            SqliteSession session,
            LogFiles files,
            InstantSource clock,
            BooleanSupplier ownsDirectory) {
        this.session = session;
        this.files = files;
        this.clock = clock;
        this.ownsDirectory = ownsDirectory;
        this.openings = files.openings();
    }

    /**
     * Opens the log for writing, and makes it if there is none. A file that is torn, damaged,
     * foreign or of a newer version is set aside under another name, and told.
     *
     * @throws SetupException if there can be no log at this place
     */
    static SqliteExitLog openWriter(Path file, InstantSource clock) {
        return openWriter(file, clock, () -> true);
    }

    /**
     * As {@link #openWriter(Path, InstantSource)}.
     *
     * @param ownsDirectory whether this process may write a new log where its own is not any more:
     *     its directory is there, and nobody else's
     */
    static SqliteExitLog openWriter(Path file, InstantSource clock, BooleanSupplier ownsDirectory) {
        LogFiles files = new LogFiles(file);
        SqliteSession session = ExitLogFile.openForWriting(file, clock);
        files.removeBeside();
        files.opened();
        SqliteExitLog log = new SqliteExitLog(session, files, clock, ownsDirectory);
        log.noteSizes();
        return log;
    }

    /**
     * Opens the log of this writer once more, for looking up by another thread.
     *
     * @throws SetupException if it cannot be opened
     */
    SqliteExitLog openReader() {
        return new SqliteExitLog(
                ExitLogFile.openForReading(files.file()), files, clock, () -> false);
    }

    /** The session of a reader; the writer may have put another file in the place of its own. */
    private SqliteSession reading() {
        if (openings != files.openings()) {
            int now = files.openings();
            try {
                SqliteSession next = ExitLogFile.openForReading(files.file());
                session.close();
                session = next;
                openings = now;
            } catch (SetupException e) {
                LOG.debug("the old exit log is read until the new one can be opened", e);
            }
        }
        return session;
    }

    @Override
    public boolean isSafe() {
        return files.isSafe();
    }

    @Override
    public void append(List<Recorded> batch) {
        requireInPlace();
        long now = clock.millis();
        write(
                "write " + batch.size() + " exits to",
                () -> {
                    for (Recorded recorded : batch) {
                        insert(recorded, now);
                    }
                    PreparedStatement meta = session.prepare(SET_LAST_SEQ);
                    meta.setLong(1, batch.getLast().event().seq());
                    meta.executeUpdate();
                });
        requireInPlace(); // into which file was it written?
    }

    private void insert(Recorded recorded, long now) throws SQLException {
        byte[] json = PublishedCodec.encode(new Published.Exit(recorded.event()));
        PreparedStatement event = session.prepare(INSERT_EVENT);
        event.setLong(1, recorded.event().seq());
        event.setLong(2, now);
        event.setBytes(3, json);
        event.setLong(4, crc(json));
        event.executeUpdate();
        if (recorded.end().isPresent()) {
            End end = recorded.end().get();
            PreparedStatement life = session.prepare(INSERT_END);
            life.setString(1, end.lifeId());
            life.setString(2, end.container().namespace());
            life.setString(3, end.container().id());
            life.setLong(4, micros(end.createdAt()));
            life.setLong(5, now);
            life.setInt(6, end.event().source() == ExitSource.ASSUMED ? 1 : 0);
            life.setBytes(7, json);
            life.setLong(8, crc(json));
            life.setBoolean(9, end.newest());
            life.executeUpdate();
        }
    }

    @Override
    public ExitLog.Pruned prune(
            Instant eventsBefore,
            Instant endsBefore,
            BiPredicate<ContainerKey, String> mayGo,
            int limit) {
        int[] removedEvents = new int[1];
        List<OldEnd> old = oldEnds(endsBefore, limit);
        List<OldEnd> going = new ArrayList<>();
        List<OldEnd> staying = new ArrayList<>();
        for (OldEnd end : old) {
            boolean goes =
                    end.container().isEmpty() || mayGo.test(end.container().get(), end.lifeId());
            (goes ? going : staying).add(end);
        }
        long now = clock.millis();
        write(
                "remove old records from",
                () -> {
                    removedEvents[0] = delete(DELETE_EVENTS, eventsBefore, limit);
                    PreparedStatement delete = session.prepare(DELETE_LIFE);
                    for (OldEnd end : going) {
                        delete.setString(1, end.lifeId());
                        delete.executeUpdate();
                    }
                    PreparedStatement keep = session.prepare(KEEP_LIFE);
                    for (OldEnd end : staying) {
                        keep.setLong(1, now);
                        keep.setString(2, end.lifeId());
                        keep.executeUpdate();
                    }
                });
        return new ExitLog.Pruned(
                old.size() == limit || removedEvents[0] == limit,
                going.stream()
                        .flatMap(it -> it.container().stream())
                        .collect(Collectors.toUnmodifiableSet()));
    }

    /** An end that is due. Its container is empty where the record is damaged and names none. */
    private record OldEnd(String lifeId, Optional<ContainerKey> container) {}

    private List<OldEnd> oldEnds(Instant before, int limit) {
        return writing()
                .query(
                        OLD_ENDS,
                        statement -> {
                            statement.setLong(1, before.toEpochMilli());
                            statement.setInt(2, limit);
                        },
                        row -> new OldEnd(row.getString(1), container(row, 2)));
    }

    private static Optional<ContainerKey> container(ResultSet row, int column) throws SQLException {
        String namespace = row.getString(column);
        String id = row.getString(column + 1);
        return ContainerKey.isIdentifier(namespace) && ContainerKey.isIdentifier(id)
                ? Optional.of(new ContainerKey(namespace, id))
                : Optional.empty();
    }

    @Override
    public Optional<Instant> oldest() {
        return writing().time(OLDEST);
    }

    @Override
    public Optional<Instant> agedTo() {
        return writing().time("SELECT max(value) FROM meta WHERE key = 'aged_to'");
    }

    @Override
    public void setAgedTo(Instant time) {
        write(
                "write to",
                () -> {
                    PreparedStatement meta =
                            session.prepare("INSERT OR REPLACE INTO meta VALUES ('aged_to', ?)");
                    meta.setLong(1, time.toEpochMilli());
                    meta.executeUpdate();
                });
    }

    @Override
    public Optional<End> latestEnd(ContainerKey container) {
        return reading()
                .query(LATEST_END, statement -> bind(statement, container), this::end)
                .stream()
                .findFirst();
    }

    @Override
    public List<End> latestEnds(Optional<String> namespace, int limit) {
        return reading()
                .query(
                        namespace.isPresent() ? LATEST_ENDS_OF_NAMESPACE : LATEST_ENDS,
                        statement -> {
                            statement.setInt(1, limit);
                            if (namespace.isPresent()) {
                                statement.setString(2, namespace.get());
                            }
                        },
                        this::end);
    }

    @Override
    public List<ExitEvent> eventsAfter(long seq, int limit) {
        return reading()
                .query(
                        EVENTS_AFTER,
                        statement -> statement.setLong(1, seq),
                        row -> event(row, 1),
                        limit);
    }

    @Override
    public long firstSeq() {
        return reading().number(FIRST_SEQ);
    }

    @Override
    public long lastSeq() {
        return reading().number(LAST_SEQ);
    }

    @Override
    public void keepInPlace() {
        boolean owns = ownsDirectory.getAsBoolean();
        if (!owns) {
            LOG.debug("the directory of {} is not this process's now", files.file());
        }
        requireInPlace();
        requireWhole();
    }

    private void requireInPlace() {
        if (!outOfPlace && files.areInPlace()) {
            return;
        }
        if (!outOfPlace) {
            outOfPlace = true;
            files.notSafe();
            LOG.error(
                    "{}, or its -wal or -shm file, was removed or replaced while it was in use; what is known"
                            + " is written there again, and not durable until then",
                    files.file());
        }
        replace();
    }

    private void noteSizes() {
        size = files.size();
        journalSize = files.journalSize();
    }

    private void requireWhole() {
        boolean shorter = files.size() < size || files.journalSize() < journalSize;
        if (!cut && shorter && files.areInPlace()) { // else it was removed, and is put back
            cut = true;
            noteDamage("it, or its write-ahead log, was cut while it was in use");
        }
        if (cut) {
            throw new ExitLogException("the exit log " + files.file() + " was cut");
        }
    }

    private void noteDamage(String damage) {
        damaged = true;
        files.notSafe();
        ExitLogFile.noteDamage(session.file(), damage);
    }

    /** One step, or why there is none. */
    private void replace() {
        if (!ownsDirectory.getAsBoolean()) {
            throw notInPlace("its directory cannot be used now", null);
        }
        LogCopy running = copy;
        if (running == null) {
            if (System.nanoTime() - nextCopy < 0) {
                throw notInPlace("it could not be written and is tried again soon", null);
            }
            running = LogCopy.start(session, files.beside());
            copy = running;
        }
        if (!running.await(SHORT_COPY)) {
            throw notInPlace("it is being written", null);
        }
        copy = null;
        try {
            Exception inCopy = running.failure();
            if (inCopy != null) {
                throw inCopy;
            }
            putInPlace();
            copyDelay = FIRST_COPY_DELAY;
        } catch (Exception e) {
            nextCopy = System.nanoTime() + copyDelay.toNanos();
            copyDelay = copyDelay.multipliedBy(2);
            copyDelay = copyDelay.compareTo(LAST_COPY_DELAY) < 0 ? copyDelay : LAST_COPY_DELAY;
            ExitLogException failure = notInPlace("it cannot be written: " + e.getMessage(), e);
            failures.error("the exit log cannot be put back into its place", failure);
            throw failure;
        }
    }

    private void putInPlace() throws IOException {
        Path file = files.file();
        Path aside = files.clear(clock.instant());
        Files.move(files.beside(), file, StandardCopyOption.ATOMIC_MOVE);
        LogFiles.forceDirectory(file);
        SqliteSession next = ExitLogFile.openForWriting(file, clock);
        // SQLite leaves the files alone that are in the place of its own.
        session.close();
        session = next;
        files.opened();
        openings = files.openings();
        noteSizes();
        outOfPlace = false;
        LOG.warn(
                "{} was written again with all that was in it{}",
                file,
                aside == null ? "" : "; what was in its place is " + aside + " now");
    }

    @Override
    public boolean shrink() {
        failures.logCounts();
        if (outOfPlace) {
            return false;
        }
        requireWhole();
        try {
            if (files.journalSize() > MOST_JOURNAL_BYTES) {
                emptyJournal();
            }
            return shrinkFile();
        } catch (SQLException e) {
            throw new ExitLogException("cannot shrink " + files.file() + ": " + e.getMessage(), e);
        } finally {
            noteSizes();
        }
    }

    /** Without a wait for readers: the recorder has other things to do. */
    private void emptyJournal() throws SQLException {
        session.execute("PRAGMA busy_timeout = 0");
        boolean busy;
        try {
            busy = session.number("PRAGMA wal_checkpoint(TRUNCATE)") != 0;
        } finally {
            session.execute(SqliteSession.BUSY_TIMEOUT);
        }
        if (busy && files.journalSize() > MUCH_JOURNAL_BYTES) {
            failures.warn(
                    "the exit log takes more and more space until a reader has ended",
                    "%s-wal has %d MiB, and a program that reads %s keeps it from being emptied (fuser names it)"
                            .formatted(files.file(), files.journalSize() >> 20, files.file()));
        }
    }

    /**
     * Some free pages stay: the next exits need them, also when the disk is full. Files of the
     * first version keep all, if they were too large at the start to be changed.
     */
    private boolean shrinkFile() throws SQLException {
        long free = session.number("PRAGMA freelist_count");
        long spare = Math.max(SPARE_PAGES, session.number("PRAGMA page_count") / 8);
        if (free <= spare || session.number("PRAGMA auto_vacuum") == 0) {
            return false;
        }
        session.executeSteps("PRAGMA incremental_vacuum(" + SHRINK_PAGES + ")");
        boolean more = free - SHRINK_PAGES > spare;
        if (!more) {
            emptyJournal(); // the file itself becomes shorter only now
        }
        return more;
    }

    private ExitLogException notInPlace(String why, @Nullable Exception cause) {
        String message = "the exit log " + files.file() + " is not in its place: " + why;
        return cause == null ? new ExitLogException(message) : new ExitLogException(message, cause);
    }

    @Override
    public boolean replaceIfUnusable(Duration patience) {
        if (outOfPlace) {
            return replaceWithin(patience);
        }
        if (!damaged) {
            return false;
        }
        session.close();
        try {
            session = ExitLogFile.openForWriting(session.file(), clock);
            files.opened();
            noteSizes();
            damaged = false;
            cut = false;
            return true;
        } catch (SetupException e) {
            LOG.error("there is no exit log in the place of the damaged one", e);
            return false;
        }
    }

    private boolean replaceWithin(Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        while (true) {
            try {
                nextCopy = System.nanoTime();
                replace();
                return true;
            } catch (ExitLogException e) {
                if (System.nanoTime() - deadline >= 0) {
                    LOG.error("what was recorded is lost", e);
                    return false;
                }
                LockSupport.parkNanos(SHORT_COPY.toNanos());
            }
        }
    }

    @Override
    public void close() {
        LogCopy running = copy;
        if (running == null || running.await(Duration.ZERO)) {
            session.close();
        } // else it is the copy's, and ends with the process
    }

    /** The session of a writer, unless it belongs to a copy, or somebody has cut the file. */
    private SqliteSession writing() {
        if (outOfPlace) {
            throw notInPlace("it is not used meanwhile", null);
        }
        requireWhole();
        return session;
    }

    private void write(String what, SqliteSession.Work work) {
        try {
            writing().inTransaction(what, work);
        } catch (ExitLogException e) {
            if (!damaged && ExitLogFile.isDamage(e)) {
                noteDamage(String.valueOf(e.getMessage()));
            }
            throw e;
        } finally {
            noteSizes();
        }
    }

    private int delete(String sql, Instant before, int limit) throws SQLException {
        PreparedStatement statement = session.prepare(sql);
        statement.setLong(1, before.toEpochMilli());
        statement.setInt(2, limit);
        return statement.executeUpdate();
    }

    private @Nullable End end(ResultSet row) throws SQLException {
        ExitEvent event = event(row, 3);
        if (event == null) {
            return null;
        }
        // The checksum is that of the event alone: a spoiled index or column could give it to
        // another container.
        if (!container(row, 5).equals(Optional.of(event.exit().container()))) {
            LOG.error(
                    "a record in {} is not of the container that it is kept for, and is passed over",
                    session.file());
            return null;
        }
        return new End(row.getString(1), instant(row.getLong(2)), event);
    }

    private static void bind(PreparedStatement statement, ContainerKey container)
            throws SQLException {
        statement.setString(1, container.namespace());
        statement.setString(2, container.id());
    }

    private @Nullable ExitEvent event(ResultSet row, int column) throws SQLException {
        byte[] json = row.getBytes(column);
        if (json == null || crc(json) != row.getLong(column + 1)) {
            LOG.error("a record in {} is damaged and is passed over", session.file());
            return null;
        }
        try {
            return PublishedCodec.decodeExit(json);
        } catch (MalformedMessageException e) {
            LOG.error("a record in {} cannot be understood and is passed over", session.file(), e);
            return null;
        }
    }

    private static long crc(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return crc.getValue();
    }

    private static long micros(Instant instant) {
        return instant.getEpochSecond() * 1_000_000 + instant.getNano() / 1000;
    }

    private static Instant instant(long micros) {
        return Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
    }
}
