package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.container;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.client.QueryClient;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.figures.Meter;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.HandClock;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.slf4j.event.Level;

/** The files of the exit log are removed, moved or replaced while the store runs. */
@Timeout(120)
class RemovedFilesTest {

    private static final String EVENTS = "inproc://events";

    @TempDir private Path directory;
    private Path stateDir;
    private Path file;
    private ZmqContext context;
    private ZmqPublisher publisher;
    private String endpoint;
    private volatile boolean ownsStateDir = true;

    @BeforeEach
    void publish() throws IOException {
        stateDir = Files.createDirectory(directory.resolve("state"));
        file = stateDir.resolve("exits.db");
        context = new ZmqContext(_ -> {});
        publisher = context.publisher(List.of(EVENTS));
        endpoint = TestSettings.freeEndpoint();
    }

    @AfterEach
    void close() {
        publisher.close();
        context.close();
    }

    /** What somebody does to the files. */
    interface Misdeed {
        void to(Path file) throws IOException;
    }

    static final List<String> MISDEEDS = List.copyOf(misdeeds().keySet());

    private static Map<String, Misdeed> misdeeds() {
        return Map.ofEntries(
                Map.entry("the database is removed", Files::delete),
                Map.entry("its write-ahead log is removed", it -> Files.delete(beside(it, "-wal"))),
                Map.entry("its index is removed", it -> Files.delete(beside(it, "-shm"))),
                Map.entry(
                        "all three are removed",
                        it -> {
                            Files.delete(it);
                            Files.delete(beside(it, "-wal"));
                            Files.delete(beside(it, "-shm"));
                        }),
                Map.entry("it is moved", it -> Files.move(it, beside(it, ".old"))),
                Map.entry(
                        "it is moved and linked",
                        it -> {
                            Path elsewhere = parent(it).resolveSibling("elsewhere.db");
                            Files.move(it, elsewhere);
                            Files.createSymbolicLink(it, elsewhere);
                        }),
                Map.entry(
                        "it is replaced by a copy of itself",
                        it -> {
                            Files.copy(it, beside(it, ".copy"));
                            Files.move(
                                    beside(it, ".copy"), it, StandardCopyOption.REPLACE_EXISTING);
                        }),
                Map.entry("it is replaced by an empty file", it -> replace(it, Files::createFile)),
                Map.entry(
                        "it is replaced by garbage",
                        it -> replace(it, path -> Files.writeString(path, "precious"))),
                Map.entry(
                        "it is replaced by a directory",
                        it -> replace(it, path -> Files.createDirectories(path.resolve("theirs")))),
                Map.entry(
                        "it is replaced by a link to nothing",
                        it -> replace(it, path -> Files.createSymbolicLink(path, Path.of("none")))),
                Map.entry("the directory is removed", it -> removeAll(parent(it))),
                Map.entry(
                        "the directory is moved",
                        it -> Files.move(parent(it), parent(it).resolveSibling("moved"))),
                Map.entry(
                        "the directory is replaced by an empty one",
                        it -> {
                            Files.move(parent(it), parent(it).resolveSibling("moved"));
                            Files.createDirectory(parent(it));
                        }));
    }

    @ParameterizedTest
    @FieldSource("MISDEEDS")
    void isWrittenAgainWithAllThatWasKnown(String misdeed) throws Exception {
        try (CapturedLog log = new CapturedLog(LogPlace.class);
                CapturedLog _ = new CapturedLog(ExitRecorder.class);
                Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            send(exit(1, container("before"), 100, 42));
            awaitDurable(client, container("before"));

            Objects.requireNonNull(misdeeds().get(misdeed)).to(file);

            // Nobody has to end for it.
            await().atMost(Duration.ofSeconds(10))
                    .untilAsserted(() -> assertThat(nextStartKnows("before")).isPresent());
            awaitDurable(client, container("before"));
            send(exit(2, TC, 200, 3));
            awaitDurable(client, TC);
            assertThat(client.ping().backlog().durable()).isTrue();
            assertThat(nextStartKnows("before")).contains(exit(1, container("before"), 100, 42));
            assertThat(nextStartKnows("tc")).contains(exit(2, TC, 200, 3));
            assertThat(client.list(Optional.empty(), 10).containers()).hasSize(2);
            assertThat(log.at(Level.ERROR))
                    .singleElement()
                    .asString()
                    .contains(file.toString(), "removed or replaced");
            assertThat(Files.getPosixFilePermissions(file)).hasSize(2);
        }
        assertThat(nextStartKnows("before")).isPresent();
        assertThat(nextStartKnows("tc")).isPresent();
        assertThat(file.resolveSibling(".exits.db.new")).doesNotExist();
    }

    @Test
    void whatIsInItsPlaceIsSetAsideAndNotOverwritten() throws IOException {
        try (CapturedLog _ = new CapturedLog(LogPlace.class);
                Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            send(exit(1, TC, 100, 42));
            awaitDurable(client, TC);

            replace(file, path -> Files.writeString(path, "precious"));
            await().until(() -> nextStartKnows("tc").isPresent());
        }
        try (Stream<Path> files = Files.list(stateDir)) {
            assertThat(
                            files.filter(it -> it.toString().contains(".set-aside-"))
                                    .filter(it -> !it.toString().matches(".*-(wal|shm)")))
                    .singleElement()
                    .satisfies(it -> assertThat(it).hasContent("precious"));
        }
    }

    @Test
    void nothingIsDurableWhileItCannotBeWrittenAgain() throws IOException {
        try (CapturedLog _ = new CapturedLog(LogPlace.class);
                CapturedLog recorder = new CapturedLog(ExitRecorder.class);
                Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            send(exit(1, container("before"), 100, 42));
            awaitDurable(client, container("before"));
            ownsStateDir = false;

            removeAll(stateDir);
            await().atMost(Duration.ofSeconds(5))
                    .until(() -> !durable(client, container("before")));
            send(exit(2, TC, 200, 3));
            await().until(() ->
                    client.exitCode(TC, Duration.ZERO)
                            .equals(new Exited(exit(2, TC, 200, 3), false)));
            assertThat(client.ping().backlog().durable()).isFalse();
            assertThat(file).doesNotExist();
            assertThat(recorder.at(Level.ERROR)).as("logged once").hasSize(1);

            ownsStateDir = true;
            awaitDurable(client, TC);
            assertThat(durable(client, container("before"))).isTrue();
            assertThat(nextStartKnows("before")).isPresent();
            assertThat(nextStartKnows("tc")).isPresent();
        }
    }

    @Test
    void isThereAfterAnOrderlyEndWhoeverRemovedItJustBefore() throws IOException {
        try (CapturedLog _ = new CapturedLog(LogPlace.class);
                CapturedLog _ = new CapturedLog(ExitRecorder.class);
                Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            send(exit(1, TC, 100, 42));
            awaitDurable(client, TC);
            removeAll(stateDir);
        }
        assertThat(nextStartKnows("tc")).isPresent();
    }

    /** As by a copy over it: SQLite goes on with the pages that it remembers. */
    @ParameterizedTest
    @CsvSource({"'', 0", "'', 1", "'', 2048", "-wal, 0", "-wal, 100"})
    void nothingIsDurableInAFileThatWasCut(String suffix, int left) throws Exception {
        try (CapturedLog _ = new CapturedLog(ExitLogFile.class);
                CapturedLog _ = new CapturedLog(ExitRecorder.class)) {
            try (Store store = open();
                    QueryClient client = new QueryClient(context, endpoint)) {
                assertThat(store).isNotNull();
                send(exit(1, container("before"), 100, 42));
                awaitDurable(client, container("before"));
                try (FileChannel channel =
                        FileChannel.open(beside(file, suffix), StandardOpenOption.WRITE)) {
                    channel.truncate(left);
                }

                send(exit(2, container("after"), 101, 43));
                await().until(() ->
                        client.exitCode(container("after"), Duration.ZERO) instanceof Exited);
                assertThat(durable(client, container("after"))).isFalse();
                assertThat(beside(file, ".damaged")).exists();
            }
        }
        assertThat(nextStartKnows("after")).isPresent();
    }

    /** Again and again, beside a load: readers and writer go from file to file. */
    @Test
    void losesNothingThatIsDurableHoweverOftenItIsRemoved() throws IOException {
        try (CapturedLog _ = new CapturedLog(LogPlace.class);
                CapturedLog _ = new CapturedLog(ExitRecorder.class);
                Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            long seq = 0;
            for (int round = 0; round < 10; round++) {
                for (int i = 0; i < 100; i++) {
                    seq++;
                    send(exit(seq, container("c" + seq), seq, seq % 256));
                    if (i == 50) {
                        removeAll(stateDir);
                    }
                }
                ContainerKey last = container("c" + seq);
                awaitDurable(client, last);
                await().until(() -> nextStartKnows(last.id()).isPresent());
            }
            assertThat(client.replay(0, 10_000).events())
                    .extracting(ExitEvent::seq)
                    .containsExactlyElementsOf(LongStream.rangeClosed(1, seq).boxed().toList());
        }
    }

    private static Path parent(Path file) {
        return Objects.requireNonNull(file.getParent());
    }

    private Store open() {
        return Store.open(
                TestSettings.of(stateDir, endpoint),
                EVENTS,
                context,
                "test",
                () -> TestSettings.HEALTH,
                this::ownsStateDir,
                new HandClock(),
                new Meter());
    }

    /** The directory's owner makes it again where it is gone. */
    private boolean ownsStateDir() {
        try {
            if (ownsStateDir) {
                Files.createDirectories(stateDir);
            }
            return ownsStateDir;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Each ends a life of its own. */
    private static ExitEvent exit(long seq, ContainerKey container, long pid, long status) {
        return Exits.ofLife(
                Exits.life("life-" + seq, seq), Exits.exit(seq, container, pid, status));
    }

    private void send(ExitEvent event) {
        Published message = new Published.Exit(event);
        publisher.send(PublishedCodec.topic(message), PublishedCodec.encode(message));
    }

    private static void awaitDurable(QueryClient client, ContainerKey container) {
        await().atMost(Duration.ofSeconds(20)).until(() -> durable(client, container));
    }

    private static boolean durable(QueryClient client, ContainerKey container) {
        return client.exitCode(container, Duration.ZERO) instanceof Exited exited
                && exited.durable();
    }

    /** What a daemon finds that is started after this process was killed just now. */
    private Optional<ExitEvent> nextStartKnows(String id) throws IOException {
        Path image = Files.createTempDirectory(directory, "image").resolve("exits.db");
        for (String suffix : List.of("", "-wal")) {
            if (Files.isRegularFile(beside(file, suffix), LinkOption.NOFOLLOW_LINKS)) {
                try {
                    Files.copy(beside(file, suffix), beside(image, suffix));
                } catch (NoSuchFileException e) {
                    return Optional.empty(); // it is being replaced
                }
            }
        }
        try (CapturedLog _ = new CapturedLog(ExitLogFile.class);
                SqliteExitLog log = SqliteExitLog.openWriter(image, new HandClock(), () -> true)) {
            return log.newest(container(id)).flatMap(LifeState::end);
        } finally {
            removeAll(parent(image));
        }
    }

    private static void replace(Path file, Misdeed by) throws IOException {
        Files.delete(file);
        by.to(file);
    }

    private static void removeAll(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path each : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(each);
            }
        }
    }

    private static Path beside(Path file, String suffix) {
        return file.resolveSibling(file.getFileName() + suffix);
    }
}
