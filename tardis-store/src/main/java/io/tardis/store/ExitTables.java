package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeRef;
import io.tardis.core.wire.MalformedMessageException;
import io.tardis.core.wire.Published.Begun;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.store.LifeState.Stage;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
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
 * passed over and logged. What is looked up in them is here, and what is written in {@link
 * SqliteExitLog}.
 */
abstract class ExitTables implements ExitLog.Reader {

    private static final Logger LOG = LoggerFactory.getLogger(ExitTables.class);

    /** The columns that {@link #life} reads. */
    private static final String LIVES =
            """
            SELECT life, created_at, stage, event, crc, namespace, container_id FROM lives AS l
            """;

    static final String NEWEST =
            LIVES + "WHERE namespace = ?1 AND container_id = ?2 ORDER BY created_at DESC LIMIT 1";
    static final String LIFE = LIVES + "WHERE life = ?3 AND namespace = ?1 AND container_id = ?2";
    static final String OPEN = newestOfEach("stage = 1", "");
    static final String OPEN_OF_NAMESPACE = newestOfEach("namespace = ?2 AND stage = 1", "");
    static final String OVER = newestOfEach("stage > 1", "ORDER BY l.recorded_at DESC");
    static final String OVER_OF_NAMESPACE =
            newestOfEach("namespace = ?2 AND stage > 1", "ORDER BY l.recorded_at DESC");
    static final String EVENTS_AFTER = "SELECT event, crc FROM events WHERE seq > ? ORDER BY seq";
    static final String FIRST_SEQ = "SELECT coalesce(min(seq), 0) FROM events";
    static final String LAST_SEQ = "SELECT value FROM meta WHERE key = 'last_seq'";

    final LogFiles files;

    private static String newestOfEach(String condition, String order) {
        return LIVES
                + """
                WHERE %s AND created_at = (SELECT max(created_at) FROM lives
                  WHERE namespace = l.namespace AND container_id = l.container_id) %s LIMIT ?1\
                """
                        .formatted(condition, order);
    }

    ExitTables(LogFiles files) {
        this.files = files;
    }

    /** The connection of this one's thread. */
    abstract SqliteSession session();

    @Override
    public boolean isSafe() {
        return files.isSafe();
    }

    @Override
    public void forgetPages() {
        session().execute("PRAGMA shrink_memory");
    }

    @Override
    public Object state() {
        SqliteSession session = session();
        // SQLite counts the commits of other connections, for each connection.
        return List.of(session, session.number("PRAGMA data_version"), isSafe());
    }

    @Override
    public Optional<LifeState> newest(ContainerKey container) {
        return session().first(NEWEST, this::life, container.namespace(), container.id());
    }

    @Override
    public Optional<LifeState> life(ContainerKey container, String id) {
        return session().first(LIFE, this::life, container.namespace(), container.id(), id);
    }

    @Override
    public List<LifeState> newestOfEach(Optional<String> namespace, int limit) {
        List<String> statements =
                namespace.isPresent()
                        ? List.of(OPEN_OF_NAMESPACE, OVER_OF_NAMESPACE)
                        : List.of(OPEN, OVER);
        Object[] values = Stream.concat(Stream.of(limit), namespace.stream()).toArray();
        return statements.stream()
                .flatMap(it -> session().query(limit, it, this::life, values).stream())
                .toList();
    }

    @Override
    public List<ExitEvent> eventsAfter(long seq, int limit) {
        return session()
                .query(
                        limit,
                        EVENTS_AFTER,
                        row -> decoded(row, 1, PublishedCodec::decodeExit),
                        seq);
    }

    @Override
    public long firstSeq() {
        return session().number(FIRST_SEQ);
    }

    @Override
    public long lastSeq() {
        return session().number(LAST_SEQ);
    }

    private @Nullable LifeState life(ResultSet row) throws SQLException {
        return decoded(row, 4, json -> life(row, json));
    }

    private static LifeState life(ResultSet row, byte[] json) throws SQLException {
        Stage stage = Stage.of(row.getInt(3));
        LifeRef ref =
                new LifeRef(
                        row.getString(1),
                        Instant.EPOCH.plus(row.getLong(2), ChronoUnit.MICROS),
                        stage != Stage.NOT_KEPT);
        Optional<ExitEvent> end =
                stage.compareTo(Stage.ASSUMED) < 0
                        ? Optional.empty()
                        : Optional.of(PublishedCodec.decodeExit(json).ofLife(ref));
        Begun begun =
                end.map(it -> LifeState.begun(it.exit().container(), ref))
                        .orElseGet(() -> PublishedCodec.decodeBegun(json).ofLife(ref));
        // The checksum is that of the event alone: a spoiled index or column could give it to
        // another container.
        if (!begun.container().equals(new ContainerKey(row.getString(6), row.getString(7)))) {
            throw new IllegalArgumentException("it is not of the container that it is kept for");
        }
        return new LifeState(begun, stage, end, false);
    }

    private interface Decoder<T> {
        T decode(byte[] json) throws SQLException;
    }

    /**
     * What is in a column, whose checksum is in the next one; null, and logged, if it is spoiled.
     */
    private <T> @Nullable T decoded(ResultSet row, int column, Decoder<T> decoder)
            throws SQLException {
        byte[] json = row.getBytes(column);
        if (json == null || crc(json) != row.getLong(column + 1)) {
            LOG.error("a record in {} is damaged and is passed over", files.file());
            return null;
        }
        try {
            return decoder.decode(json);
        } catch (MalformedMessageException | IllegalArgumentException e) {
            LOG.error("a record in {} cannot be understood and is passed over", files.file(), e);
            return null;
        }
    }

    static long crc(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return crc.getValue();
    }
}
