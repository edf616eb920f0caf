package io.tardis.core.zmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import com.neilalexander.jnacl.crypto.curve25519xsalsa20poly1305;
import io.tardis.core.SetupException;
import io.tardis.core.UnavailableException;
import io.tardis.core.config.Limits;
import io.tardis.core.curve.CurveKeyFiles;
import io.tardis.core.curve.CurveKeyPair;
import io.tardis.core.curve.CurveKeys;
import io.tardis.core.curve.CurvePublicKey;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Who gets in, and who does not, where there are keys. */
@Timeout(60)
class CurveSocketsTest {

    private static final Duration PATIENCE = Duration.ofSeconds(10);

    /** Long enough for a handshake and an answer. */
    private static final Duration REFUSED = Duration.ofSeconds(1);

    private static final CurveKeyPair SERVER = CurveKeyPair.generate();
    private static final CurveKeyPair ALICE = CurveKeyPair.generate();
    private static final CurveKeyPair MALLORY = CurveKeyPair.generate();

    private final AtomicReference<Throwable> dead = new AtomicReference<>();
    @TempDir private Path root;
    private Path clients;
    private ZmqContext server;
    private int port;
    private String endpoint;

    @BeforeEach
    void open() throws IOException {
        clients = Files.createDirectory(root.resolve("clients"));
        Files.setPosixFilePermissions(clients, PosixFilePermissions.fromString("rwx------"));
        CurveKeyFiles.write(clients.resolve("alice"), ALICE);
        server = context(new CurveKeys(SERVER, SERVER.publicKey(), Optional.of(clients)));
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        endpoint = "tcp://127.0.0.1:" + port;
    }

    /** Would hang if a socket, a connection or the thread that knows the clients was leaked. */
    @AfterEach
    void close() {
        assertTimeoutPreemptively(Duration.ofSeconds(20), server::close);
        assertThat(dead.get()).isNull();
        assertThat(threads()).isEmpty();
    }

    @Test
    void answersTheOwnerOfItsKeyPairAndTheClientsThatItKnows() {
        try (Echo _ = new Echo(server, endpoint)) {
            assertThat(ask(SERVER, SERVER.publicKey(), PATIENCE)).isEqualTo("question");
            assertThat(ask(ALICE, SERVER.publicKey(), PATIENCE)).isEqualTo("question");
        }
    }

    @Test
    void answersNobodyElse() {
        try (Echo _ = new Echo(server, endpoint)) {
            assertRefused(MALLORY, SERVER.publicKey());
            assertThat(ask(ALICE, SERVER.publicKey(), PATIENCE)).isEqualTo("question");
        }
    }

    @Test
    void answersNobodyWithoutKeys() {
        try (Echo _ = new Echo(server, endpoint);
                ZmqContext plain = new ZmqContext(dead::set);
                ZmqRequester requester = plain.requester(endpoint, REFUSED)) {
            assertThatThrownBy(() -> requester.ask(bytes("question"), Duration.ZERO))
                    .isInstanceOf(UnavailableException.class);
        }
    }

    @Test
    void knowsAClientWhoseFileIsAddedAndNoMoreWhenItIsRemoved() throws IOException {
        try (Echo _ = new Echo(server, endpoint)) {
            assertRefused(MALLORY, SERVER.publicKey());

            CurveKeyFiles.write(clients.resolve("mallory"), MALLORY);
            assertThat(ask(MALLORY, SERVER.publicKey(), PATIENCE)).isEqualTo("question");

            Files.delete(clients.resolve("mallory.key"));
            await().atMost(PATIENCE)
                    .ignoreExceptionsInstanceOf(AssertionError.class)
                    .untilAsserted(() -> assertRefused(MALLORY, SERVER.publicKey()));
        }
    }

    @Test
    void believesNoServerThatHasNotTheKey() {
        // A server with another key, and one without any: neither is asked, or believed.
        try (ZmqContext other = context(new CurveKeys(ALICE, ALICE.publicKey(), Optional.empty()));
                Echo _ = new Echo(other, endpoint)) {
            assertRefused(ALICE, SERVER.publicKey());
        }
        try (ZmqContext plain = new ZmqContext(dead::set);
                Echo _ =
                        await().ignoreExceptions()
                                .until(() -> new Echo(plain, endpoint), it -> true)) {
            assertRefused(ALICE, SERVER.publicKey());
        }
    }

    @Test
    void publishesToTheClientsThatItKnowsAlone() {
        try (ZmqPublisher publisher = server.publisher(List.of(endpoint));
                ZmqContext known = client(ALICE, SERVER.publicKey());
                ZmqContext unknown = client(MALLORY, SERVER.publicKey());
                ZmqContext plain = new ZmqContext(dead::set);
                ZmqSubscriber knownOne = known.subscriber(endpoint, List.of(""));
                ZmqSubscriber unknownOne = unknown.subscriber(endpoint, List.of(""));
                ZmqSubscriber plainOne = plain.subscriber(endpoint, List.of(""))) {
            await().atMost(PATIENCE)
                    .until(() -> {
                        publisher.send("/tasks/", bytes("tick"));
                        return knownOne.receive(Duration.ofMillis(20)) != null;
                    });
            for (int i = 0; i < 100; i++) {
                publisher.send("/tasks/", bytes("tick"));
                assertThat(knownOne.receive(PATIENCE)).isNotNull();
            }

            assertThat(unknownOne.receive(REFUSED)).isNull();
            assertThat(plainOne.receive(REFUSED)).isNull();
        }
    }

    @Test
    void needsNoKeysInsideTheProcess() {
        try (Echo _ = new Echo(server, "inproc://queries", endpoint);
                ZmqRequester inside = server.requester("inproc://queries", PATIENCE)) {
            assertThat(text(inside.ask(bytes("inside"), Duration.ZERO))).isEqualTo("inside");
            assertThat(ask(ALICE, SERVER.publicKey(), PATIENCE)).isEqualTo("question");
        }
    }

    @Test
    void answersFreshConnectionsWithoutTheHangOfThirtySeconds() {
        try (Echo _ = new Echo(server, endpoint);
                ZmqContext alice = client(ALICE, SERVER.publicKey())) {
            for (int i = 0; i < 40; i++) {
                try (ZmqRequester requester = alice.requester(endpoint, PATIENCE)) {
                    assertThat(text(requester.ask(bytes("question"), Duration.ZERO)))
                            .isEqualTo("question");
                }
            }
        }
    }

    @Test
    void reachesItselfWhereItIsBoundOnEveryAddress() {
        try (Echo _ = new Echo(server, endpoint);
                ZmqRequester requester = server.requester("tcp://*:" + port, PATIENCE)) {
            assertThat(text(requester.ask(bytes("question"), Duration.ZERO))).isEqualTo("question");
        }
    }

    @Test
    void bindsNothingWhereTheClientsKeysCannotBeRead() throws IOException {
        Files.writeString(clients.resolve("alice.key"), "torn");

        assertThatThrownBy(() -> server.replier(List.of(endpoint)))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(clients.resolve("alice.key").toString());

        assertThatThrownBy(() -> new Socket(InetAddress.getLoopbackAddress(), port).close())
                .isInstanceOf(IOException.class);
    }

    /** Any client can know the server's public key, and so get as far as the last step. */
    @Test
    void survivesHandshakesThatAreWrong() throws IOException {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        try (Echo _ = new Echo(server, endpoint)) {
            for (int length : new int[] {0, 1, 6, 7, 100, 199, 200, 201, 60_000}) {
                sendCommand("HELLO", length, random);
                sendCommand("INITIATE", length, random);
                sendCommand("MESSAGE", length, random);
            }
            for (int length : new int[] {0, 143, 144, 145, 250, 400, 416, 417, 1000, 60_000}) {
                helloAndThenInitiateOf(length, random);
            }

            assertThat(ask(ALICE, SERVER.publicKey(), PATIENCE))
                    .as("seed %d", seed)
                    .isEqualTo("question");
        }
    }

    @Test
    void keepsNothingOfThoseWhomItRefuses() {
        try (Echo _ = new Echo(server, endpoint)) {
            for (int i = 0; i < 30; i++) {
                try (ZmqContext mallory = client(MALLORY, SERVER.publicKey());
                        ZmqSubscriber subscriber = mallory.subscriber(endpoint, List.of(""))) {
                    assertThat(subscriber.receive(Duration.ofMillis(20))).isNull();
                }
            }
            assertThat(ask(ALICE, SERVER.publicKey(), PATIENCE)).isEqualTo("question");
            assertThat(threads()).hasSize(1);
        }
    }

    private void assertRefused(CurveKeyPair client, CurvePublicKey serverKey) {
        assertThatThrownBy(() -> ask(client, serverKey, REFUSED))
                .isInstanceOf(UnavailableException.class)
                .hasMessageContaining(endpoint);
    }

    private String ask(CurveKeyPair client, CurvePublicKey serverKey, Duration patience) {
        try (ZmqContext context = client(client, serverKey);
                ZmqRequester requester = context.requester(endpoint, patience)) {
            return text(requester.ask(bytes("question"), Duration.ZERO));
        }
    }

    private ZmqContext client(CurveKeyPair own, CurvePublicKey serverKey) {
        return context(new CurveKeys(own, serverKey, Optional.empty()));
    }

    private ZmqContext context(CurveKeys keys) {
        return new ZmqContext(
                dead::set, Optional.of(keys), Limits.DEFAULT.maxConnections(), Optional.empty());
    }

    private static List<Thread> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(it -> it.getName().equals("tardis-zmq-clients"))
                .toList();
    }

    // Clients that know the protocol, and do not keep to it

    private interface Conversation {
        void with(DataInputStream in, OutputStream out) throws IOException;
    }

    private void afterGreeting(Conversation conversation) throws IOException {
        try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
            client.setSoTimeout(200); // it hangs up, or waits for more: both do no harm
            ByteBuffer greeting = ByteBuffer.allocate(64);
            greeting.put(new byte[] {(byte) 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0});
            greeting.put(bytes("CURVE"));
            client.getOutputStream().write(greeting.array());
            DataInputStream in = new DataInputStream(client.getInputStream());
            in.readNBytes(64);
            conversation.with(in, client.getOutputStream());
            in.readAllBytes();
        } catch (SocketException | SocketTimeoutException _) {
            // It hung up before the last byte was sent, or waits.
        }
    }

    private void sendCommand(String name, int length, Random random) throws IOException {
        byte[] body = new byte[length];
        random.nextBytes(body);
        afterGreeting((_, out) -> out.write(command(name, body)));
    }

    /** HELLO and WELCOME as they should be, and an INITIATE with a good cookie and a bad box. */
    private void helloAndThenInitiateOf(int boxLength, Random random) throws IOException {
        byte[] publicKey = new byte[32];
        byte[] secretKey = new byte[32];
        assertThat(curve25519xsalsa20poly1305.crypto_box_keypair(publicKey, secretKey)).isZero();
        byte[] box = new byte[96];
        byte[] nonce = nonce("CurveZMQHELLO---", new byte[] {0, 0, 0, 0, 0, 0, 0, 1});
        assertThat(
                        curve25519xsalsa20poly1305.crypto_box(
                                box,
                                new byte[96],
                                96,
                                nonce,
                                SERVER.publicKey().bytes(),
                                secretKey))
                .isZero();
        ByteBuffer hello = ByteBuffer.allocate(194).put((byte) 1).put((byte) 0);
        hello.position(74).put(publicKey).put(nonce, 16, 8).put(box, 16, 80);
        afterGreeting((in, out) -> {
            out.write(command("HELLO", hello.array()));
            assertThat(in.read()).isEqualTo(4); // a short command
            byte[] welcome = in.readNBytes(in.read());
            assertThat(welcome).hasSize(168);
            byte[] sealed = new byte[160];
            System.arraycopy(welcome, 24, sealed, 16, 144);
            byte[] opened = new byte[160];
            assertThat(
                            curve25519xsalsa20poly1305.crypto_box_open(
                                    opened,
                                    sealed,
                                    160,
                                    nonce("WELCOME-", Arrays.copyOfRange(welcome, 8, 24)),
                                    SERVER.publicKey().bytes(),
                                    secretKey))
                    .isZero();
            byte[] body = new byte[96 + 8 + boxLength];
            random.nextBytes(body);
            System.arraycopy(opened, 64, body, 0, 96); // the cookie
            out.write(command("INITIATE", body));
        });
    }

    private static byte[] nonce(String prefix, byte[] rest) {
        return ByteBuffer.allocate(24).put(bytes(prefix)).put(rest).array();
    }

    /** A ZMTP 3 command frame in its long form. */
    private static byte[] command(String name, byte[] body) {
        int length = 1 + name.length() + body.length;
        return ByteBuffer.allocate(9 + length)
                .put((byte) 6)
                .putLong(length)
                .put((byte) name.length())
                .put(bytes(name))
                .put(body)
                .array();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
