package io.tardis.core.zmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.Readers;
import io.tardis.core.config.Limits;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Whose connections are served, with a kernel that says what the test wants. */
@Timeout(60)
class LocalClientsTest {

    private static final int READER = 1000;
    private static final int STRANGER = 1001;
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private final AtomicReference<Throwable> deadIoThread = new AtomicReference<>();
    private final FakeKernel kernel = new FakeKernel();
    private final LocalClients clients = new LocalClients(kernel, new OneReader());
    private ZmqContext context;
    private ZmqContext ofClients;
    private int port;
    private String endpoint;

    @BeforeEach
    void open() throws IOException {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        endpoint = "tcp://127.0.0.1:" + port;
        context =
                new ZmqContext(
                        deadIoThread::set,
                        Optional.empty(),
                        Limits.DEFAULT.maxConnections(),
                        Optional.of(clients));
        ofClients = new ZmqContext(deadIoThread::set);
    }

    @AfterEach
    void close() {
        ofClients.close();
        context.close();
        assertThat(deadIoThread.get()).isNull();
    }

    @Test
    void servesAUserWhoMayRead() {
        kernel.user(READER);
        try (Echo _ = new Echo(context, endpoint)) {
            assertAnswers();
        }
        assertThat(clients.refused()).isZero();
        assertThat(kernel.asked.getPort()).isEqualTo(port);
    }

    @Test
    void sendsNothingToAnother() throws IOException {
        kernel.user(STRANGER);
        try (Echo _ = new Echo(context, endpoint)) {
            for (int i = 0; i < 200; i++) {
                assertHangsUp();
            }
            kernel.user(READER);
            assertAnswers();
        }
        assertThat(clients.refused()).isEqualTo(200);
        assertThat(clients.problem()).isEmpty();
    }

    /** It may have closed meanwhile, and the kernel says root of it then. */
    @Test
    void sendsNothingWhereThereIsNoClient() throws IOException {
        try (Echo _ = new Echo(context, endpoint)) {
            assertHangsUp();
        }
        assertThat(clients.refused()).isEqualTo(1);
        assertThat(clients.problem()).isEmpty();
    }

    @Test
    void servesNobodyWhileTheKernelCannotBeAsked() throws IOException {
        kernel.fail("no netlink");
        try (Echo _ = new Echo(context, endpoint)) {
            assertHangsUp();
            assertThat(clients.problem())
                    .contains(
                            "the kernel cannot be asked whose a connection is: no netlink; to admit"
                                    + " every local user, set TARDIS_LOCAL_CLIENTS=any");
            kernel.user(READER);
            assertAnswers();
            assertThat(clients.problem()).isEmpty();
        }
    }

    @Test
    void triesAConnectionOfItsOwn() {
        assertThat(clients.examine()).hasValueSatisfying(it -> assertThat(it).contains("exists"));
        assertThat(clients.problem()).isPresent();

        kernel.user(STRANGER);
        assertThat(clients.examine()).isEmpty();
        assertThat(clients.problem()).isEmpty();

        kernel.fail("no netlink");
        assertThat(clients.examine()).hasValueSatisfying(it -> assertThat(it).contains("netlink"));
        assertThat(clients.refused()).isZero();
    }

    /** A reset, after which nothing of the connection is left, also where the client stays. */
    private void assertHangsUp() throws IOException {
        try (Socket client = new Socket()) {
            client.setSoTimeout((int) PATIENCE.toMillis());
            assertThatThrownBy(
                            () -> {
                                client.connect(
                                        new InetSocketAddress(
                                                InetAddress.getLoopbackAddress(), port));
                                int _ = client.getInputStream().read();
                            })
                    .isInstanceOf(SocketException.class)
                    .hasMessageContaining("reset");
        }
    }

    private void assertAnswers() {
        byte[] question = "question".getBytes(StandardCharsets.UTF_8);
        try (ZmqRequester requester = ofClients.requester(endpoint, PATIENCE)) {
            assertThat(requester.ask(question, Duration.ZERO)).isEqualTo(question);
        }
    }

    private static final class OneReader implements Readers {
        @Override
        public boolean mayRead(int uid) {
            return uid == READER;
        }

        @Override
        public Optional<Group> group() {
            return Optional.empty();
        }
    }

    /** Knows no connection, until it is told whose they are. */
    private static final class FakeKernel implements ConnectionOwners {
        private volatile OptionalInt user = OptionalInt.empty();
        private volatile String failure = "";
        private volatile InetSocketAddress asked = new InetSocketAddress(0);

        void user(int uid) {
            failure = "";
            user = OptionalInt.of(uid);
        }

        void fail(String why) {
            failure = why;
        }

        @Override
        public OptionalInt uidOf(InetSocketAddress client, InetSocketAddress server)
                throws IOException {
            asked = server;
            if (!failure.isEmpty()) {
                throw new IOException(failure);
            }
            return user;
        }
    }
}
