package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeRef;
import io.tardis.core.wire.MalformedMessageException;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.Published.Begun;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.store.LifeState.Stage;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The tables of {@code exits.db}.
 *
 * <pre>
 * events  seq          INTEGER  the exit's number
 *         recorded_at  INTEGER  when it was written, milliseconds since 1970
 *         event        BLOB     the exit as it was published, JSON
 *         crc          INTEGER  CRC-32 of event
 * lives   life         TEXT     the life's id
 *         namespace, container_id
 *         created_at   INTEGER  orders the lives of a container: when the life began, microseconds since
 *                               1970, or just after the life before it if the clock was set back since
 *         recorded_at  INTEGER  as above, when the stage was reached
 *         stage        INTEGER  {@link LifeState.Stage}, by its number
 *         event, crc            as above: the exit of a life that ended, else the begin
 * meta    key, value            last_seq: the greatest number ever written; aged_to: what the
 *                               RetentionClock shows, milliseconds since 1970
 * </pre>
 *
 * SQLite has no checksums for its pages, so every record has its own; one that does not match is
 * passed over and logged.
 */
final class ExitTables {

    private static final Logger LOG = LoggerFactory.getLogger(ExitTables.class);

    /** The columns that {@link #life} reads. */
    private static final String LIVES =
            """
            SELECT life, created_at, stage, event, crc, namespace, container_id FROM lives AS l
            """;

    private static final String IS_NEWEST =
            """
             created_at = (SELECT max(created_at) FROM lives
                           WHERE namespace = l.namespace AND container_id = l.container_id)
            """;
    private static final String IS_OF = " namespace = ?2 AND";
    private static final String IS_OPEN = " stage = 1 AND";
    private static final String IS_OVER = " stage > 1 AND";
    private static final String LAST_FIRST = " ORDER BY l.recorded_at DESC LIMIT ?1";
    private static final String LIMITED = " LIMIT ?1";

    static final String NEWEST =
            LIVES + " WHERE namespace = ?1 AND container_id = ?2 ORDER BY created_at DESC LIMIT 1";
    static final String LIFE = LIVES + " WHERE life = ?3 AND namespace = ?1 AND container_id = ?2";
    static final String OPEN = LIVES + " WHERE" + IS_OPEN + IS_NEWEST + LIMITED;
    static final String OPEN_OF_NAMESPACE =
            LIVES + " WHERE" + IS_OF + IS_OPEN + IS_NEWEST + LIMITED;
    static final String OVER = LIVES + " WHERE" + IS_OVER + IS_NEWEST + LAST_FIRST;
    static final String OVER_OF_NAMESPACE =
            LIVES + " WHERE" + IS_OF + IS_OVER + IS_NEWEST + LAST_FIRST;
    static final String KNOWS =
            "SELECT count(*) FROM (SELECT 1 FROM lives WHERE namespace = ? AND container_id = ? LIMIT 1)";
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
            WHERE lives.stage < excluded.stage\
            """;

    static final String DELETE_EVENTS =
            "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE recorded_at < ? LIMIT ?)";
    static final String DELETE_LIVES =
            """
            DELETE FROM lives WHERE life IN (
              SELECT life FROM lives WHERE recorded_at < ? AND stage <> 1 LIMIT ?)
            RETURNING namespace, container_id\
            """;

    private ExitTables() {}

    static void append(SqliteSession session, List<Recorded> batch, long now) throws SQLException {
        long last = 0;
        for (Recorded recorded : batch) {
            if (recorded.event().isPresent()) {
                insert(session, recorded.event().get(), now);
                last = recorded.event().get().seq();
            }
            if (recorded.state().isPresent()) {
                put(session, recorded.state().get(), now);
            }
        }
        if (last > 0) {
            PreparedStatement meta = session.prepare(SET_LAST_SEQ);
            meta.setLong(1, last);
            meta.executeUpdate();
        }
    }

    private static void insert(SqliteSession session, ExitEvent exit, long now)
            throws SQLException {
        byte[] json = PublishedCodec.encode(new Published.Exit(exit));
        PreparedStatement event = session.prepare(INSERT_EVENT);
        event.setLong(1, exit.seq());
        event.setLong(2, now);
        event.setBytes(3, json);
        event.setLong(4, crc(json));
        event.executeUpdate();
    }

    private static void put(SqliteSession session, LifeState state, long now) throws SQLException {
        byte[] json =
                PublishedCodec.encode(
                        state.end().<Published>map(Published.Exit::new).orElse(state.begun()));
        PreparedStatement life = session.prepare(PUT_LIFE);
        life.setString(1, state.lifeId());
        life.setString(2, state.container().namespace());
        life.setString(3, state.container().id());
        life.setLong(4, micros(state.begun().life().createdAt()));
        life.setLong(5, now);
        life.setInt(6, state.stage().number());
        life.setBytes(7, json);
        life.setLong(8, crc(json));
        life.setBoolean(9, state.newest());
        life.executeUpdate();
        OptionalLong endedSeq = state.begun().endedSeq();
        if (endedSeq.isPresent() && state.stage() == Stage.OPEN) {
            put(session, ended(session, state, endedSeq.getAsLong()), now);
        }
    }

    /** A life whose end was published before it was known that it is kept. */
    private static LifeState ended(SqliteSession session, LifeState state, long seq) {
        LifeRef life = state.begun().life();
        return eventsAfter(session, seq - 1, 1).stream()
                .filter(it -> it.seq() == seq)
                .findFirst()
                .map(it -> LifeState.ended(life, it))
                .orElseGet(() -> LifeState.lost(state.container(), life));
    }

    static int deleteEvents(SqliteSession session, Instant before, int limit) throws SQLException {
        PreparedStatement statement = session.prepare(DELETE_EVENTS);
        statement.setLong(1, before.toEpochMilli());
        statement.setInt(2, limit);
        return statement.executeUpdate();
    }

    /** The containers whose lives were deleted, one for each life. */
    static List<ContainerKey> deleteLives(SqliteSession session, Instant before, int limit) {
        return session.query(
                DELETE_LIVES,
                statement -> {
                    statement.setLong(1, before.toEpochMilli());
                    statement.setInt(2, limit);
                },
                row -> container(row, 1).orElse(null));
    }

    static void setAgedTo(SqliteSession session, Instant time) throws SQLException {
        PreparedStatement meta = session.prepare(SET_AGED_TO);
        meta.setLong(1, time.toEpochMilli());
        meta.executeUpdate();
    }

    static boolean knows(SqliteSession session, ContainerKey container) {
        return session.query(KNOWS, statement -> bind(statement, container), row -> row.getLong(1))
                        .getFirst()
                > 0;
    }

    static Optional<LifeState> newest(SqliteSession session, ContainerKey container) {
        return session
                .query(NEWEST, statement -> bind(statement, container), row -> life(session, row))
                .stream()
                .findFirst();
    }

    static Optional<LifeState> life(SqliteSession session, ContainerKey container, String id) {
        return session
                .query(
                        LIFE,
                        statement -> {
                            bind(statement, container);
                            statement.setString(3, id);
                        },
                        row -> life(session, row))
                .stream()
                .findFirst();
    }

    static List<LifeState> newestOfEach(
            SqliteSession session, Optional<String> namespace, int limit) {
        List<LifeState> lives = new ArrayList<>();
        Set<ContainerKey> containers = new HashSet<>();
        for (String sql :
                namespace.isPresent()
                        ? List.of(OPEN_OF_NAMESPACE, OVER_OF_NAMESPACE)
                        : List.of(OPEN, OVER)) {
            List<LifeState> found =
                    session.query(
                            sql,
                            statement -> {
                                statement.setInt(1, limit);
                                if (namespace.isPresent()) {
                                    statement.setString(2, namespace.get());
                                }
                            },
                            row -> life(session, row));
            // One that ended between the two is not listed twice.
            found.stream().filter(it -> containers.add(it.container())).forEach(lives::add);
        }
        return lives;
    }

    static List<ExitEvent> eventsAfter(SqliteSession session, long seq, int limit) {
        return session.query(
                EVENTS_AFTER,
                statement -> statement.setLong(1, seq),
                row -> {
                    byte[] json = checked(session, row, 1);
                    return json == null
                            ? null
                            : decode(session, () -> PublishedCodec.decodeExit(json));
                },
                limit);
    }

    private static @Nullable LifeState life(SqliteSession session, ResultSet row)
            throws SQLException {
        byte[] json = checked(session, row, 4);
        Optional<Stage> stage = Stage.of(row.getInt(3));
        Optional<ContainerKey> container = container(row, 6);
        String id = row.getString(1);
        if (json == null
                || stage.isEmpty()
                || container.isEmpty()
                || !ContainerKey.isIdentifier(id)) {
            return null;
        }
        LifeRef ref = new LifeRef(id, instant(row.getLong(2)), stage.get() != Stage.NOT_KEPT);
        LifeState life = decode(session, () -> life(ref, stage.get(), json));
        // The checksum is that of the event alone: a spoiled index or column could give it to
        // another container.
        if (life != null && !life.container().equals(container.get())) {
            LOG.error(
                    "a record in {} is not of the container that it is kept for, and is passed over",
                    session.file());
            return null;
        }
        return life;
    }

    private static LifeState life(LifeRef ref, Stage stage, byte[] json) {
        if (stage.compareTo(Stage.ASSUMED) < 0) {
            Begun begun = PublishedCodec.decodeBegun(json);
            Begun own =
                    new Begun(
                            begun.lastSeq(),
                            begun.container(),
                            ref,
                            begun.pid(),
                            begun.startTime(),
                            begun.endedSeq());
            return new LifeState(own, stage, Optional.empty(), false);
        }
        ExitEvent event = PublishedCodec.decodeExit(json);
        ExitEvent own =
                new ExitEvent(
                        event.seq(),
                        event.exit(),
                        event.signal(),
                        event.oomKilled(),
                        event.source(),
                        Optional.of(ref));
        return new LifeState(
                LifeState.begun(event.exit().container(), ref), stage, Optional.of(own), false);
    }

    private interface Decoder<T> {
        T decode();
    }

    private static <T> @Nullable T decode(SqliteSession session, Decoder<T> decoder) {
        try {
            return decoder.decode();
        } catch (MalformedMessageException e) {
            LOG.error("a record in {} cannot be understood and is passed over", session.file(), e);
            return null;
        }
    }

    private static byte @Nullable [] checked(SqliteSession session, ResultSet row, int column)
            throws SQLException {
        byte[] json = row.getBytes(column);
        if (json == null || crc(json) != row.getLong(column + 1)) {
            LOG.error("a record in {} is damaged and is passed over", session.file());
            return null;
        }
        return json;
    }

    private static Optional<ContainerKey> container(ResultSet row, int column) throws SQLException {
        String namespace = row.getString(column);
        String id = row.getString(column + 1);
        return ContainerKey.isIdentifier(namespace) && ContainerKey.isIdentifier(id)
                ? Optional.of(new ContainerKey(namespace, id))
                : Optional.empty();
    }

    private static void bind(PreparedStatement statement, ContainerKey container)
            throws SQLException {
        statement.setString(1, container.namespace());
        statement.setString(2, container.id());
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
