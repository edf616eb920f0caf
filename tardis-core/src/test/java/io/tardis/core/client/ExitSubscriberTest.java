package io.tardis.core.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;
import static org.awaitility.Awaitility.await;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.wire.Query;
import io.tardis.core.wire.QueryCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.core.zmq.ZmqReplier;
import io.tardis.testkit.CapturedLog;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.event.Level;

@Timeout(60)
class ExitSubscriberTest {

    private static final String EVENTS = "inproc://events";
    private static final String QUERIES = "inproc://queries";
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Duration MOMENT = Duration.ofMillis(100);
    private static final Instant NOW = Instant.parse("2026-11-23T06:51:23.418Z");

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final LifeRef LIFE = new LifeRef("5f0c", NOW, true);

    private final List<ExitEvent> recorded = new CopyOnWriteArrayList<>();
    private final AtomicInteger replays = new AtomicInteger();

    /** The most events that the store puts into one answer, whatever it is asked for. */
    private volatile int longestAnswer = Integer.MAX_VALUE;

    /** How many replays the store refuses, because its disk cannot be read. */
    private final AtomicInteger refusals = new AtomicInteger();

    private String tcpQueries;
    private ZmqContext context;
    private ZmqPublisher publisher;
    private ZmqReplier replier;
    private Thread store;
    private volatile boolean stopping;

    @BeforeEach
    void open() throws IOException {
        context = new ZmqContext(_ -> {});
        publisher = context.publisher(List.of(EVENTS));
        tcpQueries = freeEndpoint();
        replier = context.replier(List.of(QUERIES, tcpQueries));
        store = Thread.ofPlatform().name("fake-store").start(this::serve);
    }

    @AfterEach
    void close() throws InterruptedException {
        stopping = true;
        replier.wake();
        store.join();
        publisher.close();
        context.close();
    }

    @Test
    void givesWhatIsPublishedOnceAndInOrder() {
        try (ExitSubscriber subscriber = subscriber(0)) {
            catchUp(subscriber);
            for (int seq = 1; seq <= 100; seq++) {
                happen(seq);
            }

            assertNext(subscriber, 1, 100);
            assertThat(subscriber.next(MOMENT)).isNull();
        }
    }

    @Test
    void beginsWithThePastAfterItsPosition() {
        record(1, 20);

        try (ExitSubscriber subscriber = subscriber(15)) {
            assertNext(subscriber, 16, 20);
        }
    }

    @Test
    void fillsAHoleByReplay() {
        try (ExitSubscriber subscriber = subscriber(0)) {
            catchUp(subscriber);
            happen(1);
            record(2, 7); // dropped on their way
            happen(8);

            assertNext(subscriber, 1, 8);
            assertThat(subscriber.next(MOMENT)).isNull();
        }
    }

    @Test
    void gets10000ThatWereDropped() {
        try (ExitSubscriber subscriber = subscriber(0)) {
            catchUp(subscriber);
            record(1, 9_999);
            happen(10_000);

            assertNext(subscriber, 1, 10_000);
        }
    }

    @Test
    void seesByAHeartbeatThatTheLastOnesWereDropped() {
        try (ExitSubscriber subscriber = subscriber(0)) {
            catchUp(subscriber);
            record(1, 3);
            publish(new Published.Heartbeat(3, NOW));

            assertNext(subscriber, 1, 3);
        }
    }

    /** The peer may have ended without closing the connection: nothing shows it but the silence. */
    @Test
    void connectsAnewAndAsksAfterASilence() {
        try (ExitSubscriber subscriber =
                new ExitSubscriber(context, EVENTS, QUERIES, 0, Duration.ofMillis(300))) {
            catchUp(subscriber);
            record(1, 3); // and no message can come

            assertNext(subscriber, 1, 3);
            happen(4);
            assertNext(subscriber, 4, 4);
        }
    }

    @Test
    void asksEverMoreSeldomWhileAHoleIsNotFilled() {
        try (ExitSubscriber subscriber = subscriber(0)) {
            catchUp(subscriber);
            int before = replays.get();
            publish(new Published.Exit(exit(2)));
            for (int i = 0; i < 20; i++) {
                assertThat(subscriber.next(MOMENT)).isNull();
                publish(new Published.Heartbeat(2, NOW));
            }

            assertThat(replays.get() - before).isBetween(2, 8);
            record(1, 2);
            assertNext(subscriber, 1, 2);
            before = replays.get();
            record(3, 3);
            happen(4);
            assertNext(subscriber, 3, 4);
            assertThat(replays.get() - before).isPositive();
        }
    }

    @Test
    void dropsWhatItHasGivenAlready() {
        try (ExitSubscriber subscriber = subscriber(0)) {
            catchUp(subscriber);
            happen(1);
            happen(2);
            assertNext(subscriber, 1, 2);
            publish(new Published.Exit(exit(1)));
            publish(new Published.Exit(exit(2)));
            happen(3);

            assertNext(subscriber, 3, 3);
        }
    }

    @Test
    void waitsForAStoreThatIsBehindThePublisher() throws InterruptedException {
        try (ExitSubscriber subscriber = subscriber(0)) {
            catchUp(subscriber);
            publish(new Published.Exit(exit(2)));
            int before = replays.get();
            Thread late =
                    Thread.ofPlatform()
                            .start(() -> {
                                while (replays.get() < before + 2) {
                                    Thread.onSpinWait();
                                }
                                record(1, 2);
                            });

            assertNext(subscriber, 1, 2);
            late.join();
        }
    }

    @Test
    void doesNotWaitForNumbersThatWereNeverRecorded() {
        record(1, 2);
        try (ExitSubscriber subscriber = subscriber(0)) {
            assertNext(subscriber, 1, 2);
            happen(1_000_001); // after a crash of the machine

            assertNext(subscriber, 1_000_001, 1_000_001);
            assertThat(subscriber.missed()).isEqualTo(999_998);
            happen(1_000_002);
            assertNext(subscriber, 1_000_002, 1_000_002);
        }
    }

    @Test
    void goesOnWhereAnotherOneStopped() {
        record(1, 5);
        long position;
        try (ExitSubscriber subscriber = subscriber(0)) {
            assertNext(subscriber, 1, 3);
            position = subscriber.position();
        }
        record(6, 7);

        try (ExitSubscriber subscriber = subscriber(position)) {
            assertNext(subscriber, 4, 7);
            assertThat(subscriber.position()).isEqualTo(7);
        }
    }

    @Test
    void saysThatItsPositionIsAheadOfEveryExit() {
        record(1, 5);
        try (CapturedLog log = new CapturedLog(ExitSubscriber.class);
                ExitSubscriber subscriber = subscriber(7)) {
            assertThat(subscriber.next(MOMENT)).isNull();
            assertThat(log.at(Level.WARN))
                    .singleElement(STRING)
                    .contains("position 7 is ahead of the newest exit, 5");

            record(6, 8);
            happen(9);
            assertNext(subscriber, 8, 9);
        }
    }

    @Test
    void countsWhatIsNoLongerInTheLogWhenItComesBack() {
        record(10, 12);
        try (ExitSubscriber subscriber = subscriber(5)) {
            assertNext(subscriber, 10, 10);
            assertThat(subscriber.missed()).isEqualTo(4);
            assertNext(subscriber, 11, 12);
            assertThat(subscriber.missed()).isZero();
        }
    }

    @Test
    void missesNothingWhereItBeginsWithAllThatIsKept() {
        record(10, 12);
        try (ExitSubscriber subscriber = subscriber(0)) {
            assertNext(subscriber, 10, 10);
            assertThat(subscriber.missed()).isZero();
        }
    }

    @Test
    void goesOnWhenThePublisherIsAnotherOne() throws IOException {
        String endpoint = freeEndpoint();
        publisher.close();
        publisher = context.publisher(List.of(endpoint));
        try (ExitSubscriber subscriber = new ExitSubscriber(context, endpoint, QUERIES, 0)) {
            record(1, 1);
            assertNext(subscriber, 1, 1);

            publisher.close();
            record(2, 3);
            // The address is free a moment after the socket was closed.
            publisher =
                    await().ignoreExceptions()
                            .until(() -> context.publisher(List.of(endpoint)), it -> true);
            record(4, 4);

            await().untilAsserted(() -> {
                publish(new Published.Heartbeat(4, NOW));
                assertThat(subscriber.next(MOMENT)).isEqualTo(exit(2));
            });
            assertNext(subscriber, 3, 4);
        }
    }

    @Test
    void goesOnAskingWhenTheStoreAnswersLessThanItWasAskedFor() {
        longestAnswer = 3;
        record(1, 10);
        try (ExitSubscriber subscriber = subscriber(0)) {
            assertNext(subscriber, 1, 10);
            record(11, 19);
            happen(20);

            assertNext(subscriber, 11, 20);
            assertThat(subscriber.next(MOMENT)).isNull();
        }
    }

    @Test
    void seesByAGapThatEventsWereDropped() {
        try (ExitSubscriber subscriber = subscriber(0)) {
            catchUp(subscriber);
            record(1, 3);
            publish(new Published.Gap(3, NOW, NOW.plusSeconds(1), "ctr ended with 1"));

            assertNext(subscriber, 1, 3);
        }
    }

    @Test
    void seesByALostLifeThatEventsWereDropped() {
        try (ExitSubscriber subscriber = subscriber(0)) {
            catchUp(subscriber);
            record(1, 3);
            publish(new Published.Lost(3, TC, LIFE));

            assertNext(subscriber, 1, 3);
        }
    }

    @Test
    void asksAgainWhenTheStoreCannotAnswerNow() {
        refusals.set(2);
        record(1, 3);
        try (ExitSubscriber subscriber = subscriber(0)) {
            assertNext(subscriber, 1, 3);
        }

        assertThat(refusals.get()).isNegative();
    }

    @Test
    void givesWhatHasComeWithoutWaiting() {
        try (ExitSubscriber subscriber = subscriber(0)) {
            catchUp(subscriber);
            happen(1);

            await().atMost(PATIENCE)
                    .untilAsserted(
                            () -> assertThat(subscriber.next(Duration.ZERO)).isEqualTo(exit(1)));
        }
    }

    @Test
    void returnsSoonWhenNobodyAnswersTheReplay() throws IOException {
        try (ExitSubscriber subscriber = new ExitSubscriber(context, EVENTS, freeEndpoint(), 0)) {
            long start = System.nanoTime();

            assertThat(subscriber.next(MOMENT)).isNull();

            assertThat(Duration.ofNanos(System.nanoTime() - start))
                    .isLessThan(Duration.ofSeconds(4));
        }
    }

    @Test
    void givesWhatIsPublishedThoughNobodyAnswersTheReplay() throws IOException {
        try (ExitSubscriber subscriber = new ExitSubscriber(context, EVENTS, freeEndpoint(), 0)) {
            assertThat(subscriber.next(MOMENT)).isNull();
            publish(new Published.Exit(exit(1)));
            publish(new Published.Exit(exit(2)));

            await().atMost(PATIENCE)
                    .untilAsserted(() -> assertThat(subscriber.next(MOMENT)).isEqualTo(exit(1)));
            assertThat(subscriber.next(MOMENT)).isEqualTo(exit(2));
        }
    }

    @Test
    void passesOverAMessageThatItCannotUnderstandAndReplaysIt() {
        try (ExitSubscriber subscriber = subscriber(0)) {
            catchUp(subscriber);
            record(1, 1);
            publisher.send("/tasks/exit/default/tc1/", new byte[] {'{'});
            assertThat(subscriber.next(MOMENT)).isNull();
            happen(2);

            assertNext(subscriber, 1, 2);
        }
    }

    @Test
    void takesABatchOfTheLongestEventsOverTcp() {
        // Some 300 kB in one frame: more than a bound socket takes, and less than this one must.
        String longest = "x".repeat(ContainerKey.MAX_IDENTIFIER_LENGTH);
        ContainerKey container = new ContainerKey(longest, longest);
        List<ExitEvent> events =
                LongStream.rangeClosed(1, 1_000)
                        .mapToObj(seq ->
                                new ExitEvent(
                                        seq,
                                        new TaskExit(
                                                container, longest, TaskExit.MAX_UINT32, 0, NOW),
                                        OptionalInt.of(64),
                                        true,
                                        ExitSource.CONTAINERD,
                                        Optional.empty()))
                        .toList();
        recorded.addAll(events);

        try (ExitSubscriber subscriber = new ExitSubscriber(context, EVENTS, tcpQueries, 0)) {
            for (ExitEvent event : events) {
                assertThat(subscriber.next(PATIENCE)).isEqualTo(event);
            }
        }
    }

    private ExitSubscriber subscriber(long after) {
        return new ExitSubscriber(context, EVENTS, QUERIES, after);
    }

    /** Until it receives what is published; nothing is recorded yet. */
    private void catchUp(ExitSubscriber subscriber) {
        assertThat(subscriber.next(MOMENT)).isNull();
    }

    private static void assertNext(ExitSubscriber subscriber, long from, long to) {
        for (long seq = from; seq <= to; seq++) {
            assertThat(subscriber.next(PATIENCE)).isEqualTo(exit(seq));
            assertThat(subscriber.position()).isEqualTo(seq);
        }
    }

    private void happen(long seq) {
        record(seq, seq);
        publish(new Published.Exit(exit(seq)));
    }

    private void record(long from, long to) {
        recorded.addAll(
                LongStream.rangeClosed(from, to).mapToObj(ExitSubscriberTest::exit).toList());
    }

    private void publish(Published message) {
        publisher.send(PublishedCodec.topic(message), PublishedCodec.encode(message));
    }

    private static ExitEvent exit(long seq) {
        ContainerKey container = new ContainerKey("default", "tc" + seq);
        return new ExitEvent(
                seq,
                new TaskExit(container, container.id(), seq, seq % 256, NOW),
                OptionalInt.empty(),
                false,
                ExitSource.CONTAINERD,
                Optional.empty());
    }

    private static String freeEndpoint() throws IOException {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return "tcp://127.0.0.1:" + free.getLocalPort();
        }
    }

    private void serve() {
        try (ZmqReplier own = replier) {
            while (!stopping) {
                ZmqReplier.Request request = own.receive(Duration.ofMinutes(1));
                if (request != null) {
                    own.reply(
                            request,
                            AnswerCodec.encode(answer(QueryCodec.decode(request.payload()))));
                }
            }
        }
    }

    private Answer answer(Query query) {
        if (!(query instanceof Query.Replay(long after, int limit))) {
            return new Answer.Refused("bad_request", "no subscriber asks " + query);
        }
        replays.incrementAndGet();
        if (refusals.getAndDecrement() > 0) {
            return new Answer.Refused(Answer.Refused.UNAVAILABLE, "the disk cannot be read");
        }
        List<ExitEvent> events =
                recorded.stream()
                        .filter(it -> it.seq() > after)
                        .limit(Math.min(limit, longestAnswer))
                        .toList();
        return recorded.isEmpty()
                ? new Answer.Events(List.of(), 0, 0)
                : new Answer.Events(events, recorded.getFirst().seq(), recorded.getLast().seq());
    }
}
