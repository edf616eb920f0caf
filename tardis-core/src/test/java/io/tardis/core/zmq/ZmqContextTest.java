package io.tardis.core.zmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.tardis.core.SetupException;
import io.tardis.core.UnavailableException;
import io.tardis.core.config.Limits;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.zeromq.SocketType;
import org.zeromq.ZMQ;

/** What JeroMQ would do without the guards of {@link ZmqContext}, each by a test. */
@Timeout(60)
class ZmqContextTest {

    private static final Duration PATIENCE = Duration.ofSeconds(5);

    /** Of ZMTP 3.0, with the mechanism NULL. */
    private static final byte[] GREETING =
            ByteBuffer.allocate(64)
                    .put(new byte[] {(byte) 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0})
                    .put(bytes("NULL"))
                    .array();

    private final AtomicReference<Throwable> deadIoThread = new AtomicReference<>();
    private ZmqContext context;
    private int port;
    private String endpoint;

    @BeforeEach
    void open() throws IOException {
        context = new ZmqContext(deadIoThread::set);
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        endpoint = "tcp://127.0.0.1:" + port;
    }

    /** Would hang, in spite of interrupts, if a socket or a connection was leaked. */
    @AfterEach
    void close() {
        assertTimeoutPreemptively(Duration.ofSeconds(20), context::close);
        assertThat(deadIoThread.get()).isNull();
    }

    @Test
    void answersFreshConnectionsWithoutTheHangOfThirtySeconds() {
        try (Echo _ = new Echo(context, endpoint)) {
            for (int i = 0; i < 40; i++) {
                try (ZmqRequester requester = context.requester(endpoint, PATIENCE)) {
                    assertThat(text(requester.ask(bytes("question " + i), Duration.ZERO)))
                            .isEqualTo("question " + i);
                }
            }
        }
    }

    @Test
    void subscribesFreshConnectionsWithoutTheHangOfThirtySeconds() {
        try (ZmqPublisher publisher = context.publisher(List.of(endpoint))) {
            for (int i = 0; i < 30; i++) {
                try (ZmqSubscriber subscriber = context.subscriber(endpoint, List.of("/tasks/"))) {
                    await().atMost(PATIENCE)
                            .until(() -> {
                                publisher.send("/tasks/", bytes("tick"));
                                return subscriber.receive(Duration.ofMillis(20)) != null;
                            });
                }
            }
        }
    }

    @Test
    void survivesAFrameThatAnnouncesMoreThanThereIsMemoryFor() throws IOException {
        try (Echo _ = new Echo(context, endpoint)) {
            announceFrameOf(0x7fff_fff0L);
            announceFrameOf(Long.MAX_VALUE);
            announceFrameOf(-1);
            announceFrameOf(65_537);

            assertAnswers();
        }
    }

    @Test
    void survivesBytesThatAreNoGreeting() throws IOException {
        try (Echo _ = new Echo(context, endpoint)) {
            for (String nonsense :
                    List.of(
                            "",
                            "GET / HTTP/1.1\r\n\r\n",
                            "\u0000".repeat(64),
                            "x".repeat(100_000))) {
                try (Socket client = connect()) {
                    client.getOutputStream().write(nonsense.getBytes(StandardCharsets.ISO_8859_1));
                } catch (IOException _) {
                    // Refused while it was still writing.
                }
            }
            assertAnswers();
        }
    }

    /** Its client may be gone, or want nothing but the place. */
    @Test
    void endsAConnectionWithoutAHandshake() throws IOException {
        try (Echo _ = new Echo(context, endpoint);
                Socket silent = connect()) {
            silent.setSoTimeout(20_000);
            assertThat(silent.getInputStream().readAllBytes()).as("a greeting").isNotEmpty();
            assertAnswers();
        }
    }

    @Test
    void endsAConnectionTooManyAndNoOther() throws IOException {
        try (ZmqContext limited =
                        new ZmqContext(deadIoThread::set, Optional.empty(), 2, Optional.empty());
                Echo _ = new Echo(limited, endpoint);
                ZmqRequester first = context.requester(endpoint, PATIENCE);
                ZmqRequester later = context.requester(endpoint, PATIENCE)) {
            assertThat(text(first.ask(bytes("1"), Duration.ZERO))).isEqualTo("1");
            try (ZmqRequester second = context.requester(endpoint, PATIENCE)) {
                assertThat(text(second.ask(bytes("1"), Duration.ZERO))).isEqualTo("1");
                for (int i = 0; i < 20; i++) {
                    assertThat(isEnded(connect())).isTrue();
                }
                assertThat(text(first.ask(bytes("2"), Duration.ZERO))).isEqualTo("2");
                assertThat(text(second.ask(bytes("2"), Duration.ZERO))).isEqualTo("2");
            }

            // In the place of the one that left.
            assertThat(text(later.ask(bytes("3"), Duration.ZERO))).isEqualTo("3");
        }
    }

    @Test
    void letsManyConnectAtOnce() throws IOException {
        List<Socket> clients = new ArrayList<>();
        try (Echo _ = new Echo(context, endpoint)) {
            for (int i = 0; i < Limits.DEFAULT.maxConnections(); i++) {
                Socket client = new Socket();
                clients.add(client);
                // One that is not let wait at the door tries again after a second.
                client.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 900);
            }
            for (Socket client : clients) {
                assertThat(client.getInputStream().read()).isEqualTo(0xff); // greeted
            }
        } finally {
            for (Socket client : clients) {
                client.close();
            }
        }
    }

    @Test
    void sendsTheWholeEnvelopeBack() {
        ZMQ.Context other = ZMQ.context(1);
        try (Echo _ = new Echo(context, endpoint);
                ZMQ.Socket dealer = other.socket(SocketType.DEALER)) {
            dealer.setLinger(0);
            dealer.setHandshakeIvl(250);
            dealer.setReceiveTimeOut((int) PATIENCE.toMillis());
            dealer.connect(endpoint);

            // As a REQ with ZMQ_REQ_CORRELATE does.
            dealer.sendMore("number");
            dealer.sendMore("");
            dealer.send("question");

            assertThat(dealer.recvStr()).isEqualTo("number");
            assertThat(dealer.recvStr()).isEmpty();
            assertThat(dealer.recvStr()).isEqualTo("question");
            assertThat(dealer.hasReceiveMore()).isFalse();
        }
        other.term();
    }

    @Test
    void answersAQuestionWithoutAnEmptyFrameAndOneOfSeveralFrames() {
        ZMQ.Context other = ZMQ.context(1);
        try (Echo _ = new Echo(context, endpoint);
                ZMQ.Socket dealer = other.socket(SocketType.DEALER)) {
            dealer.setLinger(0);
            dealer.setHandshakeIvl(250);
            dealer.setReceiveTimeOut((int) PATIENCE.toMillis());
            dealer.connect(endpoint);

            dealer.send("bare");
            assertThat(dealer.recvStr()).isEqualTo("bare");
            assertThat(dealer.hasReceiveMore()).isFalse();

            dealer.sendMore("");
            dealer.sendMore("question");
            dealer.send("more");
            assertThat(dealer.recvStr()).isEmpty();
            assertThat(dealer.recvStr()).isEqualTo("question");
            assertThat(dealer.hasReceiveMore()).isFalse();
        }
        other.term();
    }

    @Test
    void givesASubscriberItsContainerAndNoOtherThatBeginsAlike() {
        try (ZmqPublisher publisher = context.publisher(List.of(endpoint));
                ZmqSubscriber subscriber =
                        context.subscriber(endpoint, List.of("/tasks/exit/default/tc/", "/end/"))) {
            awaitSubscription(publisher, subscriber);

            publisher.send("/tasks/exit/default/tc2/", bytes("tc2"));
            publisher.send("/tasks/exit/default/tc/", bytes("tc"));
            publisher.send("/tasks/exec-exit/default/tc/e/", bytes("exec"));
            publisher.send("/end/", bytes("last"));

            assertThat(next(subscriber)).isEqualTo("tc");
            assertThat(next(subscriber)).isEqualTo("last");
        }
    }

    @Test
    void waitsForASubscriberInsideTheProcessAndDropsNothing() throws InterruptedException {
        int count = 200_000;
        AtomicInteger sent = new AtomicInteger();
        try (ZmqPublisher publisher = context.publisher(List.of("inproc://events", endpoint));
                ZmqSubscriber subscriber =
                        context.subscriber("inproc://events", List.of("/tasks/", "/end/"))) {
            awaitSubscription(publisher, subscriber);
            Thread publishing =
                    Thread.ofPlatform()
                            .start(() -> {
                                while (sent.get() < count) {
                                    publisher.send("/tasks/", bytes(Integer.toString(sent.get())));
                                    sent.incrementAndGet();
                                }
                            });
            // As much as the two ends hold, and no more while nothing is read.
            await().atMost(PATIENCE).until(() -> sent.get() >= 10_000);
            await().during(Duration.ofMillis(300)).until(() -> sent.get() < 30_000);

            for (int i = 0; i < count; i++) {
                assertThat(next(subscriber)).isEqualTo(Integer.toString(i));
            }
            publishing.join();
        }
    }

    @Test
    void dropsForASubscriberOutsideThatDoesNotRead() {
        int count = 200_000;
        try (ZmqPublisher publisher = context.publisher(List.of("inproc://events", endpoint));
                ZmqSubscriber subscriber =
                        context.subscriber(endpoint, List.of("/tasks/", "/end/"))) {
            awaitSubscription(publisher, subscriber);

            for (int i = 0; i < count; i++) {
                publisher.send("/tasks/", new byte[200]);
            }

            int received = 0;
            while (subscriber.receive(Duration.ofMillis(500)) != null) {
                received++;
            }
            assertThat(received).isBetween(1, count - 1);
        }
    }

    /** JeroMQ recurses once for each byte of a subscription, in the publisher's thread. */
    @Test
    void survivesASubscriptionThatIsLongerThanAnyTopic() throws IOException {
        try (ZmqPublisher publisher = context.publisher(List.of(endpoint));
                ZmqSubscriber subscriber =
                        context.subscriber(endpoint, List.of("/tasks/", "/end/"))) {
            byte[] subscription = new byte[60_000];
            Arrays.fill(subscription, 1, subscription.length, (byte) 'x');
            subscription[0] = 1;
            sendFrames(subscription, 1);

            awaitSubscription(publisher, subscriber);
            publisher.send("/tasks/", bytes("still here"));
            assertThat(next(subscriber)).isEqualTo("still here");
        }
    }

    /** A PUB socket would keep it for ever: it cannot be read. */
    @Test
    void dropsWhatSubscribersSendBesidesSubscriptions() throws Exception {
        try (ZmqPublisher publisher = context.publisher(List.of(endpoint));
                ZmqSubscriber subscriber =
                        context.subscriber(endpoint, List.of("/tasks/", "/end/"))) {
            awaitSubscription(publisher, subscriber);
            byte[] nonsense = new byte[1000];
            nonsense[0] = 'x';

            // More than there is memory.
            FutureTask<Boolean> sending = new FutureTask<>(() -> sendFrames(nonsense, 600_000));
            Thread.ofPlatform().start(sending);
            while (!sending.isDone()) {
                publisher.send("/tasks/", bytes("tick"));
                Objects.requireNonNull(subscriber.receive(PATIENCE));
            }

            assertThat(sending.get()).isTrue();
        }
    }

    @Test
    void givesQuestionsOfThisProcessFirst() throws Exception {
        try (ZmqReplier replier = context.replier(List.of("inproc://queries", endpoint));
                Socket outside = connect();
                ZmqRequester inside =
                        context.requester("inproc://queries", Duration.ofMillis(300))) {
            greet(outside, "REQ").write(request("outside"));
            assertThatThrownBy(() -> inside.ask(bytes("inside"), Duration.ZERO))
                    .isInstanceOf(UnavailableException.class);

            ZmqReplier.Request first = nextRequest(replier);
            ZmqReplier.Request second = nextRequest(replier);

            assertThat(text(first.payload())).isEqualTo("inside");
            assertThat(first.fromThisProcess()).isTrue();
            assertThat(first.size()).isEqualTo(6);
            assertThat(text(second.payload())).isEqualTo("outside");
            assertThat(second.fromThisProcess()).isFalse();
            assertThat(second.connection()).isNotEqualTo(first.connection());
        }
    }

    /** Whatever ZMTP a client says that it speaks: 1.0 without and with a version, 2.0, 3.0. */
    @Test
    void endsAConnectionThatAnnouncesASizeThatIsNone() throws IOException {
        byte[] unversioned = {1, 0}; // an empty identity
        byte[] version1 = {(byte) 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 0, 3};
        byte[] version2 = {(byte) 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 3};
        for (boolean publishes : List.of(false, true)) {
            try (AutoCloseable bound =
                    publishes
                            ? await().ignoreExceptions()
                                    .until(
                                            () -> context.publisher(List.of(endpoint)),
                                            Objects::nonNull) // the address is free soon
                            : new Echo(context, endpoint)) {
                for (long size :
                        List.of(
                                0x8000_0000_7000_0000L,
                                0xffff_ffff_ffff_ffffL,
                                0x8000_0000_8000_0000L,
                                0x7fff_ffff_ffff_ffffL,
                                0x1_0000_0001L,
                                0x8000_0000L,
                                0x7fff_ffffL)) {
                    byte[] length = ByteBuffer.allocate(8).putLong(size).array();
                    for (byte flags : new byte[] {2, 3, 6, 7, 0x7f, (byte) 0xfe}) {
                        assertEnds(bound, GREETING, new byte[] {flags}, length);
                        assertEnds(bound, version2, new byte[] {flags}, length);
                    }
                    assertEnds(bound, version1, new byte[] {(byte) 0xff}, length, new byte[10]);
                    assertEnds(bound, unversioned, new byte[] {(byte) 0xff}, length, new byte[10]);
                }
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        }
    }

    /** In JeroMQ they throw in the I/O thread, which leaves the connection half alive. */
    @Test
    void endsAConnectionWhoseCommandsAreCutShort() throws IOException {
        try (Echo _ = new Echo(context, endpoint)) {
            for (String command : List.of("\u0004PING", "\u0004PING\u0000")) {
                try (Socket client = connect()) {
                    OutputStream out = greet(client, "REQ");
                    out.write(new byte[] {4, (byte) command.length()});
                    out.write(bytes(command));
                    assertThat(isEnded(client)).as(command).isTrue();
                }
            }
            assertAnswers();
        }
    }

    @Test
    void endsAConnectionThatSendsFramesWithoutEnd() throws IOException {
        try (Echo _ = new Echo(context, endpoint)) {
            try (Socket client = connect()) {
                OutputStream out = greet(client, "REQ");
                byte[] frames = new byte[(AskingSession.MAX_FRAMES + 1) * 2];
                for (int i = 0; i < frames.length; i += 2) {
                    frames[i] = 1;
                }
                out.write(frames);
                assertThat(isEnded(client)).isTrue();
            }
            try (Socket client = connect()) {
                OutputStream out = greet(client, "REQ");
                for (int i = 0; i < 3; i++) {
                    out.write(ByteBuffer.allocate(9).put((byte) 3).putLong(30_000).array());
                    out.write(new byte[30_000]);
                }
                assertThat(isEnded(client)).isTrue();
            } catch (SocketException _) {
                // It was ended before all was sent.
            }
            assertAnswers();
        }
    }

    @Test
    void answersTwoClientsOfOneName() throws IOException {
        try (Echo _ = new Echo(context, endpoint);
                Socket one = connect();
                Socket other = connect()) {
            byte[] identity = bytes("\u0008Identity\u0000\u0000\u0000\u0004same");
            for (Socket client : List.of(one, other)) {
                greet(client, "REQ", identity).write(request("hello"));
            }
            for (Socket client : List.of(one, other)) {
                assertThat(client.getInputStream().readNBytes(9)).isEqualTo(request("hello"));
            }
        }
    }

    @Test
    void reportsWhichConnectionHasEnded() throws IOException {
        try (ZmqReplier replier = context.replier(List.of(endpoint))) {
            List<Long> connections = new ArrayList<>();
            List<Socket> clients = List.of(connect(), connect());
            for (Socket client : clients) {
                greet(client, "REQ").write(request("x"));
                connections.add(nextRequest(replier).connection());
            }
            assertThat(replier.pollEnded()).isNull();

            for (int i = 0; i < clients.size(); i++) {
                clients.get(i).close();
                assertThat(ended(replier)).isEqualTo(connections.get(i));
                assertThat(replier.pollEnded()).isNull();
            }
        }
    }

    @Test
    void keepsNoAnswersWithoutEndForAClientThatDoesNotRead() throws IOException {
        try (ZmqReplier replier = context.replier(List.of(endpoint));
                ZmqRequester honest = context.requester(endpoint, PATIENCE);
                Socket client = connect()) {
            greet(client, "DEALER").write(request("x"));
            ZmqReplier.Request request = nextRequest(replier);
            byte[] answer = new byte[1 << 20];
            int answered = 0;
            while (answered < 100 && replier.reply(request, answer)) {
                answered++;
            }
            // What TCP has taken is not counted.
            assertThat(answered).isBetween(7, 20);
            assertThat(request.unread()).isBetween(4L << 20, 8L << 20);
            assertThat(replier.reply(request, new byte[1])).isTrue();

            replier.end(request);
            assertThat(ended(replier)).isEqualTo(request.connection());
            assertThat(request.unread()).isZero();
            assertThat(replier.reply(request, answer)).isTrue(); // to nobody
            FutureTask<byte[]> asked =
                    new FutureTask<>(() -> honest.ask(bytes("x"), Duration.ZERO));
            Thread.ofPlatform().start(asked);
            assertThat(replier.reply(nextRequest(replier), answer)).isTrue();
            assertThat(asked.get()).hasSize(answer.length);
        } catch (java.util.concurrent.ExecutionException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void endsAConnectionThatSubscribesWithoutEnd() throws IOException {
        try (ZmqPublisher publisher = context.publisher(List.of(endpoint));
                ZmqSubscriber subscriber =
                        context.subscriber(endpoint, List.of("/tasks/", "/end/"))) {
            awaitSubscription(publisher, subscriber);
            try (Socket client = connect()) {
                client.setSoTimeout(20);
                OutputStream out = greet(client, "SUB");
                client.setSoTimeout(20);
                long begin = System.nanoTime();
                boolean ended = false;
                for (int i = 0; !ended; i++) {
                    byte[] subscription = bytes("\u0001/tasks/exit/default/" + i + "/");
                    try {
                        out.write(new byte[] {0, (byte) subscription.length});
                        out.write(subscription);
                        publisher.send("/tasks/", bytes("tick"));
                    } catch (SocketException _) {
                        ended = true;
                    }
                    assertThat(Duration.ofNanos(System.nanoTime() - begin))
                            .isLessThan(Duration.ofSeconds(30));
                }
            }
            awaitSubscription(publisher, subscriber);
        }
    }

    /** It would hold what all others have read already; the log has it. */
    @Test
    void endsASubscriberThatIsTooFarBehind() throws IOException {
        try (ZmqPublisher publisher = context.publisher(List.of(endpoint));
                ZmqSubscriber subscriber =
                        context.subscriber(endpoint, List.of("/tasks/", "/end/"));
                Socket slow = new Socket()) {
            slow.setReceiveBufferSize(16 * 1024); // else some systems take 32 MiB
            slow.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            awaitSubscription(publisher, subscriber);
            OutputStream out = greet(slow, "SUB");
            out.write(new byte[] {0, 1, 1});
            byte[] payload = new byte[1_000];
            assertThat(slow.getInputStream().read(publish(publisher, "/tasks/"))).isPositive();
            // How much TCP takes before it stops is the system's affair: 16 KiB, or 64 MiB.
            await().atMost(PATIENCE.multipliedBy(8))
                    .pollInterval(Duration.ofMillis(1))
                    .until(() -> {
                        for (int i = 0; i < SubscribedSession.MAX_BEHIND / 20; i++) {
                            publisher.send("/tasks/", payload);
                            assertThat(subscriber.receive(PATIENCE)).isNotNull();
                        }
                        return isReset(out);
                    });
            awaitSubscription(publisher, subscriber);
        }
    }

    @Test
    void bindsAndConnectsByIpv6() {
        String ipv6 = "tcp://[::1]:" + port;
        try (Echo _ = new Echo(context, ipv6);
                ZmqRequester requester = context.requester(ipv6, PATIENCE)) {
            assertThat(text(requester.ask(bytes("six"), Duration.ZERO))).isEqualTo("six");
        }
        // The address is free a moment after the socket was closed.
        try (ZmqPublisher publisher =
                        await().ignoreExceptions()
                                .until(() -> context.publisher(List.of(ipv6)), it -> true);
                ZmqSubscriber subscriber = context.subscriber(ipv6, List.of("/end/"))) {
            awaitSubscription(publisher, subscriber);
        }
    }

    @Test
    void wakesAWaiter() throws InterruptedException {
        try (ZmqPublisher _ = context.publisher(List.of("inproc://events"));
                ZmqSubscriber subscriber = context.subscriber("inproc://events", List.of(""));
                ZmqReplier replier = context.replier(List.of("inproc://queries"))) {
            Thread waker =
                    Thread.ofPlatform()
                            .start(() -> {
                                subscriber.wake();
                                replier.wake();
                            });

            assertThat(subscriber.receive(Duration.ofMinutes(5))).isNull();
            assertThat(replier.receive(Duration.ofMinutes(5))).isNull();
            waker.join();
        }
    }

    @Test
    void endsTheNextWaitOnceHoweverOftenItWasWoken() {
        try (ZmqReplier replier = context.replier(List.of("inproc://queries"))) {
            replier.wake();
            replier.wake();

            assertThat(replier.receive(Duration.ofMinutes(5))).isNull();

            long begin = System.nanoTime();
            assertThat(replier.receive(Duration.ofMillis(200))).isNull();
            assertThat(Duration.ofNanos(System.nanoTime() - begin))
                    .isGreaterThan(Duration.ofMillis(150));
        }
    }

    @Test
    void mayBeWokenAfterItIsClosed() {
        ZmqReplier replier = context.replier(List.of("inproc://queries"));
        replier.close();

        assertThatCode(replier::wake).doesNotThrowAnyException();
    }

    @Test
    void namesAnEndpointThatIsTaken() throws IOException {
        try (ServerSocket taken = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
            assertThat(taken.isBound()).isTrue();
            assertThatThrownBy(() -> context.replier(List.of(endpoint)))
                    .isInstanceOf(SetupException.class)
                    .hasMessageContaining(endpoint);
            assertThatThrownBy(() -> context.publisher(List.of("inproc://events", endpoint)))
                    .isInstanceOf(SetupException.class)
                    .hasMessageContaining(endpoint);
        }
    }

    @Test
    void asksAgainAfterAQuestionWithoutAnAnswer() {
        try (ZmqRequester requester = context.requester(endpoint, Duration.ofMillis(200))) {
            assertThatThrownBy(() -> requester.ask(bytes("anybody?"), Duration.ZERO))
                    .isInstanceOf(UnavailableException.class)
                    .hasMessageContaining(endpoint);
        }
        try (ZmqRequester requester = context.requester(endpoint, PATIENCE)) {
            try (Echo _ = new Echo(context, endpoint)) {
                assertThat(text(requester.ask(bytes("1"), Duration.ZERO))).isEqualTo("1");
            }
            // The address is free a moment after the socket was closed.
            try (Echo _ =
                    await().ignoreExceptions()
                            .until(() -> new Echo(context, endpoint), it -> true)) {
                assertThat(text(requester.ask(bytes("2"), Duration.ZERO))).isEqualTo("2");
            }
        }
    }

    private void assertAnswers() {
        try (ZmqRequester requester = context.requester(endpoint, PATIENCE)) {
            assertThat(text(requester.ask(bytes("still there?"), Duration.ZERO)))
                    .isEqualTo("still there?");
        }
    }

    private static void awaitSubscription(ZmqPublisher publisher, ZmqSubscriber subscriber) {
        do {
            publisher.send("/end/", bytes("probe"));
        } while (subscriber.receive(Duration.ofMillis(20)) == null);
        // Those that were on the way: the last one is known by its text.
        publisher.send("/end/", bytes("ready"));
        while (!next(subscriber).equals("ready")) {
            Thread.onSpinWait();
        }
    }

    /** Connections that end, as slow ones do that try again, wake a waiter for a request. */
    private static ZmqReplier.Request nextRequest(ZmqReplier replier) {
        return await().atMost(PATIENCE)
                .until(() -> replier.receive(Duration.ofMillis(100)), Objects::nonNull);
    }

    private static Long ended(ZmqReplier replier) {
        assertThat(replier.receive(PATIENCE)).isNull(); // woken
        return await().atMost(PATIENCE).until(replier::pollEnded, Objects::nonNull);
    }

    private static String next(ZmqSubscriber subscriber) {
        ZmqSubscriber.Message message = subscriber.receive(PATIENCE);
        if (message == null) {
            throw new AssertionError("nothing was received in time");
        }
        return text(message.payload());
    }

    private Socket connect() throws IOException {
        return new Socket(InetAddress.getLoopbackAddress(), port);
    }

    /** Whether the other end hangs up within a second; it may greet before. */
    private static boolean isEnded(Socket connection) throws IOException {
        try (connection) {
            connection.setSoTimeout((int) PATIENCE.toMillis());
            return isAtEnd(connection);
        }
    }

    /** A client that greets properly, and then lies about its frame's length. */
    private void announceFrameOf(long length) throws IOException {
        try (Socket client = connect()) {
            OutputStream out = greet(client, "REQ");
            out.write(ByteBuffer.allocate(9).put((byte) 2).putLong(length).array());
            out.write(new byte[100]);
            client.setSoTimeout(500); // it hangs up, or waits for the rest: both do no harm
            client.getInputStream().readAllBytes();
        } catch (SocketException | SocketTimeoutException _) {
            // It hung up before the last byte was sent, or waits.
        }
    }

    /** A subscriber that sends one frame again and again; whether it was let. */
    private boolean sendFrames(byte[] frame, int count) throws IOException {
        try (Socket client = connect()) {
            OutputStream out = new BufferedOutputStream(greet(client, "SUB"));
            byte[] head = ByteBuffer.allocate(9).put((byte) 2).putLong(frame.length).array();
            for (int i = 0; i < count; i++) {
                out.write(head);
                out.write(frame);
            }
            out.flush();
            return true;
        } catch (SocketException _) {
            return false;
        }
    }

    /** Sends a message, so that there is something to read, and returns where to read it to. */
    private static byte[] publish(ZmqPublisher publisher, String topic) {
        await().pollDelay(Duration.ofMillis(300)).until(() -> true); // the subscription arrives
        publisher.send(topic, bytes("one"));
        return new byte[100];
    }

    /** Sends a frame that is neither a subscription nor the end of one. */
    private static boolean isReset(OutputStream out) {
        try {
            out.write(new byte[] {0, 1, 2});
            return false;
        } catch (IOException _) {
            return true;
        }
    }

    /** A publisher's connection ends when its thread uses the socket again: at a heartbeat. */
    private void assertEnds(AutoCloseable bound, byte[]... sent) throws IOException {
        try (Socket client = connect()) {
            for (byte[] each : sent) {
                client.getOutputStream().write(each);
            }
            client.setSoTimeout(20);
            await(Arrays.deepToString(sent))
                    .atMost(PATIENCE)
                    .pollInterval(Duration.ofMillis(1))
                    .until(() -> {
                        if (bound instanceof ZmqPublisher publisher) {
                            publisher.send("/heartbeat/", new byte[0]);
                        }
                        return isAtEnd(client);
                    });
        } catch (SocketException _) {
            // It was ended before all was sent.
        }
    }

    private static boolean isAtEnd(Socket client) throws IOException {
        try {
            client.getInputStream().readAllBytes();
            return true;
        } catch (SocketTimeoutException _) {
            return false;
        } catch (SocketException _) {
            return true;
        }
    }

    /** As a REQ socket sends it. */
    private static byte[] request(String text) {
        return bytes("\u0001\u0000\u0000" + (char) text.length() + text);
    }

    /** ZMTP 3.0 with the mechanism NULL, up to the server's READY. */
    private static OutputStream greet(Socket client, String type, byte... properties)
            throws IOException {
        client.setSoTimeout((int) PATIENCE.toMillis());
        OutputStream out = client.getOutputStream();
        out.write(GREETING);
        DataInputStream in = new DataInputStream(client.getInputStream());
        in.readNBytes(64);
        byte[] ready =
                bytes(
                        "\u0005READY\u000bSocket-Type\u0000\u0000\u0000"
                                + (char) type.length()
                                + type);
        out.write(new byte[] {4, (byte) (ready.length + properties.length)});
        out.write(ready);
        out.write(properties);
        assertThat(in.read()).isEqualTo(4);
        in.readNBytes(in.read());
        return out;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
