package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.begun;
import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.ending;
import static io.tardis.store.Exits.exit;
import static io.tardis.store.Exits.life;
import static io.tardis.store.Exits.lost;
import static io.tardis.store.Exits.ofLife;
import static io.tardis.store.Exits.state;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.SetupException;
import io.tardis.core.client.QueryClient;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.figures.Meter;
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
import java.util.function.Predicate;
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
    private String endpoint;

    @BeforeEach
    void publish() throws IOException {
        context = new ZmqContext(_ -> {});
        publisher = context.publisher(List.of(EVENTS));
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
        ExitEvent first = ofLife(life("life", 0), exit(1, TC, 100, 42));
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            send(first);
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

                assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Exited(first, true));
                assertThat(client.replay(0, 10).events()).hasSize(2 + start);
            }
        }
    }

    /** The first life may be as old as it likes: the code of the second one is asked for. */
    @ParameterizedTest
    @ValueSource(ints = {-20, 70})
    void answersForTheNewestLifeWhateverTheClockSays(int years) {
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            ExitEvent first = live(1, 100, 0);
            await().atMost(SOON).until(() -> client.ping().lastSeq() == 1);
            assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Exited(first, true));

            jump(years);
            ExitEvent second = live(2, 200, 5);
            await().atMost(SOON).until(() -> client.ping().lastSeq() == 2);

            await().atMost(SOON).until(() -> client.exitCode(TC, Duration.ZERO), isEndedBy(second));
            ExitEvent third = live(3, 300, 6);
            await().atMost(SOON).until(() -> client.ping().lastSeq() == 3);
            await().atMost(SOON).until(() -> client.exitCode(TC, Duration.ZERO), isEndedBy(third));
            assertThat(client.exitCode(TC, Optional.of("life-1"), Duration.ZERO))
                    .isEqualTo(new Exited(first, true));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-20, 70})
    void neverGivesTheCodeOfAnEarlierLifeForOneThatIsLost(int years) {
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            ExitEvent first = live(1, 100, 0);
            await().atMost(SOON).until(() -> client.ping().lastSeq() == 1);
            assertThat(client.exitCode(TC, Duration.ZERO)).isEqualTo(new Exited(first, true));

            jump(years);
            LifeRef second = begin(2, 200);
            await().atMost(SOON).until(() -> client.exitCode(TC, Duration.ZERO) instanceof Running);
            send(lost(second, TC));

            await().atMost(SOON).until(() -> client.exitCode(TC, Duration.ZERO) instanceof Lost);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-20, 70})
    void waitsLastAsLongAsTheyWouldHave(int years) throws Exception {
        try (Store store = open();
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(store).isNotNull();
            LifeRef life = begin(1, 100);
            await().atMost(SOON).until(() -> client.exitCode(TC, Duration.ZERO) instanceof Running);
            CompletableFuture<Answer> waiting =
                    CompletableFuture.supplyAsync(() -> {
                        try (QueryClient each = new QueryClient(context, Store.ENDPOINT)) {
                            return each.exitCode(TC, Duration.ofSeconds(50));
                        }
                    });
            long begin = System.nanoTime();
            jump(years);

            assertThat(client.exitCode(TC, Duration.ofMillis(300))).isInstanceOf(Running.class);
            assertThat(Duration.ofNanos(System.nanoTime() - begin))
                    .isBetween(Duration.ofMillis(300), SOON);
            assertThat(waiting).isNotDone();

            ExitEvent end = end(life, 1, 100, 7);
            send(end);
            assertThat(waiting.get(20, TimeUnit.SECONDS)).isEqualTo(new Exited(end, true));
        }
    }

    @Test
    void prefersTheNewestLifeInMemoryToo() {
        InMemoryExitLog log = new InMemoryExitLog();
        LifeCache lives = new LifeCache(log);
        log.append(List.of(ending("first", 0, exit(1, TC, 100, 0))));
        jump(-20);

        LifeRef second = new LifeRef("second", clock.instant(), true);
        lives.notRecorded(state(begun(second, TC, 200)));
        lives.notRecorded(state(new Published.Exit(ofLife(second, exit(2, TC, 200, 5)))));
        assertThat(lives.answer(TC, Optional.empty()))
                .isEqualTo(new Exited(ofLife(second, exit(2, TC, 200, 5)), false));
        LifeRef third = new LifeRef("third", clock.instant().minusSeconds(9), true);
        lives.notRecorded(state(begun(third, TC, 300)));
        assertThat(lives.answer(TC, Optional.empty())).isInstanceOf(Running.class);
        lives.notRecorded(state(new Published.Exit(ofLife(third, exit(3, TC, 300, 6)))));
        assertThat(lives.answer(TC, Optional.empty()))
                .isEqualTo(new Exited(ofLife(third, exit(3, TC, 300, 6)), false));
    }

    /** A life that is kept, and its end. */
    private ExitEvent live(long number, long pid, long status) {
        ExitEvent end = end(begin(number, pid), number, pid, status);
        send(end);
        return end;
    }

    private LifeRef begin(long number, long pid) {
        clock.move(Duration.ofSeconds(10));
        LifeRef life = new LifeRef("life-" + number, clock.instant(), true);
        send(begun(life, TC, pid));
        return life;
    }

    private ExitEvent end(LifeRef life, long seq, long pid, long status) {
        return new ExitEvent(
                seq,
                new TaskExit(TC, TC.id(), pid, status, clock.instant()),
                OptionalInt.empty(),
                false,
                ExitSource.CONTAINERD,
                Optional.of(life));
    }

    /** The time of the life's begin may have been moved after that of the life before. */
    private static Predicate<Answer.OfContainer> isEndedBy(ExitEvent event) {
        return it ->
                it instanceof Exited(ExitEvent known, boolean durable)
                        && durable
                        && known.exit().equals(event.exit())
                        && known.life().map(LifeRef::id).equals(event.life().map(LifeRef::id));
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

    /** JeroMQ frees an address a moment after its socket was closed. */
    private Store open() {
        return await().ignoreException(SetupException.class)
                .until(
                        () ->
                                Store.open(
                                        TestSettings.of(stateDir, endpoint),
                                        EVENTS,
                                        context,
                                        "test",
                                        () -> TestSettings.HEALTH,
                                        () -> true,
                                        clock,
                                        new Meter()),
                        _ -> true);
    }

    private void send(ExitEvent event) {
        send(new Published.Exit(event));
    }

    private void send(Published message) {
        publisher.send(PublishedCodec.topic(message), PublishedCodec.encode(message));
    }
}
