package io.tardis.store;

import io.tardis.core.FailureLog;
import io.tardis.core.SetupException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeRef;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.store.LifeState.Stage;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;

/**
 * The exit log in a SQLite file, {@code exits.db}: what is written into it. What is in it, {@link
 * ExitTables} says; what becomes of the file, {@link LogPlace}.
 *
 * <p>{@code application_id} is {@code 'TARD'} and {@code user_version} the version of this format.
 * Write-ahead log, {@code synchronous=FULL}: a commit that returned survives the loss of power.
 */
final class SqliteExitLog extends ExitTables implements ExitLog.Writer {

    /** SQLite itself empties it at 1,000 pages, 4 MiB, if nobody reads just then. */
    private static final long MOST_JOURNAL_BYTES = 8 << 20;

    private static final long MUCH_JOURNAL_BYTES = 16 << 20;

    private static final int SPARE_PAGES = 256;

    /** 2 MiB, which takes some 50 ms. */
    private static final int SHRINK_PAGES = 512;

    static final String KNOWS =
            "SELECT count(*) FROM (SELECT 1 FROM lives WHERE namespace = ? AND container_id = ? LIMIT 1)";

    private static final String SET_LAST_SEQ =
            """
            UPDATE meta SET value = max(value, (SELECT coalesce(max(seq), 0) FROM events))
            WHERE key = 'last_seq'\
            """;
    static final String OLDEST =
            """
            SELECT min(t) FROM (SELECT min(recorded_at) AS t FROM events
                                UNION ALL SELECT min(recorded_at) FROM lives)\
            """;
    static final String AGED_TO = "SELECT max(value) FROM meta WHERE key = 'aged_to'";
    private static final String SET_AGED_TO = "INSERT OR REPLACE INTO meta VALUES ('aged_to', ?)";
    static final String INSERT_EVENT = "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)";

    /** A lost life keeps its begin: its process identifies it if its end comes late. */
    static final String PUT_LIFE =
            """
            INSERT INTO lives VALUES (?1, ?2, ?3, CASE WHEN ?9 THEN max(?4, coalesce((
                SELECT created_at + 1 FROM lives
                WHERE namespace = ?2 AND container_id = ?3 AND life <> ?1
                ORDER BY created_at DESC LIMIT 1), ?4)) ELSE ?4 END,
              ?5, ?6, ?7, ?8)
            ON CONFLICT (life) DO UPDATE SET recorded_at = excluded.recorded_at, stage = excluded.stage,
              event = CASE excluded.stage WHEN 2 THEN event ELSE excluded.event END,
              crc = CASE excluded.stage WHEN 2 THEN crc ELSE excluded.crc END
            WHERE lives.stage < excluded.stage OR ?10\
            """;

    static final String DELETE_EVENTS =
            "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE recorded_at < ? LIMIT ?)";
    static final String DELETE_LIVES =
            """
            DELETE FROM lives WHERE life IN (
              SELECT life FROM lives WHERE recorded_at < ? AND stage <> 1 LIMIT ?)\
            """;

    private final InstantSource clock;
    private final LogPlace place;
    private final FailureLog failures = new FailureLog(SqliteExitLog.class);

    private SqliteExitLog(LogFiles files, InstantSource clock, LogPlace place) {
        super(files);
        this.clock = clock;
        this.place = place;
    }

    /**
     * Opens the log for writing, and makes it if there is none. A file that is torn, damaged,
     * foreign or of a newer version is set aside under another name, and logged.
     *
     * @param ownsDirectory whether this process may write a new log where its own is not any more:
     *     its directory is there, and nobody else's
     * @throws SetupException if there can be no log at this place
     */
    static SqliteExitLog openWriter(Path file, InstantSource clock, BooleanSupplier ownsDirectory) {
        LogFiles files = new LogFiles(file);
        return new SqliteExitLog(files, clock, new LogPlace(files, clock, ownsDirectory));
    }

    /**
     * Opens the log of this writer once more, for looking up by another thread.
     *
     * @throws SetupException if it cannot be opened
     */
    SqliteReader openReader() {
        return new SqliteReader(files);
    }

    @Override
    SqliteSession session() {
        return place.session();
    }

    @Override
    public void append(List<Recorded> batch) {
        place.requireInPlace();
        long now = clock.millis();
        int _ =
                place.write(session -> {
                    for (Recorded each : batch) {
                        each.event().ifPresent(it -> insert(session, it, now));
                        each.state().ifPresent(it -> put(session, it, now));
                    }
                    return session.update(SET_LAST_SEQ);
                });
        place.requireInPlace(); // into which file was it written?
    }

    private static void insert(SqliteSession session, ExitEvent exit, long now) {
        byte[] json = PublishedCodec.encode(new Published.Exit(exit));
        int _ = session.update(INSERT_EVENT, exit.seq(), now, json, crc(json));
    }

    private void put(SqliteSession session, LifeState state, long now) {
        byte[] json =
                PublishedCodec.encode(
                        state.end().<Published>map(Published.Exit::new).orElse(state.begun()));
        int _ =
                session.update(
                        PUT_LIFE,
                        state.lifeId(),
                        state.container().namespace(),
                        state.container().id(),
                        ChronoUnit.MICROS.between(Instant.EPOCH, state.begun().life().createdAt()),
                        now,
                        state.stage().number(),
                        json,
                        crc(json),
                        state.newest(),
                        corrects(state));
        OptionalLong endedSeq = state.begun().endedSeq();
        if (endedSeq.isPresent() && state.stage() == Stage.OPEN) {
            put(session, ended(state, endedSeq.getAsLong()), now);
        }
    }

    /** Looked up for few: one that was killed for memory, or that has an image and has begun. */
    private boolean corrects(LifeState state) {
        return state.mayCorrect()
                && life(state.container(), state.lifeId()).filter(state::replaces).isPresent();
    }

    /** A life whose end was published before it was known that it is kept. */
    private LifeState ended(LifeState state, long seq) {
        LifeRef life = state.begun().life();
        return eventsAfter(seq - 1, 1).stream()
                .filter(it -> it.seq() == seq)
                .findFirst()
                .map(it -> LifeState.ended(life, it))
                .orElseGet(() -> LifeState.lost(state.begun().lastSeq(), state.container(), life));
    }

    @Override
    public boolean prune(Instant eventsBefore, Instant livesBefore, int limit) {
        return place.write(session -> {
            int events = session.update(DELETE_EVENTS, eventsBefore.toEpochMilli(), limit);
            int lives = session.update(DELETE_LIVES, livesBefore.toEpochMilli(), limit);
            return events == limit || lives == limit;
        });
    }

    @Override
    public boolean knows(ContainerKey container) {
        return place.writing().number(KNOWS, container.namespace(), container.id()) > 0;
    }

    @Override
    public Optional<Instant> oldest() {
        return place.writing().time(OLDEST);
    }

    @Override
    public Optional<Instant> agedTo() {
        return place.writing().time(AGED_TO);
    }

    @Override
    public void setAgedTo(Instant time) {
        int _ = place.write(session -> session.update(SET_AGED_TO, time.toEpochMilli()));
    }

    @Override
    public void keepInPlace() {
        place.keep();
    }

    @Override
    public boolean replaceIfUnusable(Duration patience) {
        return place.replaceIfUnusable(patience);
    }

    @Override
    public boolean shrink() {
        failures.logCounts();
        SqliteSession session = place.writing();
        try {
            if (files.journalSize() > MOST_JOURNAL_BYTES) {
                emptyJournal(session);
            }
            return shrinkFile(session);
        } finally {
            files.noteSizes();
        }
    }

    /** Without a wait for readers: the recorder has other things to do. */
    private void emptyJournal(SqliteSession session) {
        session.execute("PRAGMA busy_timeout = 0");
        boolean busy;
        try {
            busy = session.number("PRAGMA wal_checkpoint(TRUNCATE)") != 0;
        } finally {
            session.execute("PRAGMA busy_timeout = " + SqliteSession.BUSY_MILLIS);
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
    private boolean shrinkFile(SqliteSession session) {
        long free = session.number("PRAGMA freelist_count");
        long spare = Math.max(SPARE_PAGES, session.number("PRAGMA page_count") / 8);
        if (free <= spare || session.number("PRAGMA auto_vacuum") == 0) {
            return false;
        }
        session.execute("PRAGMA incremental_vacuum(" + SHRINK_PAGES + ")");
        boolean more = free - SHRINK_PAGES > spare;
        if (!more) {
            emptyJournal(session); // the file itself becomes shorter only now
        }
        return more;
    }

    @Override
    public void close() {
        place.close();
    }
}
