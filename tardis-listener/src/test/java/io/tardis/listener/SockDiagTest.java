package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Asks the kernel about connections of this process. */
@Timeout(60)
class SockDiagTest {

    private final SockDiag kernel = new SockDiag();
    private int own;

    @BeforeEach
    void findOwnUser() throws IOException {
        own = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    }

    @AfterEach
    void close() {
        kernel.close();
    }

    @Test
    void knowsWhoseAConnectionIs() throws IOException {
        try (Pair pair = new Pair("127.0.0.1")) {
            assertThat(kernel.uidOf(pair.client(), pair.server())).hasValue(own);
        }
    }

    /** The JDK's sockets are IPv6's where there is any, and have IPv4's addresses mapped. */
    @Test
    void knowsAConnectionOverIpv6() throws IOException {
        assumeTrue(Files.exists(Path.of("/proc/net/if_inet6")));
        try (Pair pair = new Pair("::1")) {
            assertThat(kernel.uidOf(pair.client(), pair.server())).hasValue(own);
        }
    }

    @Test
    void doesNotKnowAConnectionThatDoesNotExist() throws IOException {
        try (Pair pair = new Pair("127.0.0.1")) {
            InetSocketAddress other = at("127.0.0.1", 1);
            InetSocketAddress elsewhere = at("192.0.2.1", 40_000);

            assertThat(kernel.uidOf(other, pair.server())).isEmpty();
            assertThat(kernel.uidOf(elsewhere, pair.server())).isEmpty();
            // The kernel finds the socket that listens there.
            assertThat(kernel.uidOf(pair.server(), other)).isEmpty();
        }
    }

    /** What it wrote is still to be read, and the kernel says root of it. */
    @Test
    void aClientThatHasClosedIsNotKnown() throws IOException {
        try (Pair pair = new Pair("127.0.0.1")) {
            InetSocketAddress client = pair.client();
            pair.socket.getOutputStream().write(1);
            pair.socket.close();

            await().untilAsserted(() -> assertThat(kernel.uidOf(client, pair.server())).isEmpty());
        }
    }

    @Test
    void goesOnAfterItWasClosed() throws IOException {
        try (Pair pair = new Pair("127.0.0.1")) {
            for (int i = 0; i < 3; i++) {
                assertThat(kernel.uidOf(pair.client(), pair.server())).hasValue(own);
                kernel.close();
                kernel.close();
            }
        }
    }

    @Test
    void answersManyThreads() throws IOException {
        try (Pair pair = new Pair("127.0.0.1");
                ForkJoinPool pool = new ForkJoinPool(4)) {
            assertThat(
                            IntStream.range(0, 1_000)
                                    .mapToObj(_ -> pool.submit(() -> ask(pair)))
                                    .toList())
                    .extracting(ForkJoinTask::join)
                    .containsOnly(own);
        }
    }

    private int ask(Pair pair) throws IOException {
        return kernel.uidOf(pair.client(), pair.server()).orElse(-1);
    }

    private static InetSocketAddress at(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }

    /** A connection, and both of its ends. */
    private static final class Pair implements AutoCloseable {
        private final ServerSocket listening;
        private final Socket socket;
        private final Socket accepted;

        Pair(String address) throws IOException {
            listening = new ServerSocket(0, 1, InetAddress.ofLiteral(address));
            socket = new Socket(listening.getInetAddress(), listening.getLocalPort());
            accepted = listening.accept();
        }

        InetSocketAddress client() {
            return (InetSocketAddress) accepted.getRemoteSocketAddress();
        }

        InetSocketAddress server() {
            return (InetSocketAddress) accepted.getLocalSocketAddress();
        }

        @Override
        public void close() throws IOException {
            accepted.close();
            socket.close();
            listening.close();
        }
    }
}
