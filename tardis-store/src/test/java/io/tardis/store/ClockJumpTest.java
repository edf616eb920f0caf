package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.exit;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.SetupException;
import io.tardis.core.client.QueryClient;
import io.tardis.core.config.RecordScope;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Lost;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.testkit.HandClock;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The wall clock jumps by years, in both directions, while a store runs and while none does. */
@Timeout(60)
class ClockJumpTest {

    private static final String EVENTS = "inproc://events";
    private static final Duration SOON = Duration.ofSeconds(20);

    @TempDir private Path stateDir;
    private final HandClock clock = new HandClock();
    private ZmqContext context;
    private ZmqPublisher publisher;
    private ContainerRegistry registry;
    private String endpoint;

    @BeforeEach
    void publish() throws IOException {
        context = new ZmqContext(_ -> {});
        publisher = context.publisher(List.of(EVENTS));
        registry = new ContainerRegistry(stateDir.resolve("containers"));
        endpoint = TestSettings.freeEndpoint();
    }

    @AfterEach
    void close() {
        publisher.close();
        context.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {-20, 70})
    void removesNothingWhenAStoreStartsAfterAJump(int years) throws SQLException {
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            send(exit(1, TC, 100, 42));
            await().until(() -> client.ping().lastSeq() == 1);
        }

        jump(years);
        for (int start = 0; start < 2; start++) {
            sql("INSERT INTO events VALUES (-1, 0, x'', 0)"); // of 1970, and due in any case
            try (Store store = open();
                    QueryClient client = new QueryClient(context, endpoint)) {
                assertThat(store).isNotNull();
                long last = 2L + start;
                send(exit(last, container("after" + start), 100, 3));
                await().until(() -> client.ping().lastSeq() == last);
                await().until(() -> client.replay(0, 1).firstSeq() == 1);

                assertThat(client.exitCode(TC, Duration.ZERO))
                        .isEqualTo(new Exited(exit(1, TC, 100, 42), true));
                assertThat(client.replay(0, 10).events()).hasSize(2 + start);
            }
        }
    }

    /** The first life may be as old as it likes: the code of the second one is asked for. */
    @ParameterizedTest
    @ValueSource(ints = {-20, 70})
    void answersForTheNewestLifeWhateverTheClockSays(int years) throws IOException {
        try (Store store = open(RecordScope.ENABLED);
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            ExitEvent first = live(1, 100, 0);
            assertThat(client.exitCode(TC, SOON)).isEqualTo(new Exited(first, true));
            registry.remove(TC); // cleaned up: the registry knows it no more

            jump(years);
            ExitEvent second = live(2, 200, 5);
            await().atMost(SOON).until(() -> client.ping().lastSeq() == 2);

            assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Exited(second, true));
            registry.close(TC);
            assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Exited(second, true));
            ExitEvent third = live(3, 300, 6);
            await().atMost(SOON).until(() -> client.ping().lastSeq() == 3);
            assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Exited(third, true));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-20, 70})
    void neverTellsTheCodeOfAnEarlierLifeForOneThatIsLost(int years) throws IOException {
        try (Store store = open(RecordScope.ENABLED);
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            ExitEvent first = live(1, 100, 0);
            assertThat(client.exitCode(TC, SOON)).isEqualTo(new Exited(first, true));
            registry.close(TC);

            jump(years);
            register(200);
            assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Running(TC));
            registry.close(TC);

            assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Lost(TC));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-20, 70})
    void waitsLastAsLongAsTheyWouldHave(int years) throws Exception {
        try (Store store = open(RecordScope.ENABLED);
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            register(100);
            CompletableFuture<Answer> waiting =
                    CompletableFuture.supplyAsync(() -> {
                        try (QueryClient each = new QueryClient(context, Store.ENDPOINT)) {
                            return each.exitCode(TC, Duration.ofSeconds(50));
                        }
                    });
            long begin = System.nanoTime();
            jump(years);

            assertThat(client.exitCode(TC, Duration.ofMillis(300))).isEqualTo(new Running(TC));
            assertThat(Duration.ofNanos(System.nanoTime() - begin))
                    .isBetween(Duration.ofMillis(300), SOON);
            assertThat(waiting).isNotDone();

            ExitEvent end = end(1, 100, 7);
            send(end);
            assertThat(waiting.get(20, TimeUnit.SECONDS)).isEqualTo(new Exited(end, true));
        }
    }

    @Test
    void prefersTheNewestLifeInMemoryToo() {
        InMemoryExitLog log = new InMemoryExitLog();
        EndCache ends = new EndCache(log);
        End first = new End("first", clock.instant(), exit(1, TC, 100, 0), true);
        log.append(List.of(new Recorded(first.event(), Optional.of(first))));
        jump(-20);

        End second = new End("second", clock.instant(), exit(2, TC, 200, 5), true);
        ends.notRecorded(second);
        assertThat(ends.latest(TC)).contains(new EndCache.Known(second, false));
        End third = new End("third", clock.instant().minusSeconds(9), exit(3, TC, 300, 6), true);
        ends.notRecorded(third);
        assertThat(ends.latest(TC)).contains(new EndCache.Known(third, false));
    }

    /** A life that is registered, and its end. */
    private ExitEvent live(long seq, long pid, long status) throws IOException {
        register(pid);
        ExitEvent end = end(seq, pid, status);
        send(end);
        return end;
    }

    private void register(long pid) throws IOException {
        clock.move(Duration.ofSeconds(10));
        registry.update(
                registry.register(TC, stateDir, clock.instant()).withInit(InitProcess.of(pid)));
    }

    private ExitEvent end(long seq, long pid, long status) {
        return new ExitEvent(
                seq,
                new TaskExit(TC, TC.id(), pid, status, clock.instant()),
                OptionalInt.empty(),
                false,
                ExitSource.CONTAINERD);
    }

    private void jump(int years) {
        clock.move(Duration.ofDays(365L * years));
    }

    private void sql(String text) throws SQLException {
        try (Connection connection =
                        DriverManager.getConnection("jdbc:sqlite:" + stateDir.resolve("exits.db"));
                Statement statement = connection.createStatement()) {
            statement.executeUpdate(text);
        }
    }

    private Store open() {
        return open(RecordScope.ALL);
    }

    /** JeroMQ frees an address a moment after its socket was closed. */
    private Store open(RecordScope scope) {
        return await().ignoreException(SetupException.class)
                .until(
                        () ->
                                Store.open(
                                        TestSettings.of(stateDir, endpoint, scope),
                                        EVENTS,
                                        context,
                                        registry,
                                        _ -> {},
                                        "test",
                                        () -> TestSettings.HEALTH,
                                        () -> true,
                                        clock),
                        _ -> true);
    }

    private void send(ExitEvent event) {
        Published message = new Published.Exit(event);
        publisher.send(PublishedCodec.topic(message), PublishedCodec.encode(message));
    }
}
