package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.listener.FakeShim.Connection;
import io.tardis.listener.FakeShim.Request;
import io.tardis.testkit.CapturedLog;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.event.Level;

@Timeout(60)
class ShimWitnessTest {

    private static final Instant AT = Instant.parse("2026-11-29T01:02:03.456789Z");
    private static final long PID = 4_711;
    private static final Duration NEVER = Duration.ofMinutes(5);

    @TempDir private Path folder;
    private final BlockingQueue<ShimWitness.Ended> ended = new LinkedBlockingQueue<>();
    private final BlockingQueue<Life> gone = new LinkedBlockingQueue<>();
    private final CapturedLog log = new CapturedLog(ShimWitness.class);
    private FakeShim shim;
    private ShimWitness witness;

    @BeforeEach
    void open() throws IOException {
        shim = new FakeShim(folder.resolve("s"));
        witness = start(ShimWitness.MAX_CONNECTIONS, NEVER, NEVER);
    }

    private ShimWitness start(int maxConnections, Duration patience, Duration pause)
            throws IOException {
        ShimWitness started =
                new ShimWitness(ended::add, gone::add, maxConnections, patience, pause);
        started.start();
        return started;
    }

    @AfterEach
    void close() throws IOException {
        witness.close();
        shim.close();
        log.close();
    }

    @Test
    void reportsTheEndOfAContainerThatRuns() throws Exception {
        Life life = life("tc");
        assertThat(witness.watch(life)).isTrue();
        Connection connection = shim.accept();
        assertThat(connection.request())
                .isEqualTo(new Request(1, "containerd.task.v2.Task", "State", "tc"));
        assertThat(connection.request())
                .isEqualTo(new Request(3, "containerd.task.v2.Task", "Wait", "tc"));

        connection.write(FakeShim.running("tc", PID));
        assertThat(witness.isWatching(life)).isTrue();
        connection.write(FakeShim.ended(7, AT));

        assertThat(nextEnd()).isEqualTo(new ShimWitness.Ended(life, 7, AT, PID));
        connection.awaitEnd();
        assertThat(gone).isEmpty();
    }

    @Test
    void takesAStatusThatIsNotSentForZero() throws Exception {
        witness.watch(life("tc"));
        shim.acceptAsked().write(FakeShim.running("tc", PID)).write(FakeShim.ended(0, AT));

        assertThat(nextEnd().exitStatus()).isZero();
    }

    @Test
    void reportsTheEndOfAContainerThatHasStoppedBefore() throws Exception {
        Life life = life("tc");
        witness.watch(life);
        shim.acceptAsked().write(FakeShim.state("tc", PID, FakeShim.STOPPED, 137, AT));

        ShimWitness.Ended end = nextEnd();
        assertThat(end).isEqualTo(new ShimWitness.Ended(life, 137, AT, PID));
        assertThat(end.exit()).isEqualTo(new TaskExit(life.container(), "tc", PID, 137, AT));
    }

    /** While the runtime's start or delete is under way, a shim does not answer for the state. */
    @Test
    void keepsAnEndUntilItIsKnownWhoseItIs() throws Exception {
        Life life = life("tc");
        witness.watch(life);
        Connection connection = shim.acceptAsked().write(FakeShim.ended(7, AT));
        assertThat(ended.poll(50, TimeUnit.MILLISECONDS)).isNull();

        connection.write(FakeShim.running("tc", PID));

        assertThat(nextEnd()).isEqualTo(new ShimWitness.Ended(life, 7, AT, PID));
    }

    @Test
    void readsAnswersThatComeInSingleBytes() throws Exception {
        witness.watch(life("tc"));
        Connection connection = shim.acceptAsked();

        byte[] all = FakeShim.join(FakeShim.running("tc", PID), FakeShim.ended(7, AT));
        for (byte each : all) {
            connection.write(new byte[] {each});
            Thread.onSpinWait();
        }

        assertThat(nextEnd().exitStatus()).isEqualTo(7);
    }

    @Test
    void readsAnAnswerThatIsLongerThanUsual() throws Exception {
        witness.watch(life("tc"));
        byte[] unknown = FakeShim.field(1_000, new byte[60_000]);
        byte[] state =
                FakeShim.join(unknown, FakeShim.field(1, "tc".getBytes(StandardCharsets.UTF_8)));
        Connection connection = shim.acceptAsked();

        connection.write(FakeShim.response(ShimProtocol.STATE, state)).write(FakeShim.ended(7, AT));

        assertThat(nextEnd().exitStatus()).isEqualTo(7);
    }

    static Stream<byte[]> answersWithoutAnEnd() {
        return Stream.of(
                FakeShim.error(ShimProtocol.STATE, 5, "container not found\n"),
                FakeShim.join(
                        FakeShim.running("tc", PID),
                        FakeShim.error(ShimProtocol.WAIT, 2, "unknown")),
                // Go's zero time: the task was deleted, and its end not seen.
                FakeShim.state(
                        "tc", PID, FakeShim.STOPPED, 0, Instant.parse("0001-01-01T00:00:00Z")),
                FakeShim.state("tc", PID, FakeShim.STOPPED, 0, Instant.EPOCH),
                FakeShim.join(FakeShim.running("tc", PID), FakeShim.ended(0, Instant.EPOCH)),
                FakeShim.state("tc", PID + 1, FakeShim.STOPPED, 7, AT),
                FakeShim.state("other", PID, FakeShim.STOPPED, 7, AT),
                FakeShim.join(FakeShim.running("tc", PID), FakeShim.running("tc", PID)),
                FakeShim.response(5, new byte[0]),
                FakeShim.response(ShimProtocol.STATE, new byte[0]),
                FakeShim.response(ShimProtocol.STATE, new byte[] {-1, -1}),
                FakeShim.frame(ShimProtocol.STATE, new byte[] {0}),
                new byte[] {0, 1, 0, 1, 0, 0, 0, 1, 2, 0}, // one byte too many
                "HTTP/1.1 400 Bad Request\r\n".getBytes(StandardCharsets.UTF_8),
                new byte[] {-1, -1, -1, -1, 0, 0, 0, 1, 2, 0},
                new byte[] {0, 0, 0, 0, 0, 0, 0, 1, 1, 0});
    }

    @ParameterizedTest
    @MethodSource("answersWithoutAnEnd")
    void givesUpAShimWhoseAnswerSaysNothing(byte[] answer) throws Exception {
        Life life = life("tc");
        witness.watch(life);
        Connection connection = shim.acceptAsked();
        connection.write(answer);

        assertThat(nextGone()).isEqualTo(life);
        assertThat(witness.isWatching(life)).isFalse();
        assertThat(ended).isEmpty();
        await().until(() -> isClosed(connection));
        assertThat(log.at(Level.WARN))
                .singleElement()
                .asString()
                .startsWith("a containerd shim does not report how its container ends: default/tc:")
                .doesNotContain("\n");
    }

    /** The unread rest of an answer resets the connection. */
    private static boolean isClosed(Connection connection) {
        try {
            connection.write(new byte[1]);
            return false;
        } catch (IOException _) {
            return true;
        }
    }

    @Test
    void reportsThatAShimEndsEarly() throws Exception {
        Life life = life("tc");
        witness.watch(life);
        shim.acceptAsked().write(FakeShim.running("tc", PID)).close();

        assertThat(nextGone()).isEqualTo(life);
        assertThat(witness.isWatching(life)).isFalse();
        assertThat(ended).isEmpty();
    }

    @Test
    void takesAnEndThatTheShimSentBeforeItEnded() throws Exception {
        Life life = life("tc");
        witness.watch(life);
        Connection connection = shim.acceptAsked();
        connection.write(FakeShim.join(FakeShim.running("tc", PID), FakeShim.ended(7, AT))).close();

        assertThat(nextEnd().exitStatus()).isEqualTo(7);
        assertThat(gone).isEmpty();
    }

    @Test
    void givesUpASilentShimAfterItWasAskedTwice() throws Exception {
        witness.close();
        witness = start(ShimWitness.MAX_CONNECTIONS, Duration.ofMillis(500), Duration.ofSeconds(1));
        Life life = life("tc");
        witness.watch(life);
        Connection first = shim.acceptAsked();

        assertThat(nextGone()).isEqualTo(life);
        first.awaitEnd();
        assertThat(witness.watch(life)).isFalse();
        assertThat(witness.isWatching(life)).isFalse();

        Connection second = shim.acceptAsked();
        assertThat(nextGone()).isEqualTo(life);
        second.awaitEnd();

        await().until(() -> witness.watch(life)); // not asked by itself any more, but when wanted
        assertThat(gone).isEmpty();
    }

    @Test
    void watchesAShimThatAnswersTheSecondTime() throws Exception {
        witness.close();
        witness = start(ShimWitness.MAX_CONNECTIONS, Duration.ofSeconds(1), Duration.ofMillis(50));
        Life life = life("tc");
        witness.watch(life);
        shim.acceptAsked();
        assertThat(nextGone()).isEqualTo(life);

        shim.acceptAsked().write(FakeShim.state("tc", PID, FakeShim.STOPPED, 7, AT));

        assertThat(nextEnd().exitStatus()).isEqualTo(7);
    }

    @Test
    void waitsForAnEndAsLongAsItTakes() throws Exception {
        witness.close();
        witness = start(ShimWitness.MAX_CONNECTIONS, Duration.ofMillis(100), NEVER);
        Life life = life("tc");
        witness.watch(life);
        Connection connection = shim.acceptAsked().write(FakeShim.running("tc", PID));

        assertThat(gone.poll(300, TimeUnit.MILLISECONDS)).isNull();
        connection.write(FakeShim.ended(7, AT));

        assertThat(nextEnd().exitStatus()).isEqualTo(7);
    }

    @Test
    void leavesAShimAloneThatHasJustFailed() throws Exception {
        Life life = life("tc");
        witness.watch(life);
        shim.acceptAsked().close();
        assertThat(nextGone()).isEqualTo(life);

        assertThat(witness.watch(life)).isFalse();
        assertThat(witness.watch(life("other"))).isTrue();

        witness.forget(life);
        assertThat(witness.watch(life)).isTrue();
    }

    @Test
    void watchesTwoContainersAtOneAddress() throws Exception {
        Life one = life("one");
        Life two = life("two");
        witness.watch(one);
        witness.watch(two);
        Connection first = shim.acceptAsked().write(FakeShim.running("one", PID));
        Connection second = shim.acceptAsked().write(FakeShim.running("two", PID));

        second.write(FakeShim.ended(2, AT));
        assertThat(nextEnd()).isEqualTo(new ShimWitness.Ended(two, 2, AT, PID));
        first.write(FakeShim.ended(1, AT));
        assertThat(nextEnd()).isEqualTo(new ShimWitness.Ended(one, 1, AT, PID));
    }

    @Test
    void watchesManyAtOnceAndLeaksNothing() throws Exception {
        long before = descriptors();
        List<Connection> connections = new ArrayList<>();
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            assertThat(witness.watch(life("tc" + i))).isTrue();
            order.add(i);
        }
        for (int i = 0; i < 200; i++) {
            connections.add(shim.acceptAsked().write(FakeShim.running("tc" + i, PID)));
        }
        Collections.shuffle(order, new Random(23));

        for (int i : order) {
            connections.get(i).write(FakeShim.ended(i, AT)).close();
        }

        for (int i = 0; i < 200; i++) {
            ShimWitness.Ended end = nextEnd();
            assertThat("tc" + end.exitStatus()).isEqualTo(end.life().container().id());
        }
        assertThat(gone).isEmpty();
        await().untilAsserted(() -> assertThat(descriptors()).isLessThanOrEqualTo(before));
    }

    @Test
    void watchesALifeOnceUntilItIsForgotten() throws Exception {
        Life life = life("tc");
        witness.watch(life);
        witness.watch(life);
        Connection connection = shim.acceptAsked();
        connection.write(FakeShim.running("tc", PID)).write(FakeShim.ended(7, AT));
        assertThat(nextEnd().life()).isEqualTo(life);

        assertThat(witness.isWatching(life)).isTrue();
        assertThat(witness.watch(life)).isTrue();
        witness.forget(life);
        assertThat(witness.isWatching(life)).isFalse();

        witness.watch(life("marker"));
        assertThat(shim.accept().request().id()).isEqualTo("marker");
    }

    @Test
    void closesTheConnectionOfALifeThatIsForgotten() throws Exception {
        Life life = life("tc");
        witness.watch(life);
        Connection connection = shim.acceptAsked().write(FakeShim.running("tc", PID));

        witness.forget(life);
        witness.forget(life("never"));

        connection.awaitEnd();
        assertThat(witness.isWatching(life)).isFalse();
        assertThat(ended).isEmpty();
        assertThat(gone).isEmpty();
    }

    @Test
    void doesNotWatchMoreThanItsLimit() throws Exception {
        witness.close();
        witness = start(2, NEVER, NEVER);
        assertThat(witness.watch(life("one"))).isTrue();
        assertThat(witness.watch(life("two"))).isTrue();
        for (int i = 0; i < 3; i++) {
            assertThat(witness.watch(life("three"))).isFalse();
        }
        assertThat(log.at(Level.WARN)).hasSize(1);

        shim.acceptAsked().write(FakeShim.state("one", PID, FakeShim.STOPPED, 1, AT));
        assertThat(nextEnd().exitStatus()).isEqualTo(1);
        assertThat(witness.watch(life("three"))).isTrue();
    }

    @Test
    void saysThatAShimIsGone() throws Exception {
        Life life = life("tc");
        shim.close();
        assertThat(witness.watch(life)).isFalse();

        Files.writeString(folder.resolve("s"), "");
        assertThat(witness.watch(life)).isFalse();

        Files.delete(life.bundle().resolve("address"));
        assertThat(witness.watch(life)).isFalse();
        assertThat(witness.watch(life("tc", Path.of("")))).isFalse();
        assertThat(gone).isEmpty();
        assertThat(log.at(Level.WARN)).isEmpty();
    }

    /** Linux refuses a connection beyond the queue of those that are not accepted. */
    @Test
    void doesNotWaitForAShimThatAcceptsNothing() throws Exception {
        try (FakeShim slow = new FakeShim(folder.resolve("slow"), 1)) {
            Life life = life("tc", slow.bundle(folder.resolve("slow-bundle")));
            for (int i = 0; i < 2; i++) {
                assertThat(witness.watch(life("queued" + i, life.bundle()))).isTrue();
            }

            assertThat(witness.watch(life)).isFalse();

            assertThat(log.at(Level.WARN)).hasSize(1);
            slow.acceptAsked();
            assertThat(witness.watch(life)).isTrue();
        }
    }

    /** Its end is not known then; the life must not be taken for one that is gone. */
    @Test
    void saysThatItCannotAskNow() throws Exception {
        Life life = life("tc");
        Files.delete(life.bundle().resolve("address"));
        Files.delete(life.bundle());
        Files.createSymbolicLink(life.bundle(), life.bundle()); // a loop, in the place of a disk

        assertThatThrownBy(() -> witness.watch(life)).isInstanceOf(UncheckedIOException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"version\":3,\"address\":\"unix://SOCKET\",\"protocol\":\"grpc\"}",
                "{\"version\":3,\"address\":\"unix://SOCKET\"}",
                "{\"version\":4,\"address\":\"unix://SOCKET\",\"protocol\":\"ttrpc\"}",
                "{\"version\":3,\"address\":\"vsock://2:1024\",\"protocol\":\"ttrpc\"}",
                "{\"version\":3,\"protocol\":\"ttrpc\"}",
                "{\"version\":3,\"address\":\"unix://relative\",\"protocol\":\"ttrpc\"}",
                "{\"version\":3,\"address\":\"unix:///a\\u0000b\",\"protocol\":\"ttrpc\"}",
                "[]",
                "{",
                ""
            })
    void doesNotAskAShimThatItCannotTalkTo(String bootstrap) throws Exception {
        Life life = life("tc");
        Files.writeString(
                life.bundle().resolve("bootstrap.json"),
                bootstrap.replace("SOCKET", folder.resolve("s").toString()));

        assertThat(witness.watch(life)).isFalse();
        assertThat(log.at(Level.WARN)).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\0/containerd-shim/0123.sock", "@/containerd-shim/0123.sock", "x", ""})
    void doesNotAskAnAbstractSocket(String address) throws Exception {
        Life life = life("tc");
        Files.writeString(life.bundle().resolve("address"), address);

        assertThat(witness.watch(life)).isFalse();
        assertThat(log.at(Level.WARN)).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void asksTheServiceOfTheShimsVersion(int version) throws Exception {
        Life life = life("tc");
        Files.writeString(
                life.bundle().resolve("bootstrap.json"),
                "{\"version\":%d,\"address\":\"unix://%s\",\"protocol\":\"ttrpc\"}"
                        .formatted(version, folder.resolve("s")));

        assertThat(witness.watch(life)).isTrue();
        assertThat(shim.accept().request())
                .isEqualTo(new Request(1, "containerd.task.v" + version + ".Task", "State", "tc"));
    }

    @Test
    void doesNotReadAnAddressThatIsNoSmallFile() throws Exception {
        Life life = life("tc");
        Path address = life.bundle().resolve("address");
        Files.move(address, folder.resolve("elsewhere"));
        Files.createSymbolicLink(address, folder.resolve("elsewhere"));
        assertThat(witness.watch(life)).isFalse();

        Files.delete(address);
        Files.writeString(address, "unix:///" + "x".repeat(10_000));
        assertThat(witness.watch(life)).isFalse();

        Files.delete(address);
        assertThat(new ProcessBuilder("mkfifo", address.toString()).start().waitFor()).isZero();
        assertThat(witness.watch(life)).isFalse();
    }

    @Test
    void watchesALifeWhosePidIsNotKnown() throws Exception {
        Life life =
                Life.of(
                        "life of tc",
                        new ContainerKey("default", "tc"),
                        Instant.EPOCH,
                        shim.bundle(folder.resolve("tc")));
        witness.watch(life);
        shim.acceptAsked().write(FakeShim.state("tc", 99, FakeShim.STOPPED, 7, AT));

        assertThat(nextEnd()).isEqualTo(new ShimWitness.Ended(life, 7, AT, 99));
    }

    @Test
    void endsWhileItWatches() throws Exception {
        Life life = life("tc");
        witness.watch(life);
        Connection connection = shim.acceptAsked().write(FakeShim.running("tc", PID));

        witness.close();
        witness.close();

        connection.awaitEnd();
        assertThat(witness.isWatching(life)).isTrue();
        assertThat(witness.watch(life)).isFalse();
        assertThat(gone).isEmpty();
    }

    @Test
    void watchesFromTheStartOnWhatItWasGivenBefore() throws Exception {
        witness.close();
        witness = new ShimWitness(ended::add, gone::add);
        witness.watch(life("tc"));
        shim.acceptAsked().write(FakeShim.state("tc", PID, FakeShim.STOPPED, 7, AT));

        witness.start();

        assertThat(nextEnd().exitStatus()).isEqualTo(7);
    }

    private Life life(String id) throws IOException {
        return life(id, shim.bundle(folder.resolve("bundle-of-" + id)));
    }

    private static Life life(String id, Path bundle) {
        ContainerKey container = new ContainerKey("default", id);
        return Life.of("life of " + id, container, Instant.EPOCH, bundle)
                .withInit(new InitProcess(PID, OptionalLong.of(1)));
    }

    private ShimWitness.Ended nextEnd() throws InterruptedException {
        ShimWitness.Ended next = ended.poll(10, TimeUnit.SECONDS);
        assertThat(next).as("an end; gone: %s, logged: %s", gone, log.at(Level.WARN)).isNotNull();
        return next;
    }

    private Life nextGone() throws InterruptedException {
        Life next = gone.poll(10, TimeUnit.SECONDS);
        assertThat(next).as("a life that is gone; ended: %s", ended).isNotNull();
        return next;
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }
}
