package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.end;
import static io.tardis.store.Exits.ending;
import static io.tardis.store.Exits.exec;
import static io.tardis.store.Exits.exit;
import static io.tardis.store.Exits.life;
import static io.tardis.store.Exits.ofLife;
import static io.tardis.store.Exits.passing;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.tardis.core.SetupException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.ChildJvm;
import io.tardis.testkit.HandClock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.event.Level;

@Timeout(120)
class SqliteExitLogTest {

    /** Of every SQLite file. */
    private static final int HEADER_BYTES = 100;

    @TempDir private Path directory;
    private Path file;
    private final HandClock clock = new HandClock();

    @BeforeEach
    void nameTheFile() {
        file = directory.resolve("exits.db");
    }

    @Test
    void isEmptyAtFirst() {
        try (SqliteExitLog log = open()) {
            assertThat(log.firstSeq()).isZero();
            assertThat(log.lastSeq()).isZero();
            assertThat(log.eventsAfter(0, 10)).isEmpty();
            assertThat(log.newest(TC)).isEmpty();
            assertThat(log.newestOfEach(Optional.empty(), 10)).isEmpty();
        }
    }

    @Test
    void keepsEveryFieldOfAnExit() {
        ExitEvent event =
                new ExitEvent(
                        1_732_330_000_123_001L,
                        new TaskExit(
                                TC,
                                "tc",
                                TaskExit.MAX_UINT32,
                                TaskExit.MAX_UINT32,
                                Instant.parse("2025-04-04T19:10:59.783072931Z")),
                        OptionalInt.of(9),
                        true,
                        ExitSource.KERNEL,
                        Optional.empty());
        try (SqliteExitLog log = open()) {
            log.append(
                    List.of(ending("life", 0, event), passing(exec(event.seq() + 1, TC, 11, 1))));

            assertThat(log.eventsAfter(0, 10))
                    .containsExactly(
                            ofLife(life("life", 0), event), exec(event.seq() + 1, TC, 11, 1));
            assertThat(log.newest(TC)).contains(end("life", 0, event));
        }
    }

    @Test
    void keepsEverythingWhenOpenedAgain() {
        List<Recorded> batch =
                List.of(
                        ending("a", 0, exit(1, container("a"), 10, 0)),
                        passing(exec(2, container("a"), 11, 1)),
                        passing(exit(3, container("b"), 12, 2)));
        try (SqliteExitLog log = open()) {
            log.append(batch);
        }

        try (SqliteExitLog log = open()) {
            assertThat(log.eventsAfter(0, 10))
                    .containsExactlyElementsOf(
                            batch.stream().flatMap(it -> it.event().stream()).toList());
            assertThat(log.newest(container("a"))).isEqualTo(batch.getFirst().state());
            assertThat(log.newest(container("b"))).isEmpty();
            assertThat(log.firstSeq()).isEqualTo(1);
            assertThat(log.lastSeq()).isEqualTo(3);
        }
    }

    @Test
    void showsAReaderWhatTheWriterHasAppended() {
        try (SqliteExitLog writer = open();
                SqliteReader reader = writer.openReader()) {
            for (long seq = 1; seq <= 20; seq++) {
                writer.append(List.of(ending("life-" + seq, seq, exit(seq, TC, seq, 0))));

                assertThat(reader.lastSeq()).isEqualTo(seq);
                assertThat(reader.newest(TC).flatMap(LifeState::end).orElseThrow().seq())
                        .isEqualTo(seq);
            }
        }
    }

    /** An administrator's sqlite3 makes the files shorter, and nothing is lost. */
    @ParameterizedTest
    @ValueSource(strings = {"PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM"})
    void isWholeAfterAnotherProgramMadeItShorter(String sql) {
        try (SqliteExitLog log = open()) {
            for (long seq = 1; seq <= 400; seq++) {
                log.append(List.of(ending("life-" + seq, seq, exit(seq, TC, seq, 0))));
            }
            assertThat(log.prune(clock.instant().plusSeconds(1), clock.instant(), 300)).isTrue();
            try (SqliteSession other = SqliteSession.open(file)) {
                other.execute(sql);
            }

            log.keepInPlace();
            log.append(List.of(ending("later", 500, exit(500, TC, 7, 3))));

            assertThat(log.lastSeq()).isEqualTo(500);
        }
        assertThat(directory.resolve("exits.db.damaged")).doesNotExist();
    }

    /** The writer may have what it needs in memory, and would go on for ever. */
    @Test
    void isDamagedWhereAReaderFindsIt() throws IOException {
        try (SqliteExitLog log = open()) {
            log.append(List.of(ending("life", 1, exit(1, TC, 1, 0))));
            try (SqliteSession other = SqliteSession.open(file)) {
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)");
            }
            log.keepInPlace();
            try (SqliteReader reader = log.openReader()) {
                byte[] bytes = Files.readAllBytes(file);
                Arrays.fill(bytes, 100, bytes.length, (byte) 0x5a);
                Files.write(file, bytes, StandardOpenOption.WRITE);

                assertThatThrownBy(() -> reader.newest(TC)).isInstanceOf(ExitLogException.class);
            }

            assertThatThrownBy(log::keepInPlace).hasMessageContaining("is damaged");
        }
        assertThat(directory.resolve("exits.db.damaged")).exists();
    }

    @Test
    void replaysPageByPage() {
        try (SqliteExitLog log = open()) {
            log.append(
                    LongStream.rangeClosed(1, 25)
                            .mapToObj(i -> passing(exit(i * 10, TC, i, 0)))
                            .toList());

            List<Long> seen = new ArrayList<>();
            long after = 0;
            for (List<ExitEvent> page = log.eventsAfter(after, 10);
                    !page.isEmpty();
                    page = log.eventsAfter(after, 10)) {
                assertThat(page).hasSizeLessThanOrEqualTo(10);
                page.forEach(it -> seen.add(it.seq()));
                after = page.getLast().seq();
            }
            assertThat(seen)
                    .containsExactlyElementsOf(
                            LongStream.rangeClosed(1, 25).map(i -> i * 10).boxed().toList());
            assertThat(log.eventsAfter(Long.MAX_VALUE, 10)).isEmpty();
        }
    }

    @Test
    void passesOverANumberThatIsThereAlready() {
        try (SqliteExitLog log = open()) {
            log.append(List.of(passing(exit(1, TC, 10, 3))));
            log.append(List.of(passing(exit(1, TC, 10, 4)), passing(exit(2, TC, 11, 5))));

            assertThat(log.eventsAfter(0, 10))
                    .containsExactly(exit(1, TC, 10, 3), exit(2, TC, 11, 5));
        }
    }

    @Test
    void neverGoesBackWithTheLastNumber() {
        try (SqliteExitLog log = open()) {
            log.append(List.of(passing(exit(7, TC, 10, 0))));
            log.append(List.of(passing(exit(3, TC, 11, 0))));

            assertThat(log.lastSeq()).isEqualTo(7);
            assertThat(log.firstSeq()).isEqualTo(3);
        }
    }

    @Test
    void writesAllOfAGroupOrNothing() throws SQLException {
        try (SqliteExitLog log = open()) {
            log.append(List.of(passing(exit(1, TC, 1, 0))));
            refuse(13, "ABORT");

            assertThatThrownBy(() ->
                            log.append(
                                    List.of(
                                            ending("twelve", 0, exit(12, TC, 12, 0)),
                                            passing(exit(13, TC, 13, 0)))))
                    .isInstanceOf(ExitLogException.class)
                    .hasMessageContaining(file.toString());

            assertThat(log.eventsAfter(0, 10)).extracting(ExitEvent::seq).containsExactly(1L);
            assertThat(log.newest(TC)).isEmpty();
            assertThat(log.lastSeq()).isEqualTo(1);
        }
    }

    /** On some errors, a full disk for instance, SQLite rolls back by itself. */
    @ParameterizedTest
    @ValueSource(strings = {"ABORT", "ROLLBACK", "FAIL"})
    void canBeWrittenAgainAfterAFailure(String how) throws SQLException {
        try (SqliteExitLog log = open()) {
            refuse(13, how);
            List<Recorded> batch =
                    List.of(passing(exit(12, TC, 12, 0)), passing(exit(13, TC, 13, 0)));
            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(() -> log.append(batch))
                        .isInstanceOf(ExitLogException.class)
                        .hasMessageContaining("the disk is full");
                assertThat(log.eventsAfter(0, 10)).isEmpty();
            }
            sql("DROP TRIGGER refuse");

            log.append(batch);

            assertThat(log.eventsAfter(0, 10)).hasSize(2);
        }
        try (SqliteExitLog log = open()) {
            assertThat(log.eventsAfter(0, 10)).hasSize(2);
        }
    }

    @Test
    void removesWhatIsTooOldByTheClock() {
        try (SqliteExitLog log = open()) {
            log.append(List.of(ending("old", 0, exit(1, container("old"), 1, 0))));
            clock.move(Duration.ofHours(1));
            log.append(List.of(ending("new", 0, exit(2, container("new"), 2, 0))));
            Instant between = clock.instant().minus(Duration.ofMinutes(30));

            assertThat(log.prune(between, Instant.EPOCH, 10)).isFalse();
            assertThat(log.eventsAfter(0, 10)).extracting(ExitEvent::seq).containsExactly(2L);
            assertThat(log.firstSeq()).isEqualTo(2);
            assertThat(log.newest(container("old"))).as("its end stays longer").isPresent();

            assertThat(log.prune(Instant.EPOCH, between, 10)).isFalse();
            assertThat(log.newest(container("old"))).isEmpty();
            assertThat(log.newest(container("new"))).isPresent();
        }
    }

    @Test
    void removesLittleAtATimeAndKeepsTheLastNumber() {
        try (SqliteExitLog log = open()) {
            log.append(
                    LongStream.rangeClosed(1, 25)
                            .mapToObj(i -> ending("l" + i, i, exit(i, container("c" + i), i, 0)))
                            .toList());
            Instant later = clock.instant().plusSeconds(1);

            assertThat(log.prune(later, later, 10)).isTrue();
            assertThat(log.eventsAfter(0, 100)).hasSize(15);
            assertThat(log.prune(later, later, 10)).isTrue();
            assertThat(log.prune(later, later, 10)).isFalse();

            assertThat(log.eventsAfter(0, 100)).isEmpty();
            assertThat(log.newestOfEach(Optional.empty(), 100)).isEmpty();
            assertThat(log.firstSeq()).isZero();
            assertThat(log.lastSeq()).isEqualTo(25);
        }
        try (SqliteExitLog log = open()) {
            assertThat(log.lastSeq()).isEqualTo(25);
        }
    }

    @Test
    void removesNothingWhenTheClockGoesBack() {
        try (SqliteExitLog log = open()) {
            log.append(List.of(ending("life", 0, exit(1, TC, 1, 0))));
            clock.move(Duration.ofDays(-1000));

            log.prune(clock.instant(), clock.instant(), 10);

            assertThat(log.eventsAfter(0, 10)).hasSize(1);
            assertThat(log.newest(TC)).isPresent();
        }
    }

    /** Clients treat a page that is not full as the last one. */
    @Test
    void fillsAPageOfAReplayInSpiteOfDamagedRecords() throws SQLException {
        try (SqliteExitLog log = open();
                CapturedLog messages = new CapturedLog(ExitTables.class)) {
            log.append(
                    LongStream.rangeClosed(1, 30)
                            .mapToObj(i -> passing(exit(i, TC, i, 0)))
                            .toList());
            sql("UPDATE events SET crc = crc + 1 WHERE seq IN (3, 4, 5)");

            assertThat(log.eventsAfter(0, 10))
                    .extracting(ExitEvent::seq)
                    .containsExactly(1L, 2L, 6L, 7L, 8L, 9L, 10L, 11L, 12L, 13L);
            assertThat(messages.at(Level.ERROR)).hasSize(3);
        }
    }

    @Test
    void setsAsideWhatIsNoDatabase() throws IOException {
        Files.writeString(file, "precious, and not ours\n".repeat(1000));

        assertSetAside("not a database");
    }

    @ParameterizedTest
    @ValueSource(ints = {15, 16, 99, 100, 511, 512, 4095, 4096, 4097, 8192, 12288})
    void setsAsideATornFile(int length) throws IOException {
        writeMany();
        byte[] whole = Files.readAllBytes(file);
        assertThat(whole.length).isGreaterThan(length);
        Files.write(file, Arrays.copyOf(whole, length));

        assertSetAside("damaged");
    }

    @Test
    void setsAsideAFileWithABrokenPage() throws IOException {
        writeMany();
        byte[] bytes = Files.readAllBytes(file);
        Arrays.fill(bytes, 4096, 8192, (byte) 0x5a);
        Files.write(file, bytes);

        assertSetAside("damaged");
    }

    /**
     * SQLite calls some of them neither corrupt nor no database, but a mere error, or read-only.
     */
    @Test
    void noByteOfTheHeaderEndsAStart() throws IOException {
        writeMany();
        byte[] whole = Files.readAllBytes(file);
        for (int i = 0; i < HEADER_BYTES; i++) {
            byte[] bytes = whole.clone();
            bytes[i] ^= 9;
            Files.write(file, bytes);

            try (SqliteExitLog log = open()) {
                log.append(List.of(passing(exit(1, TC, 1, 0))));
            } catch (SetupException | ExitLogException e) {
                fail("with another byte " + i, e);
            }
        }
    }

    /** As if the look at the start had ended before it came to the damage. */
    @Test
    void isSetAsideAtTheNextStartOnceAWriteMetDamage() throws Exception {
        String roots = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage =";
        long root;
        try (CapturedLog messages = new CapturedLog(ExitLogFile.class);
                SqliteExitLog log = open()) {
            log.append(List.of(ending("life", 0, exit(1, TC, 1, 0))));
            root = number("SELECT rootpage FROM sqlite_schema WHERE name = 'events'");
            sql(
                    roots
                            + " (SELECT rootpage FROM sqlite_schema WHERE name = 'events_by_age') WHERE name = 'events';"
                            + " PRAGMA schema_version = 100");

            for (long seq = 2; seq <= 3; seq++) {
                Recorded next = passing(exit(seq, TC, seq, 0));
                assertThatThrownBy(() -> log.append(List.of(next)))
                        .isInstanceOf(ExitLogException.class);
            }
            assertThat(messages.at(Level.ERROR))
                    .singleElement()
                    .asString()
                    .contains(file.toString(), "the next start sets it aside");
            assertThat(log.newest(TC)).as("what it can still answer").isPresent();
        }
        sql(roots + root + " WHERE name = 'events'; PRAGMA schema_version = 101");

        try (CapturedLog messages = new CapturedLog(ExitLogFile.class)) {
            assertUsable();
            assertUsable();
            assertThat(messages.at(Level.ERROR)).singleElement().asString().contains("set aside");
        }
        assertThat(setAside()).hasSize(1);
    }

    @Test
    void setsAsideTheDatabaseOfAnotherProgramAsItWas() throws Exception {
        sql("CREATE TABLE theirs (x); INSERT INTO theirs VALUES ('precious')");

        assertSetAside("not an exit log of Tardis");
    }

    @Test
    void setsAsideANewerFormatAsItWas() throws Exception {
        writeMany();
        sql("PRAGMA journal_mode = DELETE; PRAGMA user_version = 3");

        assertSetAside("version is 3");
    }

    @Test
    void takesAFileThatWasMadeButNeverFilled() throws Exception {
        Files.createFile(file);
        assertUsable();

        Files.delete(file);
        sql("PRAGMA journal_mode = WAL; PRAGMA user_version = 0");
        assertUsable();
        assertThat(setAside()).isEmpty();
    }

    @Test
    void asksForTheSetupToBeMendedWhereADirectoryIsInTheWay() throws IOException {
        Files.createDirectories(file.resolve("precious"));

        assertThatThrownBy(this::open)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(file.toString());
        assertThat(file.resolve("precious")).exists();
    }

    @Test
    void asksForTheSetupToBeMendedWhereThereIsNoDirectory() {
        file = directory.resolve("missing").resolve("exits.db");

        assertThatThrownBy(this::open)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(file.toString());
    }

    @Test
    void asksForTheSetupToBeMendedWhereNothingMayBeWritten() throws IOException {
        assumeThat(System.getProperty("user.name")).as("who may write").isNotEqualTo("root");
        writeMany();
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--r--r--"));

        assertThatThrownBy(this::open)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(file.toString());
        assertThat(setAside()).isEmpty();
    }

    @Test
    void failsOnceItIsClosed() {
        SqliteExitLog log = open();
        log.close();
        log.close();

        assertThatThrownBy(() -> log.append(List.of(passing(exit(1, TC, 1, 0)))))
                .isInstanceOf(ExitLogException.class);
        assertThatThrownBy(log::lastSeq).isInstanceOf(ExitLogException.class);
    }

    /** Several times on the same file, each time at another moment. */
    @Test
    void losesNothingThatWasAcknowledgedBeforeSigkill() throws Exception {
        for (int round = 1; round <= 4; round++) {
            long acknowledged = 0;
            try (ChildJvm child = ChildJvm.start(Appender.class, file.toString())) {
                for (int groups = 0; groups < 150 * round; groups++) {
                    acknowledged = Long.parseLong(child.line());
                }
                child.kill();
                for (String line = child.line(); line != null; line = child.line()) {
                    acknowledged = Math.max(acknowledged, Long.parseLong(line));
                }
            }

            try (SqliteExitLog log = open()) {
                List<Long> numbers =
                        log.eventsAfter(0, Integer.MAX_VALUE).stream().map(ExitEvent::seq).toList();
                assertThat(numbers)
                        .hasSizeGreaterThanOrEqualTo(Math.toIntExact(acknowledged))
                        .containsExactlyElementsOf(
                                LongStream.rangeClosed(1, log.lastSeq()).boxed().toList());
                ContainerKey last = container("c" + log.lastSeq() % 10);
                assertThat(log.newest(last).flatMap(LifeState::end).orElseThrow().seq())
                        .isEqualTo(log.lastSeq());
            }
        }
        assertThat(setAside()).isEmpty();
    }

    private SqliteExitLog open() {
        return SqliteExitLog.openWriter(file, clock, () -> true);
    }

    /** Enough for several pages, all in the main file. */
    private void writeMany() {
        try (SqliteExitLog log = open()) {
            log.append(
                    LongStream.rangeClosed(1, 200)
                            .mapToObj(i -> ending("l" + i, i, exit(i, container("c" + i), i, 0)))
                            .toList());
        }
    }

    private void assertUsable() {
        try (SqliteExitLog log = open()) {
            log.append(List.of(ending("life", 0, exit(1, TC, 1, 0))));
            assertThat(log.newest(TC)).isPresent();
            assertThat(log.eventsAfter(0, 10)).hasSize(1);
        }
    }

    private void assertSetAside(String reason) throws IOException {
        byte[] before = Files.readAllBytes(file);
        try (CapturedLog messages = new CapturedLog(ExitLogFile.class)) {
            assertUsable();

            assertThat(messages.at(Level.ERROR))
                    .singleElement()
                    .asString()
                    .contains(file.toString(), "set aside", reason);
        }
        assertThat(setAside())
                .singleElement()
                .satisfies(it -> assertThat(Files.readAllBytes(it)).isEqualTo(before));
    }

    private List<Path> setAside() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(it -> it.toString().contains(".set-aside-"))
                    .filter(it ->
                            !it.toString().endsWith("-shm") && !it.toString().endsWith("-wal"))
                    .toList();
        }
    }

    /** From now on the exit {@code seq} cannot be written. */
    private void refuse(long seq, String how) throws SQLException {
        sql(
                "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.seq = %d BEGIN SELECT RAISE(%s, 'the disk is full'); END"
                        .formatted(seq, how));
    }

    /** As another program would. */
    private void sql(String text) throws SQLException {
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
                Statement statement = connection.createStatement()) {
            statement.executeUpdate(text);
        }
    }

    private long number(String query) throws SQLException {
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
                ResultSet row = connection.createStatement().executeQuery(query)) {
            return row.getLong(1);
        }
    }
}
