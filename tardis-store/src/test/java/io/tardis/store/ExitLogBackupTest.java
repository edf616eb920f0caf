package io.tardis.store;

import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.ending;
import static io.tardis.store.Exits.exit;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import io.tardis.core.event.ExitEvent;
import io.tardis.testkit.HandClock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ExitLogBackupTest {

    @TempDir private Path directory;
    private Path log;
    private Path backup;

    @BeforeEach
    void nameTheFiles() throws IOException {
        log = Files.createDirectory(directory.resolve("state")).resolve("exits.db");
        backup = directory.resolve("backup.db");
    }

    @Test
    void holdsAllThatWasRecordedBeforeItAlthoughTheWriterGoesOn() throws Exception {
        try (SqliteExitLog writer = SqliteExitLog.openWriter(log, new HandClock(), () -> true)) {
            AtomicBoolean stop = new AtomicBoolean();
            AtomicLong recorded = new AtomicLong();
            Thread load =
                    Thread.ofPlatform()
                            .start(() -> {
                                for (long seq = 1; !stop.get(); seq++) {
                                    writer.append(List.of(end(seq)));
                                    recorded.set(seq);
                                }
                            });
            while (recorded.get() < 100) {
                Thread.onSpinWait();
            }

            long before = recorded.get();
            ExitLogBackup.write(log, backup);
            stop.set(true);
            load.join();

            assertThat(Files.getPosixFilePermissions(backup))
                    .isEqualTo(PosixFilePermissions.fromString("rw-------"));
            writer.keepInPlace();
            assertThat(writer.lastSeq()).isEqualTo(recorded.get());
            assertHoldsAllUpTo(before);
        }
    }

    @Test
    void isMadeWithoutADaemonAndChangesNothing() throws IOException {
        try (SqliteExitLog writer = SqliteExitLog.openWriter(log, new HandClock(), () -> true)) {
            writer.append(List.of(end(1), end(2)));
        }
        byte[] before = Files.readAllBytes(log);

        ExitLogBackup.write(log, backup);

        assertThat(log).hasBinaryContent(before);
        assertHoldsAllUpTo(2);
        assertThat(names(directory)).containsExactlyInAnyOrder("state", "backup.db");
        try (SqliteExitLog writer = SqliteExitLog.openWriter(log, new HandClock(), () -> true)) {
            assertThat(writer.lastSeq()).isEqualTo(2);
        }
    }

    @Test
    void holdsWhatIsStillInTheWriteAheadLogOfADaemonThatWasKilled() throws IOException {
        Path image = Files.createDirectory(directory.resolve("image")).resolve("exits.db");
        try (SqliteExitLog writer = SqliteExitLog.openWriter(log, new HandClock(), () -> true)) {
            writer.append(List.of(end(1)));
            Files.copy(log, image);
            Files.copy(log.resolveSibling("exits.db-wal"), image.resolveSibling("exits.db-wal"));
        }

        ExitLogBackup.write(image, backup);

        assertHoldsAllUpTo(1);
    }

    @Test
    void overwritesNothing() throws IOException {
        SqliteExitLog.openWriter(log, new HandClock(), () -> true).close();
        Files.writeString(backup, "precious");

        assertThatThrownBy(() -> ExitLogBackup.write(log, backup))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(backup.toString());
        assertThat(backup).hasContent("precious");
    }

    @Test
    void saysWhatIsWrong() throws IOException {
        assertThatThrownBy(() -> ExitLogBackup.write(log, backup))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(log.toString());
        Files.writeString(log, "precious, and not ours\n".repeat(1000));
        assertThatThrownBy(() -> ExitLogBackup.write(log, backup))
                .isInstanceOf(TardisException.class)
                .hasMessageContaining(log.toString());
        Files.delete(log);
        SqliteExitLog.openWriter(log, new HandClock(), () -> true).close();
        Path nowhere = directory.resolve("nowhere").resolve("backup.db");
        assertThatThrownBy(() -> ExitLogBackup.write(log, nowhere))
                .isInstanceOf(TardisException.class)
                .hasMessageContaining(nowhere.toString());
        assertThat(names(directory)).containsExactly("state");
    }

    private void assertHoldsAllUpTo(long seq) {
        try (SqliteExitLog copy = SqliteExitLog.openWriter(backup, new HandClock(), () -> true)) {
            assertThat(copy.lastSeq()).isGreaterThanOrEqualTo(seq);
            assertThat(copy.eventsAfter(0, Integer.MAX_VALUE))
                    .extracting(ExitEvent::seq)
                    .containsExactlyElementsOf(
                            LongStream.rangeClosed(1, copy.lastSeq()).boxed().toList());
            assertThat(copy.newest(container("c" + seq))).isPresent();
        }
    }

    private static Recorded end(long seq) {
        return ending("life-" + seq, seq, exit(seq, container("c" + seq), seq, 3));
    }

    private static List<String> names(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(it -> it.getFileName().toString())
                    .filter(it -> !it.endsWith("-wal") && !it.endsWith("-shm"))
                    .toList();
        }
    }
}
