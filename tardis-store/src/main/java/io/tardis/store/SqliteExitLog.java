package io.tardis.store;

import io.tardis.core.FailureLog;
import io.tardis.core.SetupException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The exit log in a SQLite file, {@code exits.db}: what becomes of the file. What is in it, {@link
 * ExitTables} says.
 *
 * <p>{@code application_id} is {@code 'TARD'} and {@code user_version} the version of this format.
 * Write-ahead log, {@code synchronous=FULL}: a commit that returned survives the loss of power.
 *
 * <p>A log that turns out to be damaged when it is written is used as far as it goes, for what it
 * still answers, and the next start sets it aside.
 */
final class SqliteExitLog implements ExitLog.Writer, ExitLog.Reader {

    private static final Logger LOG = LoggerFactory.getLogger(SqliteExitLog.class);

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

    /** Whether the state directory is this process's, before anything is made there anew. */
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
     * foreign or of a newer version is set aside under another name, and logged.
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
        write("write " + batch.size() + " exits to", () -> ExitTables.append(session, batch, now));
        requireInPlace(); // into which file was it written?
    }

    @Override
    public ExitLog.Pruned prune(Instant eventsBefore, Instant livesBefore, int limit) {
        int events =
                written(
                        "remove old exits from",
                        () -> ExitTables.deleteEvents(session, eventsBefore, limit));
        List<ContainerKey> lives =
                written(
                        "remove old lives from",
                        () -> ExitTables.deleteLives(session, livesBefore, limit));
        return new ExitLog.Pruned(events == limit || lives.size() == limit, Set.copyOf(lives));
    }

    @Override
    public boolean knows(ContainerKey container) {
        return ExitTables.knows(writing(), container);
    }

    @Override
    public Optional<Instant> oldest() {
        return writing().time(ExitTables.OLDEST);
    }

    @Override
    public Optional<Instant> agedTo() {
        return writing().time(ExitTables.AGED_TO);
    }

    @Override
    public void setAgedTo(Instant time) {
        write("write to", () -> ExitTables.setAgedTo(session, time));
    }

    @Override
    public Optional<LifeState> newest(ContainerKey container) {
        return ExitTables.newest(reading(), container);
    }

    @Override
    public Optional<LifeState> life(ContainerKey container, String id) {
        return ExitTables.life(reading(), container, id);
    }

    @Override
    public List<LifeState> newestOfEach(Optional<String> namespace, int limit) {
        return ExitTables.newestOfEach(reading(), namespace, limit);
    }

    @Override
    public List<ExitEvent> eventsAfter(long seq, int limit) {
        return ExitTables.eventsAfter(reading(), seq, limit);
    }

    @Override
    public long firstSeq() {
        return reading().number(ExitTables.FIRST_SEQ);
    }

    @Override
    public long lastSeq() {
        return reading().number(ExitTables.LAST_SEQ);
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

    private interface Result<T> {
        T get() throws SQLException;
    }

    private <T> T written(String what, Result<T> work) {
        List<T> results = new ArrayList<>(1);
        write(what, () -> results.add(work.get()));
        return results.getFirst();
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
}
