package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.begun;
import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.ending;
import static io.tardis.store.Exits.exit;
import static io.tardis.store.Exits.life;
import static io.tardis.store.Exits.notKept;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tardis.core.TardisException;
import io.tardis.core.UnavailableException;
import io.tardis.core.client.QueryClient;
import io.tardis.core.event.About;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.Usage;
import io.tardis.core.figures.Meter;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Lost;
import io.tardis.core.wire.Answer.Refused;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Answer.Unknown;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.Published.Begun;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqRequester;
import io.tardis.testkit.CapturedLog;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.event.Level;

/** Asks a server over TCP, as any client does. */
@Timeout(60)
class QueryServerTest {

    private static final Duration LONG = Duration.ofSeconds(50);
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final InMemoryExitLog log = new InMemoryExitLog();
    private final LifeCache lives = new LifeCache(log);
    private final ExecutorService clients = Executors.newCachedThreadPool();
    private final Unwritten unwritten = new Unwritten(12, Long.MAX_VALUE);
    private ZmqContext context;
    private String endpoint;
    private QueryServer server;
    private QueryClient client;

    @BeforeEach
    void serve() throws IOException {
        context = new ZmqContext(_ -> {});
        endpoint = TestSettings.freeEndpoint();
        server =
                new QueryServer(
                        context.replier(List.of("inproc://queries", endpoint)),
                        log,
                        () -> log,
                        lives,
                        unwritten,
                        TestSettings.LIMITS,
                        "1.2.3",
                        () -> TestSettings.HEALTH,
                        () -> new Meter().read(0, 0, 0));
        server.start();
        client = new QueryClient(context, endpoint);
    }

    @AfterEach
    void close() {
        client.close();
        server.close();
        clients.close();
        context.close();
    }

    @Test
    void answersAPing() {
        record("life", 0, exit(17, TC, 100, 0));

        assertThat(client.ping()).isEqualTo(pong(17, Answer.Backlog.NONE));
    }

    @Test
    void answersThatTheDiskCannotBeWritten() {
        record("life", 0, exit(1, TC, 100, 0));
        for (int seq = 2; seq <= 16; seq++) {
            unwritten.add(Exits.passing(exit(seq, TC, 100 + seq, 0)));
        }
        assertThat(unwritten.dropOverLimit()).hasSize(3);
        unwritten.notWritten();

        assertThat(client.ping()).isEqualTo(pong(16, new Answer.Backlog(false, 12, 3)));
    }

    /** A subscriber that begins now must not wait for the disk. */
    @Test
    void replaysFromMemoryWhatTheDiskCannotTake() {
        for (int seq = 1; seq <= 3; seq++) {
            record("life-" + seq, seq, exit(seq, TC, 100, 0));
        }
        unwritten.add(Exits.passing(exit(4, TC, 400, 0)));
        unwritten.add(ending("life-5", 5, exit(5, TC, 500, 3)));
        unwritten.add(Exits.passing(exit(6, TC, 600, 0)));
        assertThat(client.replay(0, 10).lastSeq()).as("it will be written at once").isEqualTo(3);

        unwritten.notWritten();

        assertThat(seqs(client.replay(2, 2))).containsExactly(3L, 4L);
        assertThat(seqs(client.replay(0, 2))).containsExactly(1L, 2L);
        assertThat(seqs(client.replay(4, 10))).containsExactly(5L, 6L);
        assertThat(client.replay(6, 10)).isEqualTo(new Answer.Events(List.of(), 1, 6));
    }

    private static List<Long> seqs(Answer.Events answer) {
        return answer.events().stream().map(ExitEvent::seq).toList();
    }

    private static Answer.Pong pong(long lastSeq, Answer.Backlog backlog) {
        return new Answer.Pong("1.2.3", lastSeq, backlog, Optional.of(TestSettings.HEALTH));
    }

    @Test
    void answersInsideTheProcessToo() {
        try (QueryClient inside = new QueryClient(context, "inproc://queries")) {
            assertThat(inside.ping()).isEqualTo(pong(0, Answer.Backlog.NONE));
        }
    }

    @Test
    void answersHowAContainerEnded() {
        assertThat(now(TC)).isEqualTo(new Unknown(TC));

        Begun begun = start("life", TC, 100);
        assertThat(now(TC)).isEqualTo(new Running(TC, Optional.of(begun)));

        record("life", 0, exit(1, TC, 100, 42));
        assertThat(now(TC)).isEqualTo(exited("life", 0, exit(1, TC, 100, 42)));
    }

    @Test
    void answersForTheLifeThatIsAskedFor() {
        record("first", 0, exit(1, TC, 100, 42));
        start("second", TC, 200);

        assertThat(client.exitCode(TC, Optional.of("first"), LONG))
                .isEqualTo(exited("first", 0, exit(1, TC, 100, 42)));
        assertThat(client.exitCode(TC, Optional.of("third"), LONG)).isEqualTo(new Unknown(TC));
        assertThat(now(TC)).isInstanceOf(Running.class);
        assertThat(ask("{\"op\":\"exit_code\",\"container_id\":\"tc\",\"life\":\"first\"}"))
                .contains("\"exit_code\":42", "\"life\":\"first\"");
    }

    @Test
    void answersWithTheBytesThatTheProtocolNames() {
        start("life", TC, 100);
        assertThat(ask("{\"op\":\"exit_code\",\"container_id\":\"tc\"}"))
                .isEqualTo(
                        """
                        {"status":"running","namespace":"default","container_id":"tc",\
                        "life":"life","created_at":"2026-11-23T06:51:23.418123Z","kept":true,"pid":100}\
                        """);
        assertThat(ask("{\"op\":\"exit_code\",\"namespace\":\"k8s.io\",\"container_id\":\"tc\"}"))
                .isEqualTo(
                        """
                        {"status":"unknown","namespace":"k8s.io","container_id":"tc"}\
                        """);
        assertThat(ask("{\"op\":\"ping\",\"comment\":\"ignored\"}"))
                .isEqualTo(
                        """
                        {"status":"ok","version":"1.2.3","last_seq":0,"durable":true,"unwritten":0,"dropped":0,\
                        "source":{"ok":false,"running":false,"starts":3,"lines":0,"last_end":"ctr: command not found"},\
                        "witness":{"on":false,"reason":"switched off"},"socket":{"ok":true},\
                        "clients":{"ok":true,"refused":0},\
                        "problems":["ctr: command not found"]}\
                        """);
    }

    @Test
    void answersALostEndWithoutANumber() {
        Begun begun = start("life", TC, 100);
        lose("life", TC);

        assertThat(now(TC)).isEqualTo(new Lost(TC, Optional.of(begun)));
        assertThat(ask("{\"op\":\"exit_code\",\"container_id\":\"tc\"}"))
                .contains("\"lost\"")
                .doesNotContain("exit_code", "exit_status");
    }

    @Test
    void saysThatAnEndIsNotOnDisk() {
        start("life", TC, 100);
        LifeState end = Exits.end("life", 0, exit(1, TC, 100, 3));
        lives.notRecorded(end);

        assertThat(now(TC)).isEqualTo(end.answer(false));
        assertThat(ask("{\"op\":\"exit_code\",\"container_id\":\"tc\"}"))
                .contains("\"durable\":false");
    }

    @Test
    void replaysWhatIsRecorded() {
        for (long seq = 11; seq <= 20; seq++) {
            record("life-" + seq, seq, exit(seq, TC, seq, 0));
        }

        Answer.Events events = client.replay(12, 3);

        assertThat(events.events()).extracting(ExitEvent::seq).containsExactly(13L, 14L, 15L);
        assertThat(events.firstSeq()).isEqualTo(11);
        assertThat(events.lastSeq()).isEqualTo(20);
        assertThat(client.replay(20, 3).events()).isEmpty();
    }

    /** What one connection may leave unread is bounded, and an answer is one message. */
    @Test
    void putsNoMoreIntoAnAnswerThanAClientCanGet() {
        String longest = "é".repeat(300);
        About about =
                new About(
                        Optional.of(longest),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        false);
        int many = 6_000;
        for (int seq = 1; seq <= many; seq++) {
            ExitEvent exit = exit(seq, container("tc" + seq), seq, 0);
            record(
                    "life-" + seq,
                    seq,
                    new ExitEvent(
                            exit.seq(),
                            exit.exit(),
                            exit.signal(),
                            exit.oomKilled(),
                            exit.source(),
                            exit.life(),
                            new LifeDetails(Optional.empty(), about, Usage.NOTHING)));
        }

        assertThat(client.list(Optional.empty(), 10_000).containers())
                .hasSizeBetween(2_000, many - 1);
        List<ExitEvent> replayed = new ArrayList<>();
        long after = 0;
        while (after < many) {
            List<ExitEvent> some = client.replay(after, 10_000).events();
            replayed.addAll(some);
            after = some.getLast().seq();
        }
        assertThat(replayed).extracting(ExitEvent::seq).hasSize(many).isSorted();
    }

    @Test
    void listsOpenLivesFirstThenTheNewestEnds() {
        Begun open = start("open", container("open"), 100);
        record("a", 1, exit(1, container("a"), 1, 1));
        record("b", 2, exit(2, container("b"), 2, 2));
        start("gone", container("gone"), 300);
        lose("gone", container("gone"));
        LifeState inMemory = Exits.end("c", 3, exit(3, container("c"), 3, 3));
        lives.notRecorded(inMemory);
        record("kept", 0, exit(4, container("later-not-kept"), 4, 0));
        publish(begun(notKept("not-kept", 5), container("later-not-kept"), 400));

        List<Answer.OfContainer> listed = client.list(Optional.empty(), 10).containers();

        assertThat(listed)
                .startsWith(new Running(container("open"), Optional.of(open)))
                .containsExactlyInAnyOrder(
                        new Running(container("open"), Optional.of(open)),
                        new Lost(
                                container("gone"),
                                Optional.of(begun(life("gone", 0), container("gone"), 300))),
                        inMemory.answer(false),
                        exited("b", 2, exit(2, container("b"), 2, 2)),
                        exited("a", 1, exit(1, container("a"), 1, 1)));
        assertThat(listed.get(1)).isInstanceOf(Lost.class);
        assertThat(client.list(Optional.of("default"), 2).containers()).hasSize(2);
        assertThat(client.list(Optional.of("k8s.io"), 10).containers()).isEmpty();
    }

    @Test
    void listsWhatEndedLastFirstWheneverItBegan() {
        record("job-1", 100, Exits.exitAfter(1, 1, container("job-1")));
        record("service", 0, Exits.exitAfter(3, 2, container("service")));
        record("job-2", 200, Exits.exitAfter(2, 3, container("job-2")));
        lives.notRecorded(Exits.end("job-3", 300, Exits.exitAfter(0, 4, container("job-3"))));

        assertThat(client.list(Optional.empty(), 10).containers())
                .extracting(it -> it.container().id())
                .containsExactly("service", "job-2", "job-1", "job-3");
        assertThat(client.list(Optional.empty(), 2).containers())
                .extracting(it -> it.container().id())
                .containsExactly("service", "job-2");
    }

    /** It reads every directory that is kept; the shim's question must not wait for that. */
    @Test
    void answersOtherQuestionsWhileAListIsMadeAndRefusesListsThatAreTooMany() throws Exception {
        Begun begun = start("life", TC, 100);
        List<Future<Answer.Containers>> lists = askForTooManyLists();

        assertThat(now(TC)).isEqualTo(new Running(TC, Optional.of(begun)));
        for (Future<Answer.Containers> it : lists.stream().filter(Future::isDone).toList()) {
            assertThatThrownBy(it::get)
                    .hasCauseInstanceOf(TardisException.class)
                    .hasMessageContaining("too_many");
        }
        lists.removeIf(Future::isDone);
        assertThat(lists).hasSize(1 + QueryServer.MAX_LISTS);

        log.listing.release();
        for (Future<Answer.Containers> it : lists) {
            assertThat(soon(it).containers()).containsExactly(new Running(TC, Optional.of(begun)));
        }
    }

    @Test
    void answersOtherQuestionsWhileAReplayIsMadeAndMakesNoneForAClientThatHasGone()
            throws Exception {
        record("life", 0, exit(1, TC, 100, 3));
        log.replaying.acquire();
        Future<Answer.Events> replay = clients.submit(() -> client.replay(0, 10));
        await().atMost(PATIENCE).until(() -> log.replays.get() == 1);
        try (CapturedLog messages = new CapturedLog(QueryServer.class);
                QueryClient gone = new QueryClient(context, endpoint, Duration.ofMillis(100))) {
            assertThatThrownBy(() -> gone.replay(0, 10)).isInstanceOf(UnavailableException.class);
            await().atMost(PATIENCE)
                    .until(() ->
                            messages.at(Level.DEBUG).stream()
                                    .anyMatch(it -> it.contains("a client that has gone")));
        }

        try (QueryClient other = new QueryClient(context, endpoint)) {
            assertThat(other.ping().lastSeq()).isEqualTo(1);
            assertThat(other.list(Optional.empty(), 10).containers()).hasSize(1);

            log.replaying.release();
            assertThat(soon(replay).events()).hasSize(1);
            assertThat(other.replay(0, 10).events()).hasSize(1);
        }
        assertThat(log.replays).as("that of the client that had gone among them").hasValue(2);
    }

    @Test
    void answersEveryListBeforeItEnds() throws Exception {
        start("life", TC, 100);
        List<Future<Answer.Containers>> lists = askForTooManyLists();

        Future<?> end = clients.submit(server::close);
        log.listing.release();

        end.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        for (Future<Answer.Containers> it : lists) {
            await().atMost(PATIENCE).until(it::isDone);
            if (it.state() == Future.State.FAILED) {
                assertThat(it.exceptionNow()).hasMessageMatching(".*(too_many|unavailable).*");
            }
        }
    }

    /** One is being made and cannot go on, and one of the others is refused already. */
    private List<Future<Answer.Containers>> askForTooManyLists() throws InterruptedException {
        log.listing.acquire();
        List<Future<Answer.Containers>> lists = new ArrayList<>();
        lists.add(askForAList());
        await().atMost(PATIENCE).until(() -> log.lists.get() == 1);
        for (int i = 0; i < QueryServer.MAX_LISTS + 1; i++) {
            lists.add(askForAList());
        }
        await().atMost(PATIENCE).until(() -> lists.stream().anyMatch(Future::isDone));
        return lists;
    }

    private Future<Answer.Containers> askForAList() {
        return clients.submit(() -> {
            try (QueryClient each = new QueryClient(context, endpoint, LONG)) {
                return each.list(Optional.empty(), 10);
            }
        });
    }

    @Test
    void listsAContainerOnce() {
        record("first", -1, exit(1, TC, 100, 1));
        Begun second = start("second", TC, 200);

        assertThat(client.list(Optional.empty(), 10).containers())
                .containsExactly(new Running(TC, Optional.of(second)));
        lives.notRecorded(Exits.end("second", 0, exit(2, TC, 200, 3)));
        assertThat(client.list(Optional.empty(), 10).containers())
                .singleElement()
                .isInstanceOf(Exited.class);
    }

    @Test
    void answersWaitersWhenTheEndIsRecorded() throws Exception {
        start("life", TC, 100);
        Future<Answer.OfContainer> first = askAndWait(TC, LONG);
        Future<Answer.OfContainer> second = askAndWait(TC, LONG);
        Begun otherBegun = start("other", container("other"), 200);
        Future<Answer.OfContainer> other = askAndWait(container("other"), LONG);

        record("life", 0, exit(1, TC, 100, 42));

        assertThat(soon(first)).isEqualTo(exited("life", 0, exit(1, TC, 100, 42)));
        assertThat(soon(second)).isEqualTo(exited("life", 0, exit(1, TC, 100, 42)));
        assertThat(other.isDone()).isFalse();
        server.close();
        assertThat(soon(other))
                .as("at the end")
                .isEqualTo(new Running(container("other"), Optional.of(otherBegun)));
    }

    /** Also where the next life has begun by then. */
    @Test
    void answersWaitersForTheLifeThatWasOpenWhenTheyAsked() throws Exception {
        start("first", TC, 100);
        Future<Answer.OfContainer> ofFirst = askAndWait(TC, LONG);
        publish(begun(life("second", 1), TC, 200));
        Future<Answer.OfContainer> ofSecond = askAndWait(TC, LONG);
        Future<Answer.OfContainer> ofNamed = askAndWait(TC, Optional.of("first"), LONG);

        record("first", 0, exit(1, TC, 100, 42));

        assertThat(soon(ofFirst)).isEqualTo(exited("first", 0, exit(1, TC, 100, 42)));
        assertThat(soon(ofNamed)).isEqualTo(exited("first", 0, exit(1, TC, 100, 42)));
        assertThat(ofSecond.isDone()).isFalse();
        record("second", 1, exit(2, TC, 200, 7));
        assertThat(soon(ofSecond)).isEqualTo(exited("second", 1, exit(2, TC, 200, 7)));
    }

    /** The shim may ask before the begin of its life is recorded. */
    @Test
    void letsWaitForALifeThatIsNamedAndNotKnownYet() throws Exception {
        Future<Answer.OfContainer> named = askAndWait(TC, Optional.of("life"), LONG);
        start("other", TC, 99);
        record("other", 0, exit(1, TC, 99, 1));
        start("life", TC, 100);

        record("life", 0, exit(2, TC, 100, 0));

        assertThat(soon(named)).isEqualTo(exited("life", 0, exit(2, TC, 100, 0)));
        assertThat(client.exitCode(TC, Optional.of("never"), Duration.ofMillis(50)))
                .isEqualTo(new Unknown(TC));
    }

    /** Nobody observed its end; a late report of containerd can still bring it. */
    @Test
    void letsNobodyWaitLongForALifeThatIsLost() throws Exception {
        Begun begun = start("life", TC, 100);
        Future<Answer.OfContainer> before = askAndWait(TC, LONG);

        lose("life", TC);
        Future<Answer.OfContainer> after = askAndWait(TC, LONG);

        assertThat(before.isDone()).isFalse();
        assertThat(soon(before)).isEqualTo(new Lost(TC, Optional.of(begun)));
        assertThat(soon(after)).isEqualTo(new Lost(TC, Optional.of(begun)));
        assertThat(client.exitCode(TC, Duration.ofMillis(50))).isInstanceOf(Lost.class);
    }

    /** The delete of a life can be here before its exit is. */
    @Test
    void letsWaitForTheLateExitOfALifeThatIsLost() throws Exception {
        start("life", TC, 100);
        Future<Answer.OfContainer> before = askAndWait(TC, LONG);
        lose("life", TC);
        Future<Answer.OfContainer> after = askAndWait(TC, LONG);

        record("life", 0, exit(1, TC, 100, 0));

        assertThat(soon(before)).isEqualTo(exited("life", 0, exit(1, TC, 100, 0)));
        assertThat(soon(after)).isEqualTo(exited("life", 0, exit(1, TC, 100, 0)));
    }

    @Test
    void answersThatItRunsWhenTheWaitIsOver() throws IOException {
        Begun begun = start("life", TC, 100);
        long begin = System.nanoTime();

        assertThat(client.exitCode(TC, Duration.ofMillis(300)))
                .isEqualTo(new Running(TC, Optional.of(begun)));

        assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isGreaterThanOrEqualTo(Duration.ofMillis(300));
    }

    @Test
    void answersTheShorterWaitFirst() throws Exception {
        Begun begun = start("life", TC, 100);
        Future<Answer.OfContainer> longer = askAndWait(TC, LONG);

        assertThat(client.exitCode(TC, Duration.ofMillis(100)))
                .isEqualTo(new Running(TC, Optional.of(begun)));

        assertThat(longer.isDone()).isFalse();
        server.close();
        assertThat(soon(longer)).isEqualTo(new Running(TC, Optional.of(begun)));
    }

    @Test
    void letsNobodyWaitWhereNothingCanCome() {
        long begin = System.nanoTime();

        assertThat(client.exitCode(TC, LONG)).isEqualTo(new Unknown(TC));

        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(LONG);
    }

    @Test
    void letsNoWaitDelayAnotherClient() throws Exception {
        Begun begun = start("life", TC, 100);
        List<Future<Answer.OfContainer>> waiting = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            waiting.add(askAndWait(TC, LONG));
        }

        for (int i = 0; i < 100; i++) {
            assertThat(client.ping().version()).isEqualTo("1.2.3");
        }

        assertThat(waiting).noneMatch(Future::isDone);
        server.close();
        for (Future<Answer.OfContainer> it : waiting) {
            assertThat(soon(it)).isEqualTo(new Running(TC, Optional.of(begun)));
        }
    }

    @Test
    void livesOnWhenAWaiterHasGone() throws Exception {
        start("life", TC, 100);
        try (ZmqRequester impatient = context.requester(endpoint, Duration.ofMillis(300))) {
            byte[] question =
                    "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":50000}"
                            .getBytes(StandardCharsets.UTF_8);
            assertThatThrownBy(() -> impatient.ask(question, Duration.ZERO))
                    .isInstanceOf(UnavailableException.class);
        }
        Future<Answer.OfContainer> waiting = askAndWait(TC, LONG);
        record("life", 0, exit(1, TC, 100, 0));

        assertThat(soon(waiting)).isInstanceOf(Exited.class);
        assertThat(client.ping()).isNotNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "x",
                "null",
                "1",
                "\"ping\"",
                "[]",
                "[{\"op\":\"ping\"}]",
                "{",
                "{}",
                "{\"op\":null}",
                "{\"op\":1}",
                "{\"op\":\"PING\"}",
                "{\"op\":\"drop\"}",
                "{\"op\":\"ping\"",
                "{\"op\":\"ping\"}{\"op\":\"ping\"}",
                "{\"op\":\"ping\",\"op\":\"ping\"}",
                "{'op':'ping'}",
                "\uFEFF{\"op\":\"ping\"} x",
                "{\"op\":\"ping\"}\0",
                "{\"op\":\"exit_code\"}",
                "{\"op\":\"exit_code\",\"container_id\":\"\"}",
                "{\"op\":\"exit_code\",\"container_id\":7}",
                "{\"op\":\"exit_code\",\"container_id\":\"../../etc\"}",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"namespace\":\"..\"}",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":-1}",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":3600001}",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":1e3}",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":\"5\"}",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":99999999999999999999}",
                "{\"op\":\"replay\",\"limit\":0}",
                "{\"op\":\"replay\",\"limit\":10001}",
                "{\"op\":\"replay\",\"after\":-1}",
                "{\"op\":\"replay\",\"after\":9223372036854775808}",
                "{\"op\":\"list\",\"namespace\":\"a/b\"}",
                "{\"op\":\"list\",\"limit\":-5}",
            })
    void refusesWhatIsNoQuestionAndSaysWhy(String question) {
        assertRefused(question.getBytes(StandardCharsets.UTF_8));
        assertThat(client.ping()).isNotNull();
    }

    static Stream<byte[]> bytesThatAreNoText() {
        return Stream.of(
                new byte[] {0},
                new byte[] {(byte) 0xff, (byte) 0xfe},
                new byte[] {'{', '"', 'o', 'p', '"', ':', '"', (byte) 0xc3, '"', '}'},
                "[".repeat(60_000).getBytes(StandardCharsets.UTF_8),
                "{\"a\":".repeat(10_000).getBytes(StandardCharsets.UTF_8),
                ("{\"op\":\"" + "x".repeat(60_000) + "\"}").getBytes(StandardCharsets.UTF_8),
                ("{\"op\":" + "9".repeat(60_000) + "}").getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @MethodSource("bytesThatAreNoText")
    void refusesWhatIsNoTextOrFarTooDeep(byte[] question) {
        assertRefused(question);
        assertThat(client.ping()).isNotNull();
    }

    @Test
    void refusesRandomBytesAndSpoiledQuestions() {
        long seed = 20_261_123;
        Random random = new Random(seed);
        byte[] good =
                "{\"op\":\"exit_code\",\"namespace\":\"default\",\"container_id\":\"tc\",\"wait_ms\":0}"
                        .getBytes(StandardCharsets.UTF_8);
        try (ZmqRequester requester = context.requester(endpoint, PATIENCE)) {
            for (int i = 0; i < 500; i++) {
                byte[] question;
                if (i % 2 == 0) {
                    question = new byte[random.nextInt(200)];
                    random.nextBytes(question);
                } else {
                    question = good.clone();
                    question[random.nextInt(question.length)] ^= (byte) (1 << random.nextInt(8));
                }
                Answer answer = AnswerCodec.decode(requester.ask(question, Duration.ZERO));
                // A flipped bit may name another container, or be in a key that is then ignored.
                assertThat(answer)
                        .as("question %d of seed %d", i, seed)
                        .isInstanceOfAny(
                                i % 2 == 0
                                        ? new Class<?>[] {Refused.class}
                                        : new Class<?>[] {
                                            Refused.class, Unknown.class, Running.class
                                        });
            }
        }
        assertThat(client.ping()).isNotNull();
    }

    @Test
    void refusesARequestThatIsLongerThanAllowed() {
        byte[] longest = padded(TestSettings.LIMITS.maxRequestBytes());
        assertThat(AnswerCodec.decode(ask(longest))).isInstanceOf(Answer.Pong.class);

        assertThat(AnswerCodec.decode(ask(padded(longest.length + 1))))
                .isEqualTo(
                        new Refused(
                                Refused.BAD_REQUEST,
                                "the request has 4097 bytes, more than 4096 (TARDIS_MAX_REQUEST_BYTES)"));
    }

    @Test
    void refusesToLetMoreWaitThanAllowedButNotFromThisProcess() throws Exception {
        Begun begun = start("life", TC, 100);
        List<Future<Answer.OfContainer>> waiting = new ArrayList<>();
        for (int i = 0; i < TestSettings.LIMITS.maxWaiting(); i++) {
            waiting.add(askAndWait(TC, LONG));
        }

        assertThatThrownBy(() -> client.exitCode(TC, LONG))
                .isInstanceOf(TardisException.class)
                .hasMessageContaining("too_many")
                .hasMessageContaining("TARDIS_MAX_WAITING");
        assertThat(now(TC)).as("without a wait").isEqualTo(new Running(TC, Optional.of(begun)));
        try (QueryClient inside = new QueryClient(context, "inproc://queries")) {
            assertThat(inside.exitCode(TC, Duration.ofMillis(100)))
                    .isEqualTo(new Running(TC, Optional.of(begun)));
        }

        assertThat(waiting).noneMatch(Future::isDone);
        server.close();
        for (Future<Answer.OfContainer> it : waiting) {
            assertThat(soon(it)).isEqualTo(new Running(TC, Optional.of(begun)));
        }
    }

    /** A frame over the limit costs its sender the connection, and nobody else anything. */
    @Test
    void livesOnAfterAQuestionThatIsFarTooLong() {
        try (ZmqRequester requester = context.requester(endpoint, Duration.ofMillis(300))) {
            assertThatThrownBy(() -> requester.ask(new byte[1 << 20], Duration.ZERO))
                    .isInstanceOf(UnavailableException.class);
        }
        assertThat(client.ping()).isNotNull();
    }

    @Test
    void saysThatTheLogCannotBeReadAndLivesOn() throws IOException {
        start("life", TC, 100);
        log.failsToRead = true;
        try (CapturedLog messages = new CapturedLog(QueryServer.class)) {
            for (String question :
                    List.of(
                            "{\"op\":\"replay\"}",
                            "{\"op\":\"list\"}",
                            "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":50000}")) {
                assertThat(ask(question)).contains("\"unavailable\"", "the disk is gone");
            }
            assertThat(messages.at(Level.ERROR)).as("logged at first sight").hasSize(1);
        }
        assertThat(client.ping()).isEqualTo(pong(0, new Answer.Backlog(false, 0, 0)));
        log.failsToRead = false;

        assertThat(client.ping()).isNotNull();
    }

    @Test
    void answersWaitersThatTheLogCannotBeReadAndLivesOn() throws Exception {
        start("life", TC, 100);
        Future<byte[]> waiting =
                clients.submit(() -> {
                    try (ZmqRequester requester = context.requester(endpoint, LONG)) {
                        return requester.ask(
                                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":50000}"
                                        .getBytes(StandardCharsets.UTF_8),
                                Duration.ZERO);
                    }
                });
        await().until(() -> log.lookups.get() > 0);

        try (CapturedLog messages = new CapturedLog(QueryServer.class)) {
            log.failsToRead = true;
            record("life", 0, exit(1, TC, 100, 0));

            assertThat(AnswerCodec.decode(soon(waiting)))
                    .isEqualTo(new Refused(Refused.UNAVAILABLE, "the disk is gone"));
            assertThat(messages.at(Level.ERROR)).hasSize(1);
        }
        log.failsToRead = false;
        assertThat(now(TC)).isInstanceOf(Exited.class);
    }

    @Test
    void answersManyClientsAtOnce() throws Exception {
        record("life", 0, exit(1, TC, 100, 42));
        List<Future<List<Answer.OfContainer>>> answers = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            answers.add(
                    clients.submit(() -> {
                        try (QueryClient each = new QueryClient(context, endpoint)) {
                            return IntStream.range(0, 100)
                                    .mapToObj(_ -> each.exitCode(TC, Duration.ZERO))
                                    .toList();
                        }
                    }));
        }
        for (Future<List<Answer.OfContainer>> it : answers) {
            assertThat(soon(it)).hasSize(100).allMatch(Exited.class::isInstance);
        }
    }

    @Test
    void mayBeClosedTwice() {
        server.close();
        server.close();
        server.over(List.of(Exits.end("life", 0, exit(1, TC, 100, 0))));
    }

    private Answer.OfContainer now(ContainerKey container) {
        return client.exitCode(container, Duration.ZERO);
    }

    private Future<Answer.OfContainer> askAndWait(ContainerKey container, Duration wait) {
        return askAndWait(container, Optional.empty(), wait);
    }

    /** Returns when the server has the question, and is about to let it wait. */
    private Future<Answer.OfContainer> askAndWait(
            ContainerKey container, Optional<String> life, Duration wait) {
        lives.recorded(Exits.state(Exits.lost(life("no", 0), container))); // the log is asked then
        int before = log.lookups.get();
        Future<Answer.OfContainer> answer =
                clients.submit(() -> {
                    try (QueryClient each = new QueryClient(context, endpoint)) {
                        return each.exitCode(container, life, wait);
                    }
                });
        await().pollInterval(Duration.ofMillis(2))
                .atMost(PATIENCE)
                .until(() -> log.lookups.get() > before);
        return answer;
    }

    private static <T> T soon(Future<T> answer) throws Exception {
        return answer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }

    private String ask(String question) {
        return new String(ask(question.getBytes(StandardCharsets.UTF_8)), StandardCharsets.UTF_8);
    }

    private byte[] ask(byte[] question) {
        try (ZmqRequester requester = context.requester(endpoint, PATIENCE)) {
            return requester.ask(question, Duration.ZERO);
        }
    }

    /** A ping of that many bytes, the frame that a REQ client puts before it counted. */
    private static byte[] padded(int length) {
        String ping = "{\"op\":\"ping\"}";
        return (" ".repeat(length - ping.length()) + ping).getBytes(StandardCharsets.UTF_8);
    }

    private void assertRefused(byte[] question) {
        assertThat(AnswerCodec.decode(ask(question)))
                .isInstanceOfSatisfying(
                        Refused.class,
                        it -> {
                            assertThat(it.error()).isEqualTo("bad_request");
                            assertThat(it.message()).isNotBlank();
                        });
    }

    private Begun start(String life, ContainerKey container, long pid) {
        Begun begun = begun(life(life, 0), container, pid);
        publish(begun);
        return begun;
    }

    private void lose(String life, ContainerKey container) {
        publish(Exits.lost(life(life, 0), container));
    }

    private void record(String life, long began, ExitEvent event) {
        publish(new Published.Exit(Exits.ofLife(life(life, began), event)));
    }

    /** As the recorder does. */
    private void publish(Published message) {
        log.append(List.of(Exits.recorded(message)));
        LifeState state = Exits.state(message);
        lives.recorded(state);
        if (state.stage().compareTo(LifeState.Stage.OPEN) > 0) {
            server.over(List.of(state));
        }
    }

    private static Answer.OfContainer exited(String life, long began, ExitEvent event) {
        return Exits.end(life, began, event).answer(true);
    }
}
