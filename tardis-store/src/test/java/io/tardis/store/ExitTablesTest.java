package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.assumed;
import static io.tardis.store.Exits.begun;
import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.end;
import static io.tardis.store.Exits.ending;
import static io.tardis.store.Exits.exec;
import static io.tardis.store.Exits.exit;
import static io.tardis.store.Exits.keptAfter;
import static io.tardis.store.Exits.life;
import static io.tardis.store.Exits.lost;
import static io.tardis.store.Exits.notKept;
import static io.tardis.store.Exits.ofLife;
import static io.tardis.store.Exits.outOfMemory;
import static io.tardis.store.Exits.passing;
import static io.tardis.store.Exits.recorded;
import static org.assertj.core.api.Assertions.as;
import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeRef;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Lost;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Answer.Unknown;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.Published.Begun;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.HandClock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.event.Level;

/** What is kept of lives, and what is answered from that. */
@Timeout(60)
class ExitTablesTest {

    @TempDir private Path directory;
    private final HandClock clock = new HandClock();
    private Path file;
    private SqliteExitLog log;

    @BeforeEach
    void open() {
        file = directory.resolve("exits.db");
        log = SqliteExitLog.openWriter(file, clock, () -> true);
    }

    @AfterEach
    void close() {
        log.close();
    }

    @Test
    void runsFromItsBeginOnAndHasExitedOnceItsEndIsKnown() {
        Begun begun = begun(life("life", 0), TC, 100);
        append(begun);
        assertThat(newest()).isEqualTo(new Running(TC, Optional.of(begun)));
        assertThat(log.eventsAfter(0, 10)).isEmpty();

        log.append(List.of(ending("life", 0, exit(7, TC, 100, 42))));

        assertThat(newest()).isEqualTo(end("life", 0, exit(7, TC, 100, 42)).answer(true));
        assertThat(log.lastSeq()).isEqualTo(7);
        append(begun);
        assertThat(newest()).as("its begin once more").isInstanceOf(Exited.class);
    }

    @Test
    void keepsEveryFieldOfABegin() {
        Begun begun =
                new Begun(
                        17,
                        TC,
                        new LifeRef("life", Instant.parse("2025-04-04T19:10:59.783072Z"), true),
                        OptionalLong.of(6615),
                        OptionalLong.of(123456),
                        OptionalLong.empty());
        append(begun);
        reopen();

        assertThat(newest()).isEqualTo(new Running(TC, Optional.of(begun)));
    }

    @Test
    void isLostUntilItsExitComesAfterAll() {
        Begun begun = begun(life("life", 0), TC, 100);
        append(begun, lost(life("life", 0), TC));
        assertThat(newest()).isEqualTo(new Lost(TC, Optional.of(begun)));
        append(begun);
        assertThat(newest()).as("its begin once more").isInstanceOf(Lost.class);

        log.append(List.of(ending("life", 0, exit(7, TC, 100, 42))));
        assertThat(newest()).isEqualTo(end("life", 0, exit(7, TC, 100, 42)).answer(true));

        append(lost(life("life", 0), TC));
        assertThat(newest()).as("and stays").isInstanceOf(Exited.class);
    }

    @Test
    void isLostAlsoWhereItsBeginWasNeverReceived() {
        append(lost(life("life", 0), TC));

        assertThat(newest())
                .isEqualTo(new Lost(TC, Optional.of(LifeState.begun(TC, life("life", 0)))));
    }

    @Test
    void saysAfterWhichExitItWasLostWhereItsBeginWasNeverReceived() {
        append(new Published.Lost(17, TC, life("life", 0)));

        assertThat(newest())
                .isInstanceOfSatisfying(
                        Lost.class,
                        it -> assertThat(it.begun().map(Published::lastSeq)).contains(17L));
    }

    @Test
    void keepsTheFirstRealEndOfALife() {
        log.append(List.of(ending("life", 0, assumed(1, TC, 10, 137))));
        assertThat(code()).isEqualTo(137);

        log.append(List.of(ending("life", 0, assumed(2, TC, 10, 255))));
        assertThat(code()).as("the first of two that were assumed").isEqualTo(137);

        log.append(List.of(ending("life", 0, exit(3, TC, 10, 42))));
        assertThat(code()).as("a real one is better").isEqualTo(42);

        log.append(List.of(ending("life", 0, exit(4, TC, 10, 43))));
        log.append(List.of(ending("life", 0, assumed(5, TC, 10, 255))));
        assertThat(code()).as("and stays").isEqualTo(42);
    }

    @Test
    void correctsAnEndOnceItIsKnownThatMemoryRanOut() {
        ExitEvent event = exit(1, TC, 10, 137);
        log.append(List.of(ending("life", 0, event)));
        log.append(List.of(ending("life", 0, outOfMemory(2, exit(2, TC, 10, 1)))));
        assertThat(newest()).as("another code").isEqualTo(exited(event));

        log.append(List.of(ending("life", 0, outOfMemory(3, event))));
        log.append(List.of(ending("life", 0, event)));

        assertThat(newest()).isEqualTo(exited(outOfMemory(3, event)));
        assertThat(log.eventsAfter(2, 9)).extracting(ExitEvent::seq).containsExactly(3L);
    }

    private static Exited exited(ExitEvent event) {
        return new Exited(ofLife(life("life", 0), event), true);
    }

    @Test
    void answersWithTheNewestLifeWhateverTheOrderOfTheEnds() {
        log.append(List.of(ending("second", 2, exit(1, TC, 20, 2))));
        log.append(List.of(ending("first", 1, exit(2, TC, 10, 1))));

        assertThat(code()).isEqualTo(2);
    }

    @Test
    void neverAnswersWithAnEarlierLife() {
        log.append(List.of(ending("first", 0, exit(1, TC, 100, 0))));
        Begun second = begun(life("second", 1), TC, 200);
        append(second);
        assertThat(newest()).isEqualTo(new Running(TC, Optional.of(second)));

        append(lost(life("second", 1), TC));
        assertThat(newest()).isEqualTo(new Lost(TC, Optional.of(second)));
    }

    @Test
    void answersForAnEarlierLifeByItsId() {
        log.append(List.of(ending("first", 0, exit(1, TC, 100, 3))));
        log.append(List.of(ending("second", 1, exit(2, TC, 200, 4))));

        assertThat(log.life(TC, "first")).contains(end("first", 0, exit(1, TC, 100, 3)));
        assertThat(log.life(TC, "second")).contains(end("second", 1, exit(2, TC, 200, 4)));
        assertThat(log.life(TC, "third")).isEmpty();
        assertThat(log.life(container("other"), "first")).isEmpty();
    }

    @Test
    void answersUnknownWhereTheNewestLifeIsNotKept() {
        log.append(List.of(ending("first", 0, exit(1, TC, 100, 0))));
        append(begun(notKept("second", 1), TC, 200));

        assertThat(newest()).isEqualTo(new Unknown(TC));
        assertThat(log.life(TC, "first")).isPresent();
        assertThat(log.newestOfEach(Optional.empty(), 10)).isEmpty();

        log.append(List.of(ending("third", 2, exit(3, TC, 300, 5))));
        assertThat(code()).isEqualTo(5);
    }

    /** The clock was set back by a day; the third life comes after the second all the same. */
    @Test
    void ordersLivesAsTheyBeganWhateverTheClockSays() {
        append(begun(life("first", 86_400), TC, 100));
        log.append(List.of(ending("first", 86_400, exit(1, TC, 100, 1))));
        append(begun(life("second", 0), TC, 200));
        assertThat(newest()).isInstanceOf(Running.class);
        log.append(List.of(ending("second", 0, exit(2, TC, 200, 2))));
        assertThat(code()).isEqualTo(2);

        append(begun(notKept("third", 1), TC, 300));
        assertThat(newest()).isEqualTo(new Unknown(TC));
        append(begun(life("fourth", 2), TC, 400), lost(life("fourth", 2), TC));
        assertThat(newest()).isInstanceOf(Lost.class);
        log.append(List.of(ending("fourth", 2, exit(4, TC, 400, 4))));
        assertThat(code()).isEqualTo(4);
    }

    @Test
    void takesTheEndOfALifeThatIsKeptAfterAllFromWhatWasPublished() {
        log.append(List.of(passing(ofLife(notKept("life", 0), exit(7, TC, 100, 42)))));
        assertThat(newest()).isEqualTo(new Unknown(TC));
        clock.move(Duration.ofHours(1));

        append(keptAfter(7, life("life", 0), TC));

        assertThat(newest()).isEqualTo(end("life", 0, exit(7, TC, 100, 42)).answer(true));
        Instant beforeItWasKept = clock.instant().minusSeconds(1);
        assertThat(log.prune(Instant.EPOCH, beforeItWasKept, 10)).isFalse();
        assertThat(log.knows(TC)).isTrue();
    }

    @Test
    void takesItAlsoWhereTheLifeWasKnownNotToBeKept() {
        log.append(List.of(ending("first", 0, exit(1, TC, 100, 0))));
        append(begun(notKept("life", 1), TC, 200));
        append(
                new Published.Exit(ofLife(notKept("life", 1), assumed(2, TC, 200, 137))),
                keptAfter(2, life("life", 1), TC));
        assertThat(code()).isEqualTo(137);

        log.append(List.of(ending("life", 1, exit(3, TC, 200, 9))));
        assertThat(code()).as("a real one is better than an assumed one").isEqualTo(9);
    }

    /** It is too old to be replayed, or was given up when the disk was full. */
    @Test
    void isLostWhereTheEndThatWasPublishedIsNotThere() {
        log.append(List.of(passing(exec(8, TC, 101, 0))));

        append(keptAfter(7, life("life", 0), TC));

        assertThat(newest())
                .isInstanceOfSatisfying(
                        Lost.class,
                        it ->
                                assertThat(it.begun().orElseThrow().life())
                                        .isEqualTo(life("life", 0)));
    }

    @Test
    void keepsTheEndOfALifeThatWasKeptFromTheFirst() {
        log.append(List.of(ending("life", 0, exit(7, TC, 100, 42))));

        append(keptAfter(7, life("life", 0), TC));
        append(keptAfter(99, life("life", 0), TC));

        assertThat(newest()).isEqualTo(end("life", 0, exit(7, TC, 100, 42)).answer(true));
    }

    @Test
    void knowsAContainerByAnyOfItsLives() {
        assertThat(log.knows(TC)).isFalse();
        append(begun(life("life", 0), TC, 100));

        assertThat(log.knows(TC)).isTrue();
        assertThat(log.knows(container("other"))).isFalse();
    }

    @Test
    void listsTheOpenLivesAndThenTheNewestEndOfEachContainer() {
        ContainerKey elsewhere = new ContainerKey("k8s.io", "tc");
        for (Recorded each :
                List.of(
                        ending("tc-1", 1, exit(1, TC, 1, 1)),
                        ending("a-1", 3, exit(2, container("a"), 2, 2)),
                        ending("tc-2", 2, exit(3, TC, 3, 3)),
                        ending("else-1", 0, exit(4, elsewhere, 4, 4)),
                        recorded(begun(life("open-1", 0), container("open"), 5)),
                        ending("b-1", 0, exit(5, container("b"), 6, 6)),
                        recorded(begun(life("b-2", 1), container("b"), 7)),
                        recorded(lost(life("gone-1", 0), container("gone"))),
                        ending("c-1", 0, exit(8, container("c"), 8, 8)),
                        recorded(begun(notKept("c-2", 1), container("c"), 9)))) {
            clock.move(Duration.ofMillis(1));
            log.append(List.of(each));
        }

        List<String> all = list(Optional.empty(), 10);
        assertThat(all.subList(0, 2)).containsExactlyInAnyOrder("open-1", "b-2");
        assertThat(all.subList(2, all.size())).containsExactly("gone-1", "else-1", "tc-2", "a-1");
        List<String> ofNamespace = list(Optional.of("default"), 10);
        assertThat(ofNamespace.subList(0, 2)).containsExactlyInAnyOrder("open-1", "b-2");
        assertThat(ofNamespace.subList(2, ofNamespace.size()))
                .containsExactly("gone-1", "tc-2", "a-1");
        assertThat(list(Optional.of("k8s.io"), 10)).containsExactly("else-1");
        assertThat(list(Optional.of("default"), 1)).hasSize(2).endsWith("gone-1");
        assertThat(list(Optional.of("nowhere"), 10)).isEmpty();
    }

    @Test
    void keepsALifeFromItsEndOnAndAnOpenOneForGood() {
        append(
                begun(life("open", 0), container("open"), 1),
                begun(life("ended", 0), container("ended"), 2),
                begun(life("lost", 0), container("lost"), 3),
                begun(life("old", 0), container("old"), 4),
                begun(notKept("other", 0), container("other"), 5));
        log.append(List.of(ending("old", 0, exit(1, container("old"), 4, 0))));
        clock.move(Duration.ofDays(40));
        log.append(List.of(ending("ended", 0, exit(2, container("ended"), 2, 0))));
        append(lost(life("lost", 0), container("lost")));
        Instant before = clock.instant().minus(Duration.ofDays(30));

        assertThat(log.prune(Instant.EPOCH, before, 10)).isFalse();
        assertThat(known()).containsExactly("open", "ended", "lost");
        assertThat(list(Optional.empty(), 10)).containsExactlyInAnyOrder("open", "ended", "lost");

        clock.move(Duration.ofDays(31));
        Instant later = clock.instant().minus(Duration.ofDays(30));
        assertThat(log.prune(Instant.EPOCH, later, 10)).isFalse();
        assertThat(known()).containsExactly("open");
        assertThat(list(Optional.empty(), 10)).containsExactly("open");
    }

    @Test
    void passesOverARecordWithAFlippedByteAndLogsIt() throws SQLException {
        try (CapturedLog logged = new CapturedLog(ExitTables.class)) {
            log.append(
                    List.of(
                            ending("a", 0, exit(1, container("a"), 1, 7)),
                            ending("b", 0, exit(2, container("b"), 2, 7))));
            // 7 becomes 0: still JSON, and the worst of all lies.
            for (String table : List.of("events", "lives")) {
                sql(
                        "UPDATE %s SET event = CAST(replace(CAST(event AS TEXT), '\"exit_status\":7', '\"exit_status\":0') AS BLOB) WHERE CAST(event AS TEXT) LIKE '%%\"seq\":1,%%'"
                                .formatted(table));
            }

            assertThat(log.eventsAfter(0, 10)).extracting(ExitEvent::seq).containsExactly(2L);
            assertThat(log.newest(container("a"))).isEmpty();
            assertThat(log.life(container("a"), "a")).isEmpty();
            assertThat(list(Optional.empty(), 10)).containsExactly("b");
            assertThat(logged.at(Level.ERROR))
                    .isNotEmpty()
                    .allSatisfy(it -> assertThat(it).contains(file.toString(), "damaged"));
        }
    }

    @Test
    void isLostWhereTheEndThatWasPublishedIsDamaged() throws SQLException {
        log.append(List.of(passing(exit(7, TC, 100, 0)), passing(exit(8, TC, 101, 0))));
        sql("UPDATE events SET crc = crc + 1 WHERE seq = 7");
        try (CapturedLog logged = new CapturedLog(ExitTables.class)) {
            append(keptAfter(7, life("life", 0), TC));

            assertThat(newest()).isInstanceOf(Lost.class);
            assertThat(logged.at(Level.ERROR)).hasSize(1);
        }
    }

    /** The end of an earlier life is no answer for a later one whose record is damaged. */
    @Test
    void doesNotAnswerWithAnOlderLifeWhereTheNewestIsDamaged() throws SQLException {
        try (CapturedLog logged = new CapturedLog(ExitTables.class)) {
            log.append(List.of(ending("first", 1, exit(1, TC, 1, 0))));
            log.append(List.of(ending("second", 2, exit(2, TC, 2, 7))));
            sql("UPDATE lives SET crc = crc + 1 WHERE life = 'second'");

            assertThat(log.newest(TC)).isEmpty();
            assertThat(logged.at(Level.ERROR)).hasSize(1);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "container_id = 'tc'",
                "stage = 5, container_id = 'tc'",
                "stage = -1, container_id = 'tc'",
                "stage = 1, container_id = 'tc'",
                "life = 'a/b', container_id = 'tc'",
                "namespace = 'a/b'"
            })
    void givesNoContainerTheLifeOfAnother(String spoiled) throws SQLException {
        try (CapturedLog _ = new CapturedLog(ExitTables.class)) {
            log.append(List.of(ending("life", 0, exit(1, container("other"), 1, 0))));
            sql("UPDATE lives SET " + spoiled);

            assertThat(log.newest(TC)).isEmpty();
            assertThat(log.life(TC, "life")).isEmpty();
            assertThat(log.newestOfEach(Optional.empty(), 10)).isEmpty();
        }
    }

    @Test
    void logsALifeThatIsOfAnotherContainer() throws SQLException {
        try (CapturedLog logged = new CapturedLog(ExitTables.class)) {
            log.append(List.of(ending("life", 0, exit(1, container("other"), 1, 0))));
            sql("UPDATE lives SET container_id = 'tc'");

            assertThat(log.newest(TC)).isEmpty();
            assertThat(log.newestOfEach(Optional.empty(), 10)).isEmpty();
            assertThat(logged.at(Level.ERROR))
                    .hasSize(2)
                    .allMatch(it -> it.contains(file.toString()));
        }
    }

    /** With millions of records, a statement that reads a whole table holds every client up. */
    @ParameterizedTest
    @FieldSource("STATEMENTS")
    void readsNoTableAsAWhole(String statement) throws SQLException {
        List<String> plan = new ArrayList<>();
        try (Connection connection = connection();
                ResultSet rows =
                        connection
                                .createStatement()
                                .executeQuery("EXPLAIN QUERY PLAN " + statement)) {
            while (rows.next()) {
                plan.add(rows.getString("detail"));
            }
        }

        assertThat(plan)
                .as(statement)
                .noneMatch(it -> it.contains("TEMP B-TREE"))
                // In the order of an index it reads as much as it gives.
                .noneMatch(it -> it.startsWith("SCAN") && !BOUNDED_SCANS.contains(it));
    }

    static final List<String> STATEMENTS =
            List.of(
                    ExitTables.NEWEST,
                    ExitTables.LIFE,
                    ExitTables.OPEN,
                    ExitTables.OPEN_OF_NAMESPACE,
                    ExitTables.OVER,
                    ExitTables.OVER_OF_NAMESPACE,
                    SqliteExitLog.KNOWS,
                    ExitTables.EVENTS_AFTER,
                    ExitTables.FIRST_SEQ,
                    ExitTables.LAST_SEQ,
                    SqliteExitLog.OLDEST,
                    SqliteExitLog.AGED_TO,
                    SqliteExitLog.INSERT_EVENT,
                    SqliteExitLog.PUT_LIFE,
                    SqliteExitLog.DELETE_EVENTS,
                    SqliteExitLog.DELETE_LIVES);

    private static final Set<String> BOUNDED_SCANS =
            Set.of(
                    "SCAN l USING INDEX lives_by_age",
                    "SCAN l USING INDEX open_lives",
                    "SCAN (subquery-1)");

    /** The tables as the first version made them, and what it wrote into them. */
    @Test
    void answersAllThatTheFirstVersionRecorded() throws SQLException {
        makeFileOfTheFirstVersion();

        for (int start = 0; start < 2; start++) {
            log = SqliteExitLog.openWriter(file, clock, () -> true);

            assertThat(newest()).isEqualTo(end("second", 1, exit(2, TC, 200, 4)).answer(true));
            assertThat(log.life(TC, "first")).contains(end("first", 0, exit(1, TC, 100, 3)));
            assertThat(log.newest(container("killed")))
                    .contains(end("third", 0, assumed(3, container("killed"), 300, 137)));
            assertThat(log.newest(container("other")))
                    .contains(end("exit-4", 0, exit(4, container("other"), 400, 5)));
            assertThat(list(Optional.of("default"), 10))
                    .containsExactlyInAnyOrder("second", "third", "exit-4");
            assertThat(log.eventsAfter(0, 10))
                    .containsExactly(
                            exit(1, TC, 100, 3),
                            exit(2, TC, 200, 4),
                            assumed(3, container("killed"), 300, 137),
                            exit(4, container("other"), 400, 5));
            assertThat(log.lastSeq()).isEqualTo(9);
            log.close();
        }

        log = SqliteExitLog.openWriter(file, clock, () -> true);
        log.append(List.of(ending("second", 1, exit(11, TC, 200, 7))));
        log.append(List.of(ending("third", 0, exit(12, container("killed"), 300, 8))));
        append(begun(life("fourth", 2), container("other"), 500));
        assertThat(code()).as("the first real end").isEqualTo(4);
        assertThat(answer(container("killed"))).isInstanceOf(Exited.class);
        assertThat(log.newest(container("killed")).flatMap(LifeState::end).orElseThrow().seq())
                .as("a real end after an assumed one")
                .isEqualTo(12);
        assertThat(answer(container("other"))).isInstanceOf(Running.class);
        try (CapturedLog logged = new CapturedLog(ExitLogFile.class)) {
            reopen();
            assertThat(logged.at(Level.ERROR)).isEmpty();
        }
        assertThat(tablesWithoutRowid()).isZero();
    }

    @Test
    void goesOnWithTheTableOfAnEarlierVersionWhereTheDiskIsFull() throws Exception {
        makeFileOfTheFirstVersion();
        SqliteExitLog.openWriter(file, clock, () -> true).close();
        try (Connection connection = connection();
                Statement statement = connection.createStatement()) {
            statement.executeUpdate(
                    """
                    CREATE TABLE former (
                      life TEXT PRIMARY KEY, namespace TEXT NOT NULL, container_id TEXT NOT NULL,
                      created_at INTEGER NOT NULL, recorded_at INTEGER NOT NULL, stage INTEGER NOT NULL,
                      event BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
                    INSERT INTO former SELECT * FROM lives;
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                      INSERT INTO former SELECT 'x' || i, 'x', 'x' || i, i, 0, 4, zeroblob(400), 0 FROM n;
                    DROP TABLE lives;
                    ALTER TABLE former RENAME TO lives;
                    VACUUM\
                    """);
        }
        Path wal = Path.of(file + "-wal");

        try (SqliteSession session = ExitLogFile.openForReading(file);
                CapturedLog logged = new CapturedLog(ExitLogSchema.class)) {
            session.execute("PRAGMA max_page_count = 1"); // no more than there are
            session.execute("PRAGMA cache_size = 10; PRAGMA wal_autocheckpoint = 0");

            ExitLogSchema.apply(session);

            assertThat(logged.at(Level.WARN))
                    .singleElement(as(InstanceOfAssertFactories.STRING))
                    .contains("full", "MiB on its disk", "the next start");
            assertThat(Files.size(wal)).as("the write-ahead log").isZero();
            assertThat(session.number("SELECT count(*) FROM lives")).isEqualTo(5_004);
        }
        assertThat(tablesWithoutRowid()).isEqualTo(1);

        reopen();
        assertThat(log.life(TC, "first")).contains(end("first", 0, exit(1, TC, 100, 3)));
        assertThat(tablesWithoutRowid()).as("after the next start").isZero();
    }

    private int tablesWithoutRowid() throws SQLException {
        try (Connection connection = connection();
                Statement statement = connection.createStatement();
                ResultSet tables =
                        statement.executeQuery("SELECT count(*) FROM pragma_table_list WHERE wr")) {
            return tables.getInt(1);
        }
    }

    private void makeFileOfTheFirstVersion() throws SQLException {
        log.close();
        file = directory.resolve("first.db");
        try (Connection connection = connection();
                Statement statement = connection.createStatement()) {
            statement.executeUpdate(
                    """
                    PRAGMA application_id = 1413567044;
                    PRAGMA user_version = 1;
                    CREATE TABLE events (
                      seq INTEGER PRIMARY KEY, recorded_at INTEGER NOT NULL, event BLOB NOT NULL, crc INTEGER NOT NULL);
                    CREATE INDEX events_by_age ON events (recorded_at);
                    CREATE TABLE lives (
                      life TEXT PRIMARY KEY, namespace TEXT NOT NULL, container_id TEXT NOT NULL, created_at INTEGER NOT NULL,
                      recorded_at INTEGER NOT NULL, assumed INTEGER NOT NULL, event BLOB NOT NULL, crc INTEGER NOT NULL)
                    WITHOUT ROWID;
                    CREATE INDEX lives_by_container ON lives (namespace, container_id, created_at);
                    CREATE INDEX lives_by_age ON lives (recorded_at);
                    CREATE INDEX lives_by_namespace_and_age ON lives (namespace, recorded_at);
                    CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
                    INSERT INTO meta VALUES ('last_seq', 9)\
                    """);
            insertAsFirstVersion(connection, "first", 0, exit(1, TC, 100, 3));
            insertAsFirstVersion(connection, "second", 1, exit(2, TC, 200, 4));
            insertAsFirstVersion(connection, "third", 0, assumed(3, container("killed"), 300, 137));
            insertAsFirstVersion(connection, "exit-4", 0, exit(4, container("other"), 400, 5));
        }
    }

    private static void insertAsFirstVersion(
            Connection connection, String life, long began, ExitEvent event) throws SQLException {
        byte[] json = PublishedCodec.encode(new Published.Exit(event));
        CRC32 crc = new CRC32();
        crc.update(json);
        try (PreparedStatement insert =
                connection.prepareStatement("INSERT INTO events VALUES (?, ?, ?, ?)")) {
            insert.setLong(1, event.seq());
            insert.setLong(2, event.exit().exitedAt().toEpochMilli());
            insert.setBytes(3, json);
            insert.setLong(4, crc.getValue());
            insert.executeUpdate();
        }
        Instant createdAt = life(life, began).createdAt();
        try (PreparedStatement insert =
                connection.prepareStatement("INSERT INTO lives VALUES (?, ?, ?, ?, ?, ?, ?, ?)")) {
            insert.setString(1, life);
            insert.setString(2, event.exit().container().namespace());
            insert.setString(3, event.exit().container().id());
            insert.setLong(4, createdAt.getEpochSecond() * 1_000_000 + createdAt.getNano() / 1_000);
            insert.setLong(5, event.exit().exitedAt().toEpochMilli());
            insert.setInt(6, event.source().word().equals("assumed") ? 1 : 0);
            insert.setBytes(7, json);
            insert.setLong(8, crc.getValue());
            insert.executeUpdate();
        }
    }

    private List<String> known() {
        return Stream.of("open", "ended", "lost", "old", "other")
                .filter(it -> log.knows(container(it)))
                .toList();
    }

    private void append(Published... messages) {
        for (Published each : messages) {
            log.append(List.of(recorded(each)));
        }
    }

    private void reopen() {
        log.close();
        log = SqliteExitLog.openWriter(file, clock, () -> true);
    }

    private Answer newest() {
        return answer(TC);
    }

    private Answer answer(ContainerKey container) {
        return log.newest(container)
                .<Answer>map(it -> it.answer(true))
                .orElseGet(() -> new Unknown(container));
    }

    private long code() {
        return log.newest(TC).flatMap(LifeState::end).orElseThrow().exit().exitStatus();
    }

    private List<String> list(Optional<String> namespace, int limit) {
        return log.newestOfEach(namespace, limit).stream().map(LifeState::lifeId).toList();
    }

    /** As another program would. */
    private void sql(String text) throws SQLException {
        try (Connection connection = connection();
                Statement statement = connection.createStatement()) {
            statement.executeUpdate(text);
        }
    }

    private Connection connection() throws SQLException {
        return DriverManager.getConnection("jdbc:sqlite:" + file);
    }
}
