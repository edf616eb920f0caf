package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.ending;
import static io.tardis.store.Exits.exit;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.SetupException;
import io.tardis.core.UnavailableException;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Query;
import io.tardis.testkit.HandClock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Answers without a message: beside the writer of a log, and of a log that nobody writes. */
@Timeout(60)
class DirectAnswersTest {

    private static final Query LIST = new Query.ListContainers(Optional.empty(), 100);
    private static final Query REPLAY = new Query.Replay(0, 100);

    @TempDir private Path directory;
    private final HandClock clock = new HandClock();
    private Path file;

    @BeforeEach
    void nameTheFile() {
        file = directory.resolve("exits.db");
    }

    private SqliteExitLog writer() {
        return SqliteExitLog.openWriter(file, clock, () -> true);
    }

    private static DirectAnswers direct(SqliteExitLog writer, Unwritten unwritten) {
        return new DirectAnswers(
                writer::openReader,
                new LifeCache(writer),
                unwritten,
                "test",
                () -> Optional.of(TestSettings.HEALTH),
                Optional::empty);
    }

    private static Query codeOf(String id) {
        return new Query.ExitCode(container(id), Optional.empty(), Duration.ZERO);
    }

    private static List<String> ids(Answer answer) {
        return ((Answer.Containers) answer)
                .containers().stream().map(it -> it.container().id()).toList();
    }

    @Test
    void seesAtOnceWhatIsWritten() {
        try (SqliteExitLog writer = writer();
                DirectAnswers direct = direct(writer, new Unwritten(10, 1 << 20))) {
            assertThat(ids(direct.answer(LIST))).isEmpty();
            assertThat(direct.answer(codeOf("one"))).isInstanceOf(Answer.Unknown.class);

            writer.append(List.of(ending("life-1", 1, exit(1, container("one"), 11, 3))));
            assertThat(ids(direct.answer(LIST))).containsExactly("one");
            assertThat(direct.answer(LIST)).as("the same answer").isSameAs(direct.answer(LIST));
            assertThat(((Answer.Exited) direct.answer(codeOf("one"))).durable()).isTrue();

            writer.append(List.of(ending("life-2", 2, exit(2, container("two"), 12, 3))));
            assertThat(ids(direct.answer(LIST))).containsExactlyInAnyOrder("one", "two");
            assertThat(((Answer.Events) direct.answer(REPLAY)).events()).hasSize(2);
            assertThat(((Answer.Pong) direct.answer(new Query.Ping())).lastSeq()).isEqualTo(2);
        }
    }

    @Test
    void opensTheLogAgainAfterATimeWithoutQuestions() {
        try (SqliteExitLog writer = writer();
                DirectAnswers direct = direct(writer, new Unwritten(10, 1 << 20))) {
            assertThat(ids(direct.answer(LIST))).isEmpty();
            direct.look();
            writer.append(List.of(ending("life-1", 1, exit(1, TC, 11, 3))));

            assertThat(ids(direct.answer(LIST))).containsExactly(TC.id());
        }
    }

    @Test
    void answersNothingAfterItsEnd() {
        try (SqliteExitLog writer = writer()) {
            DirectAnswers direct = direct(writer, new Unwritten(10, 1 << 20));
            direct.close();

            assertThatThrownBy(() -> direct.answer(LIST)).isInstanceOf(UnavailableException.class);
        }
    }

    @Test
    void readsTheLogOfAStoppedDaemonAndLeavesItAsItIs() throws IOException {
        try (SqliteExitLog writer = writer()) {
            writer.append(List.of(ending("life-1", 1, exit(1, TC, 11, 3))));
        }
        byte[] before = Files.readAllBytes(file);

        try (DirectAnswers direct = StoppedStore.open(file, "test").orElseThrow()) {
            assertThat(ids(direct.answer(LIST))).containsExactly(TC.id());
            assertThat(((Answer.Exited) direct.answer(codeOf(TC.id()))).durable()).isTrue();
            assertThat(((Answer.Pong) direct.answer(new Query.Ping())).health()).isEmpty();
        }
        assertThat(file).hasBinaryContent(before);
    }

    @Test
    void refusesWhatItCannotReadWithoutRepairingIt() throws IOException {
        assertThat(StoppedStore.open(file, "test")).isEmpty();

        for (byte[] bytes : List.of(new byte[0], new byte[5_000], "no database".getBytes(UTF_8))) {
            Files.write(file, bytes);

            assertThatThrownBy(() -> StoppedStore.open(file, "test"))
                    .isInstanceOfAny(SetupException.class, UnavailableException.class)
                    .hasMessageContaining("exits.db");
            assertThat(file).hasBinaryContent(bytes);
            try (Stream<Path> files = Files.list(directory)) {
                assertThat(files).containsExactly(file);
            }
        }
    }
}
