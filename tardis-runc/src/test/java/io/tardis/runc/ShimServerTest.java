package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;
import static org.awaitility.Awaitility.await;

import io.tardis.core.SetupException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.wire.Answer;
import io.tardis.testkit.CapturedLog;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.event.Level;

/** The shim server and its client, over a real socket. */
@Timeout(30)
class ShimServerTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final ContainerKey OTHER = new ContainerKey("default", "other");
    private static final Path ROOT = Path.of("/r/default");
    private static final Duration LONGEST_WORK = Duration.ofSeconds(20);
    private static final Duration FOR_EVER = Duration.ofMinutes(5);
    private static final int MORE_THAN_THE_PLACES = 300;
    private static final int FAILED_ACCEPTS = 3;
    private static final int SPARE_THREADS = 4;

    @TempDir private Path directory;
    private final FakeExitCodes exitCodes = new FakeExitCodes();
    private ContainerRegistry registry;
    private RuncShim shim;
    private Path socket;

    @BeforeEach
    void makeShim() throws IOException {
        socket = directory.resolve("tardis.sock");
        registry = new ContainerRegistry(directory.resolve("containers"));
        shim =
                new RuncShim(
                        registry,
                        directory.resolve("checkpoint"),
                        () -> {},
                        exitCodes,
                        new FakeListener(),
                        Duration.ofMillis(700),
                        () -> Instant.EPOCH);
        Bundles.write(directory.resolve("bundle"), Bundles.ENABLED);
    }

    @Test
    void letsTheShimWorkBeforeItSaysGo() {
        try (ShimServer _ = open()) {
            assertThat(call(create(TC))).isTrue();

            assertThat(registry.open(TC).orElseThrow().bundle())
                    .isEqualTo(directory.resolve("bundle"));
        }
    }

    @Test
    void answersGoToAClientThatOnlyAsksWhetherADaemonRuns() {
        try (ShimServer _ = open()) {
            assertThat(ShimClient.isServed(socket)).isTrue();
            assertThat(ShimClient.isAnswered(socket)).isTrue();
        }
    }

    @Test
    void asksForANoteWhereNobodyCouldDoTheWork() throws IOException {
        Files.writeString(directory.resolve("containers"), "in the place of the registry");
        try (ShimServer _ = open();
                SocketChannel client = connect()) {
            send(client, create(TC));
            DataInputStream in = new DataInputStream(Channels.newInputStream(client));

            assertThat(LauncherProtocol.readReply(in)).isEqualTo(LONGEST_WORK);
            assertThat(in.read()).isEqualTo('N');
        }
    }

    @Test
    void asksForPatienceBeforeItWorks() throws Exception {
        CountDownLatch ended = answersAreHeldBack();
        try (ShimServer _ = open();
                SocketChannel client = connect()) {
            call(create(TC));
            send(client, delete());
            DataInputStream in = new DataInputStream(Channels.newInputStream(client));

            assertThat(LauncherProtocol.readReply(in)).isEqualTo(LONGEST_WORK);
            ended.countDown();
            assertThat(LauncherProtocol.readReply(in)).isEqualTo(Duration.ZERO);
            assertThat(in.read()).isEqualTo(-1);
        }
    }

    /**
     * Else each container would wait for a disk that hangs, and eight at once would take all
     * threads.
     */
    @Test
    void asksForNotesWhileACallDoesNotEnd() throws Exception {
        CountDownLatch ended = answersAreHeldBack();
        Duration longestWork = Duration.ofMillis(200);
        try (ShimServer server =
                        start(
                                ShimSocket.bind(socket, Optional.empty()),
                                longestWork,
                                FOR_EVER,
                                ShimServer.workerThreads());
                SocketChannel hanging = connect()) {
            call(create(TC));
            send(hanging, delete());
            await().until(() -> server.problem().isPresent());

            try (SocketChannel next = connect()) {
                send(next, create(OTHER));
                DataInputStream in = new DataInputStream(Channels.newInputStream(next));
                assertThat(LauncherProtocol.readReply(in)).isEqualTo(longestWork);
                assertThat(in.read()).isEqualTo('N');
            }
            assertThat(ShimClient.isAnswered(socket)).isTrue();
            assertThat(registry.open(OTHER)).isEmpty();

            ended.countDown();
            await().until(() -> server.problem().isEmpty());
            assertThat(call(create(OTHER))).isTrue();
        }
    }

    @Test
    void givesAClientTheTimeThatADeleteTakes() {
        exitCodes.answer(container -> {
            // Longer than a client waits for its first reply.
            awaitUninterrupted(new CountDownLatch(1), Duration.ofMillis(800));
            return new Answer.Unknown(container);
        });
        try (ShimServer _ = open()) {
            call(create(TC));

            assertThat(call(delete())).isTrue();
        }
    }

    @Test
    void servesOthersWhileOneWaits() {
        CountDownLatch ended = answersAreHeldBack();
        try (ShimServer _ = open()) {
            call(create(TC));
            CompletableFuture<Boolean> delete = CompletableFuture.supplyAsync(() -> call(delete()));
            await().until(() -> !exitCodes.questions().isEmpty());

            assertThat(call(create(OTHER))).isTrue();

            assertThat(delete).isNotDone();
            ended.countDown();
            assertThat(delete.join()).isTrue();
        }
    }

    @Test
    void isForItsOwnerAlone() throws IOException {
        try (ShimServer _ = open()) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                    .isEqualTo("rw-------");
        }
    }

    @Test
    void replacesASocketThatNobodyServes() throws IOException {
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(socket));
        }
        assertThat(socket).exists();

        try (ShimServer _ = open()) {
            assertThat(isAnswered()).isTrue();
        }
    }

    @Test
    void replacesALinkAndNotWhatItNames() throws IOException {
        Path precious = Files.writeString(directory.resolve("precious"), "somebody else's");
        Files.createSymbolicLink(socket, precious);

        try (ShimServer _ = open()) {
            assertThat(Files.isSymbolicLink(socket)).isFalse();
            assertThat(isAnswered()).isTrue();
        }
        assertThat(precious).hasContent("somebody else's");
    }

    @Test
    void refusesASocketThatAnotherOneServes() {
        try (ShimServer _ = open()) {
            assertThatThrownBy(this::open)
                    .isInstanceOf(SetupException.class)
                    .hasMessage("another process listens on " + socket);

            assertThat(isAnswered()).isTrue();
        }
    }

    @Test
    void refusesASocketThatCannotBeBound() {
        socket = directory.resolve("gone").resolve("tardis.sock");
        assertThatThrownBy(this::open)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("cannot listen on " + socket);

        socket = directory.resolve("x".repeat(120));
        assertThatThrownBy(this::open)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("cannot listen on " + socket);
    }

    @Test
    void isNotHarmedByGarbage() throws IOException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        try (ShimServer _ = open()) {
            for (int i = 0; i < 200; i++) {
                byte[] garbage = new byte[random.nextInt(200)];
                random.nextBytes(garbage);
                try (SocketChannel client = connect()) {
                    if (i % 2 == 0) {
                        client.write(
                                ByteBuffer.wrap("TARDIS2\n".getBytes(StandardCharsets.US_ASCII)));
                    }
                    client.write(ByteBuffer.wrap(garbage));
                }
            }

            await("a call after the seed " + seed).until(() -> call(create(TC)));
            assertThat(registry.open(TC)).isPresent();
        }
    }

    @Test
    void doesNoWorkForALauncherThatHasGivenUp() throws IOException {
        ServerSocketChannel server = ShimSocket.bind(socket, Optional.empty());
        try (SocketChannel client = connect()) {
            send(client, create(TC));
        }

        try (ShimServer _ = start(server, LONGEST_WORK, FOR_EVER, ShimServer.workerThreads())) {
            assertThat(isAnswered()).isTrue();
        }

        // Closed, the server has done what it was asked for.
        assertThat(registry.open(TC)).isEmpty();
    }

    @Test
    void servesOthersWhileOneIsSilent() throws IOException {
        try (ShimServer _ = start(FOR_EVER);
                SocketChannel silent = connect()) {
            assertThat(isAnswered()).isTrue();
            assertThat(silent.isConnected()).isTrue();
        }
    }

    @Test
    void sendsSilentClientsAwayBeforeTheyTakeEveryPlace() throws IOException {
        List<SocketChannel> silent = new ArrayList<>();
        try (ShimServer _ = start(Duration.ofMillis(200))) {
            for (int i = 0; i < MORE_THAN_THE_PLACES; i++) {
                silent.add(connect());
            }

            await().until(this::isAnswered);

            // Each was sent away; none was only overtaken.
            for (SocketChannel client : silent) {
                assertThat(client.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            }
        } finally {
            for (SocketChannel client : silent) {
                client.close();
            }
        }
    }

    @Test
    void doesNotSendAwayALauncherThatWaitsForItsAnswer() {
        exitCodes.answer(container -> {
            awaitUninterrupted(new CountDownLatch(1), Duration.ofMillis(400));
            return new Answer.Unknown(container);
        });
        try (ShimServer _ = start(Duration.ofMillis(100))) {
            call(create(TC));

            assertThat(call(delete())).isTrue();
        }
    }

    @Test
    void goesOnWhenAConnectionCannotBeAccepted() throws IOException {
        FailingServerSocketChannel server =
                new FailingServerSocketChannel(
                        ShimSocket.bind(socket, Optional.empty()), FAILED_ACCEPTS);
        try (ShimServer _ = start(server, LONGEST_WORK, FOR_EVER, ShimServer.workerThreads())) {
            await().until(this::isAnswered);

            assertThat(server.failures()).isEqualTo(FAILED_ACCEPTS);
        }
    }

    /** As where the limit of processes is reached. */
    @Test
    void servesWithTheThreadsThatAreThereWhereNoOtherCanBeMade() throws IOException {
        AtomicInteger made = new AtomicInteger();
        AtomicBoolean mayBeMade = new AtomicBoolean();
        ThreadFactory limited =
                work -> {
                    if (made.get() >= SPARE_THREADS && !mayBeMade.get()) {
                        throw new OutOfMemoryError("unable to create native thread");
                    }
                    made.incrementAndGet();
                    return new Thread(work);
                };
        List<SocketChannel> silent = new ArrayList<>();
        try (ShimServer _ =
                start(
                        ShimSocket.bind(socket, Optional.empty()),
                        LONGEST_WORK,
                        Duration.ofMillis(300),
                        limited)) {
            for (int i = 0; i < 2 * SPARE_THREADS; i++) {
                silent.add(connect());
            }

            await().until(this::isAnswered);
            mayBeMade.set(true);
            for (int i = 0; i < 2 * SPARE_THREADS; i++) {
                silent.add(connect());
            }

            await().until(this::isAnswered);
            assertThat(made.get()).isGreaterThan(SPARE_THREADS);
        } finally {
            for (SocketChannel client : silent) {
                client.close();
            }
        }
    }

    @Test
    void isGoneWhenItIsClosed() {
        ShimServer server = open();
        assertThat(isAnswered()).isTrue();

        server.close();

        assertThat(Files.exists(socket, LinkOption.NOFOLLOW_LINKS)).isFalse();
        assertThat(isAnswered()).isFalse();
        assertThat(ShimClient.isServed(socket)).isFalse();
        server.close();
    }

    @Test
    void isClosedInABoundedTimeWhateverItsClientsDo() throws IOException {
        CountDownLatch ended = answersAreHeldBack();
        ShimServer server = start(Duration.ofSeconds(5));
        call(create(TC));
        try (SocketChannel silent = connect();
                SocketChannel waiting = connect()) {
            send(waiting, delete());
            await().until(() -> !exitCodes.questions().isEmpty());
            long start = System.nanoTime();

            server.close();

            assertThat(Duration.ofNanos(System.nanoTime() - start))
                    .isLessThan(Duration.ofSeconds(4));
            assertThat(socket).doesNotExist();
            assertThat(silent.isConnected()).isTrue();
        } finally {
            ended.countDown();
        }
    }

    // --- the socket goes while the server lives

    @Test
    void bindsTheSocketAgainWhenItIsRemoved() throws IOException {
        try (ShimServer server = open()) {
            Files.delete(socket);

            await().until(() -> call(create(TC)));

            assertThat(registry.open(TC)).isPresent();
            assertThat(server.problem()).isEmpty();
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                    .isEqualTo("rw-------");
        }
        assertThat(socket).doesNotExist();
    }

    @Test
    void bindsTheSocketAgainWhenSomethingElseIsInItsPlace() throws IOException {
        try (ShimServer _ = open()) {
            Files.delete(socket);
            Files.writeString(socket, "not a socket");
            await().until(this::isAnswered);

            Files.delete(socket);
            try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
                dead.bind(UnixDomainSocketAddress.of(socket));
            }
            await().until(this::isAnswered);
        }
    }

    @Test
    void makesTheSocketsDirectoryAgain() throws IOException {
        Path run = directory.resolve("run");
        socket = run.resolve("tardis.sock");
        Runnable makeDirectory = () -> make(run);
        try (ShimServer _ = open(makeDirectory)) {
            Files.move(run, directory.resolve("moved"));

            await().until(this::isAnswered);
        }
    }

    @Test
    void saysOnceThatTheSocketCannotBeBoundAndWhenItIsAgain() throws IOException {
        Path run = directory.resolve("run");
        socket = run.resolve("tardis.sock");
        AtomicInteger attempts = new AtomicInteger();
        Runnable makeDirectory =
                () -> {
                    attempts.incrementAndGet();
                    make(run);
                };
        try (CapturedLog log = new CapturedLog(ShimSocket.class);
                ShimServer server = open(makeDirectory)) {
            Files.move(run, directory.resolve("moved")); // at once, socket and all
            Files.writeString(run, "in the place of the directory");
            await().until(() -> attempts.get() > 3);
            assertThat(log.at(Level.ERROR))
                    .singleElement(STRING)
                    .contains(socket.toString(), "bound again as soon as possible");
            assertThat(server.problem()).isPresent();

            Files.delete(run);
            await().until(this::isAnswered);

            assertThat(log.at(Level.WARN)).singleElement(STRING).contains("is bound again");
            assertThat(server.problem()).isEmpty();
        }
    }

    @Test
    void neitherTakesNorRemovesTheSocketOfAnotherServer() throws IOException {
        try (CapturedLog log = new CapturedLog(ShimSocket.class)) {
            ShimServer first = open();
            Path elsewhere = directory.resolve("other.sock");
            try (ServerSocketChannel other = ShimSocket.bind(elsewhere, Optional.empty())) {
                // At once: between its end and the next one's begin the first would bind it again.
                Files.move(elsewhere, socket, StandardCopyOption.ATOMIC_MOVE);
                await().until(() -> !log.at(Level.ERROR).isEmpty());

                first.close();

                assertThat(other.isOpen()).isTrue();
                assertThat(ShimClient.isServed(socket)).isTrue();
            }
        }
    }

    private static void make(Path run) {
        try {
            Files.createDirectories(run);
        } catch (IOException e) {
            throw new SetupException("cannot be made", e);
        }
    }

    // --- what is passed over is logged

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '"',
            value = {
                "create|default|no_id_|/r/default|/b|0|; not a container id: 'no_id_'",
                "create|default|tc|/r/default|b|0|; the bundle 'b' is not absolute",
                "stare|default|tc|/r/default||0|; 'stare' is no call"
            })
    void saysWhichCallItPassesOverAndStillSaysGo(String fields, String reason) throws IOException {
        try (CapturedLog log = new CapturedLog(ShimServer.class);
                ShimServer _ = open()) {
            assertThat(repliesTo(fields)).containsExactly(LONGEST_WORK, Duration.ZERO);

            assertThat(log.at(Level.WARN)).singleElement(STRING).contains("passed over", reason);
        }
        assertThat(directory.resolve("containers")).doesNotExist();
    }

    @Test
    void saysThatItPassesOverAPathThatIsNotUtf8() throws IOException {
        try (CapturedLog log = new CapturedLog(RuncShim.class);
                ShimServer _ = open()) {
            assertThat(repliesTo("create|default|tc|/r/default|/home/j\u00fcrgen|0|"))
                    .containsExactly(LONGEST_WORK, Duration.ZERO);

            assertThat(log.at(Level.WARN))
                    .singleElement(STRING)
                    .contains("default/tc is passed over", "/home/j", "not UTF-8");
        }
    }

    /** To a request of these fields in Latin 1, each ended by a bar. */
    private List<Duration> repliesTo(String fields) throws IOException {
        byte[] body = fields.replace('|', '\0').getBytes(StandardCharsets.ISO_8859_1);
        try (SocketChannel client = connect()) {
            ByteBuffer request = ByteBuffer.allocate(100);
            request.put("TARDIS2\n".getBytes(StandardCharsets.US_ASCII));
            request.putInt(body.length).put(body).flip();
            client.write(request);
            DataInputStream in = new DataInputStream(Channels.newInputStream(client));
            return List.of(LauncherProtocol.readReply(in), LauncherProtocol.readReply(in));
        }
    }

    /** Each question is answered, that it is not known, when this is counted down. */
    private CountDownLatch answersAreHeldBack() {
        CountDownLatch released = new CountDownLatch(1);
        exitCodes.answer(container -> {
            awaitUninterrupted(released);
            return new Answer.Unknown(container);
        });
        return released;
    }

    private ShimServer open() {
        return open(() -> {});
    }

    private ShimServer open(Runnable makeDirectory) {
        return ShimServer.open(
                socket, makeDirectory, new MissedNotes(directory, shim), LONGEST_WORK);
    }

    private ShimServer start(Duration requestPatience) {
        return start(
                ShimSocket.bind(socket, Optional.empty()),
                LONGEST_WORK,
                requestPatience,
                ShimServer.workerThreads());
    }

    private ShimServer start(
            ServerSocketChannel server,
            Duration longestWork,
            Duration requestPatience,
            ThreadFactory threads) {
        return new ShimServer(
                        new ShimSocket(socket, () -> {}, Optional.empty(), server),
                        new MissedNotes(directory, shim),
                        longestWork,
                        requestPatience,
                        threads)
                .start();
    }

    private boolean isAnswered() {
        return ShimClient.isAnswered(socket);
    }

    private boolean call(RuncCall call) {
        return Requests.send(socket, call);
    }

    private RuncCall create(ContainerKey container) {
        return new RuncCall.Create(container, ROOT, directory.resolve("bundle"));
    }

    private static RuncCall delete() {
        return new RuncCall.Delete(TC, ROOT, false);
    }

    private SocketChannel connect() throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(socket));
    }

    private static void send(SocketChannel client, RuncCall call) throws IOException {
        client.write(ByteBuffer.wrap(Requests.of(call)));
    }

    private static void awaitUninterrupted(CountDownLatch latch) {
        awaitUninterrupted(latch, Duration.ofSeconds(20));
    }

    private static void awaitUninterrupted(CountDownLatch latch, Duration time) {
        try {
            latch.await(time.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            throw new AssertionError("the shim's work must not be interrupted", e);
        }
    }
}
