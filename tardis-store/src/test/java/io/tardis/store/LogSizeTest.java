package io.tardis.store;

import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.ending;
import static io.tardis.store.Exits.exit;
import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.About;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.Usage;
import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.HandClock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.event.Level;

/** What the log takes on the disk comes down again, whoever reads it. */
@Timeout(120)
class LogSizeTest {

    private static final int EXITS = 20_000;
    private static final long MIB = 1 << 20;

    @TempDir private Path directory;
    private final HandClock clock = new HandClock();
    private Path file;
    private Path journal;

    @BeforeEach
    void nameTheFiles() {
        file = directory.resolve("exits.db");
        journal = directory.resolve("exits.db-wal");
    }

    @Test
    void aReaderThatHasGoneLeavesNoLongWriteAheadLog() throws Exception {
        try (SqliteExitLog log = SqliteExitLog.openWriter(file, clock, () -> true);
                CapturedLog messages = new CapturedLog(SqliteExitLog.class)) {
            record(log, 1, 100);
            try (Connection reader = DriverManager.getConnection("jdbc:sqlite:" + file);
                    Statement statement = reader.createStatement()) {
                reader.setAutoCommit(false);
                try (ResultSet rows = statement.executeQuery("SELECT count(*) FROM events")) {
                    assertThat(rows.next()).isTrue();
                }
                record(log, 101, EXITS);
                assertThat(Files.size(journal)).isGreaterThan(16 * MIB);

                boolean _ = log.shrink();
                boolean _ = log.shrink();

                assertThat(messages.at(Level.WARN))
                        .as("once")
                        .singleElement()
                        .asString()
                        .contains("until a reader has ended");
            }

            boolean _ = log.shrink();

            assertThat(Files.size(journal)).isLessThan(8 * MIB);
            assertThat(log.lastSeq()).isEqualTo(EXITS);
        }
    }

    /** Of a Kubernetes pod, with all that is known of it: some 900 bytes of JSON, twice. */
    @Test
    void anExitTakesSomeKibibytes() throws IOException {
        int exits = 5_000;
        About.Pod pod = new About.Pod("n".repeat(20), "p".repeat(40), Optional.of("u".repeat(36)));
        About about =
                new About(
                        Optional.of("java"),
                        Optional.of("i".repeat(60)),
                        Optional.empty(),
                        Optional.of("p".repeat(40)),
                        Optional.of(pod),
                        Optional.of("c".repeat(20)),
                        false);
        OptionalLong count = OptionalLong.of(536_660_800);
        LifeDetails details =
                new LifeDetails(
                        Optional.of(Exits.AT),
                        about,
                        new Usage(count, count, count, count, count, count));
        try (SqliteExitLog log = SqliteExitLog.openWriter(file, clock, () -> true)) {
            List<Recorded> batch = new ArrayList<>();
            for (int i = 1; i <= exits; i++) {
                ExitEvent exit = exit(i, container("%064d".formatted(i)), i, 3);
                ExitEvent known =
                        new ExitEvent(
                                i,
                                exit.exit(),
                                exit.signal(),
                                false,
                                exit.source(),
                                exit.life(),
                                details);
                batch.add(ending(new UUID(i * 7919L, i).toString(), i, known));
            }
            log.append(batch);
        }

        assertThat(Files.size(file) / exits).isLessThan(3 * 1024);
    }

    @Test
    void theFileShrinksWhenWhatWasRecordedIsRemoved() throws IOException {
        try (SqliteExitLog log = SqliteExitLog.openWriter(file, clock, () -> true)) {
            record(log, 1, EXITS);
            while (log.shrink()) {
                assertThat(log.lastSeq()).isEqualTo(EXITS);
            }
            removeAll(log);

            int steps = 1;
            while (log.shrink()) {
                steps++;
            }

            assertThat(steps).as("in small steps").isGreaterThan(3);
            assertThat(Files.size(file)).isLessThan(2 * MIB);
            record(log, EXITS + 1, EXITS + 1);
        }
        try (SqliteExitLog log = SqliteExitLog.openWriter(file, clock, () -> true)) {
            assertThat(log.lastSeq()).isEqualTo(EXITS + 1);
        }
    }

    @Test
    void aFileOfTheFirstVersionShrinksFromTheNextStartOn() throws Exception {
        try (SqliteExitLog log = SqliteExitLog.openWriter(file, clock, () -> true)) {
            record(log, 1, 1000);
        }
        try (Connection other = DriverManager.getConnection("jdbc:sqlite:" + file);
                Statement statement = other.createStatement()) {
            statement.execute("PRAGMA journal_mode = DELETE");
            statement.execute("PRAGMA auto_vacuum = NONE");
            statement.execute("VACUUM");
            assertThat(autoVacuum(statement)).isZero();
        }

        try (SqliteExitLog log = SqliteExitLog.openWriter(file, clock, () -> true);
                Connection other = DriverManager.getConnection("jdbc:sqlite:" + file);
                Statement statement = other.createStatement()) {
            assertThat(autoVacuum(statement)).isEqualTo(2);
            assertThat(log.lastSeq()).isEqualTo(1000);
        }
    }

    private static int autoVacuum(Statement statement) throws SQLException {
        try (ResultSet rows = statement.executeQuery("PRAGMA auto_vacuum")) {
            return rows.getInt(1);
        }
    }

    private static void record(SqliteExitLog log, long from, long to) {
        List<Recorded> batch = new ArrayList<>();
        for (long seq = from; seq <= to; seq++) {
            batch.add(ending("life-" + seq, seq, exit(seq, container("c" + seq), seq, 3)));
            if (batch.size() == 100 || seq == to) {
                log.append(batch);
                batch.clear();
            }
        }
    }

    private void removeAll(SqliteExitLog log) {
        Instant later = clock.instant().plusSeconds(1);
        while (log.prune(later, later, 1_000)) {
            // Step by step.
        }
    }
}
