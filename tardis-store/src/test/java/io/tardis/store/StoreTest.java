package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.begun;
import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.exec;
import static io.tardis.store.Exits.exit;
import static io.tardis.store.Exits.life;
import static io.tardis.store.Exits.lost;
import static io.tardis.store.Exits.ofLife;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tardis.core.SetupException;
import io.tardis.core.client.QueryClient;
import io.tardis.core.config.Settings;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeRef;
import io.tardis.core.figures.Figures;
import io.tardis.core.figures.Meter;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Lost;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Answer.Unknown;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.HandClock;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.event.Level;

/** The whole store, between a publisher that a test holds and real clients. */
@Timeout(60)
class StoreTest {

    private static final String EVENTS = "inproc://events";
    private static final LifeRef LIFE = life("life", 0);
    private static final Published.Begun BEGUN = begun(LIFE, TC, 100);
    private static final ExitEvent END = ofLife(LIFE, exit(7, TC, 100, 42));

    @TempDir private Path stateDir;
    private final HandClock clock = new HandClock();
    private ZmqContext context;
    private ZmqPublisher publisher;
    private String endpoint;
    private volatile boolean ownsStateDir = true;
    private final Meter meter = new Meter();

    @BeforeEach
    void publish() throws IOException {
        context = new ZmqContext(_ -> {});
        publisher = context.publisher(List.of(EVENTS));
        endpoint = TestSettings.freeEndpoint();
    }

    /** Would hang if the store had left a socket open. */
    @AfterEach
    void close() {
        publisher.close();
        context.close();
    }

    @Test
    void answersTheCodeOfALifeWhileItWaitsAndAfterARestart() throws Exception {
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            begin(client);
            CompletableFuture<Answer> waiting =
                    CompletableFuture.supplyAsync(() -> {
                        try (QueryClient each = new QueryClient(context, Store.ENDPOINT)) {
                            return each.exitCode(TC, Duration.ofSeconds(50));
                        }
                    });

            send(END);

            assertThat(waiting.get(20, TimeUnit.SECONDS)).isEqualTo(new Exited(END, true));
        }

        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Exited(END, true));
            assertThat(client.exitCode(TC, Optional.of("life"), Duration.ZERO))
                    .isEqualTo(new Exited(END, true));
            assertThat(client.ping().lastSeq()).isEqualTo(7);
            assertThat(client.ping().version()).isEqualTo("test");
        }
    }

    @Test
    void answersTheFigures() throws IOException {
        meter.published(END, System.nanoTime() - Duration.ofSeconds(3).toNanos());
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            begin(client);
            assertThat(client.figures().eventToDisk().count()).isZero();

            send(END);

            await().until(() -> client.figures().eventToDisk().count() == 1);
            Figures figures = client.figures();
            assertThat(figures.eventToDisk().sumSeconds()).isBetween(3.0, 30.0);
            assertThat(figures.databaseBytes())
                    .isGreaterThanOrEqualTo(Files.size(stateDir.resolve("exits.db")));
            assertThat(figures.exits()).hasSize(1);
            assertThat(store.figures()).isEqualTo(figures);
        }
    }

    @Test
    void keepsOpenAndLostLivesThroughARestart() {
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            begin(client);
        }
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            assertThat(client.exitCode(TC, Duration.ZERO))
                    .isEqualTo(new Running(TC, Optional.of(BEGUN)));
            send(lost(LIFE, TC));
            await().until(() -> client.exitCode(TC, Duration.ZERO) instanceof Lost);
        }
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            assertThat(client.exitCode(TC, Duration.ZERO))
                    .isEqualTo(new Lost(TC, Optional.of(BEGUN)));
            send(END);
            await().until(() -> client.exitCode(TC, Duration.ZERO).equals(new Exited(END, true)));
        }
    }

    @Test
    void replaysEveryExitButKeepsCodesOfKeptLivesOnly() {
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            ExitEvent notKept = ofLife(Exits.notKept("other", 0), exit(1, TC, 100, 42));
            ExitEvent kept = ofLife(LIFE, exit(3, container("b"), 200, 0));
            send(notKept);
            send(exec(2, TC, 101, 1));
            send(kept);
            await().until(() -> client.ping().lastSeq() == 3);

            assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Unknown(TC));
            assertThat(client.replay(0, 10).events())
                    .containsExactly(notKept, exec(2, TC, 101, 1), kept);
            assertThat(client.list(Optional.empty(), 10).containers())
                    .containsExactly(new Exited(kept, true));
        }
    }

    @Test
    void answersFromMemoryWhileTheDiskIsFull() throws Exception {
        try (CapturedLog messages = new CapturedLog(ExitRecorder.class);
                Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            begin(client);
            sql(
                    "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END");
            send(END);
            assertThat(client.exitCode(TC, Duration.ofSeconds(20)))
                    .isEqualTo(new Exited(END, false));
            assertThat(messages.at(Level.ERROR)).hasSize(1);

            sql("DROP TRIGGER full");

            await().atMost(Duration.ofSeconds(20))
                    .until(() -> client.exitCode(TC, Duration.ZERO).equals(new Exited(END, true)));
        }
    }

    @Test
    void answersFromMemoryWhileTheLogIsDamagedAndWritesIntoANewOneAtTheEnd() throws Exception {
        try (CapturedLog recorder = new CapturedLog(ExitRecorder.class);
                CapturedLog file = new CapturedLog(ExitLogFile.class)) {
            try (Store store = open();
                    QueryClient client = new QueryClient(context, endpoint)) {
                assertThat(store).isNotNull();
                begin(client);
                sql(
                        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage ="
                                + " (SELECT rootpage FROM sqlite_schema WHERE name = 'events_by_age') WHERE name = 'events';"
                                + " PRAGMA schema_version = 100");
                send(END);
                assertThat(client.exitCode(TC, Duration.ofSeconds(20)))
                        .isEqualTo(new Exited(END, false));
            }
            assertThat(recorder.at(Level.ERROR)).hasSize(1);
            assertThat(file.at(Level.ERROR)).hasSize(2).last().asString().contains("set aside");
        }
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Exited(END, true));
        }
    }

    @Test
    void forgetsAnEndAfterItsRetention() throws SQLException {
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            send(END);
            await().until(() -> client.ping().lastSeq() == 7);
        }
        runFor(TestSettings.REPLAY.plusSeconds(1));
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            await().until(() -> client.replay(0, 10).events().isEmpty());
            assertThat(client.exitCode(TC, Duration.ZERO)).isInstanceOf(Exited.class);
        }
        runFor(TestSettings.RETENTION);
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            await().until(() -> client.list(Optional.empty(), 10).containers().isEmpty());
            assertThat(client.ping().lastSeq()).as("numbers are never forgotten").isEqualTo(7);
        }
    }

    @Test
    void countsTheRetentionFromTheEndAndKeepsAnOpenLife() throws SQLException {
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            begin(client);
            send(begun(Exits.life("open", 0), container("open"), 200));
            await().until(() ->
                    client.exitCode(container("open"), Duration.ZERO) instanceof Running);
        }
        runFor(TestSettings.RETENTION.plusSeconds(1));
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            send(END);
            await().until(() -> client.exitCode(TC, Duration.ZERO) instanceof Exited);
        }
        runFor(TestSettings.RETENTION.minusSeconds(1));
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            await().until(() -> client.replay(0, 10).events().isEmpty());
            assertThat(client.exitCode(TC, Duration.ZERO)).isInstanceOf(Exited.class);
        }
        runFor(Duration.ofSeconds(2));
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            await().untilAsserted(() ->
                    assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Unknown(TC)));
            assertThat(client.exitCode(container("open"), Duration.ZERO))
                    .isInstanceOf(Running.class);
        }
    }

    @Test
    void recordsWhatWasPublishedJustBeforeTheEnd() {
        try (Store store = open()) {
            assertThat(store).isNotNull();
            for (long seq = 1; seq <= 3_000; seq++) {
                send(exec(seq, TC, seq, 0));
            }
        }
        try (SqliteExitLog log =
                SqliteExitLog.openWriter(stateDir.resolve("exits.db"), clock, () -> true)) {
            assertThat(log.eventsAfter(0, 10_000)).hasSize(3_000);
        }
    }

    @Test
    void namesTheEndpointThatIsTaken() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            endpoint = "tcp://127.0.0.1:" + taken.getLocalPort();

            assertThatThrownBy(() -> openNow())
                    .isInstanceOf(SetupException.class)
                    .hasMessageContaining(endpoint);
        }
        open().close();
    }

    @Test
    void mayBeClosedTwice() {
        Store store = open();
        store.close();
        store.close();
    }

    /** The directory's owner makes it again where it is gone. */
    private boolean ownsStateDir() {
        try {
            Files.createDirectories(stateDir);
            return ownsStateDir;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** JeroMQ frees an address a moment after its socket was closed. */
    private Store open() {
        return await().ignoreException(SetupException.class).until(this::openNow, _ -> true);
    }

    private Store openNow() {
        Settings settings = TestSettings.of(stateDir, endpoint);
        return Store.open(
                settings,
                EVENTS,
                context,
                "test",
                () -> TestSettings.HEALTH,
                this::ownsStateDir,
                clock,
                meter);
    }

    /** As if a daemon had run all the time. */
    private void runFor(Duration time) throws SQLException {
        clock.move(time);
        sql("UPDATE meta SET value = " + clock.millis() + " WHERE key = 'aged_to'");
    }

    private void begin(QueryClient client) {
        send(BEGUN);
        await().until(() ->
                client.exitCode(TC, Duration.ZERO).equals(new Running(TC, Optional.of(BEGUN))));
    }

    private void send(ExitEvent event) {
        send(new Published.Exit(event));
    }

    private void send(Published message) {
        publisher.send(PublishedCodec.topic(message), PublishedCodec.encode(message));
    }

    private void sql(String text) throws SQLException {
        try (Connection connection =
                        DriverManager.getConnection("jdbc:sqlite:" + stateDir.resolve("exits.db"));
                Statement statement = connection.createStatement()) {
            statement.executeUpdate(text);
        }
    }
}
