package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The client against a daemon that misbehaves; {@link ShimServerTest} has the one that works. */
@Timeout(30)
class ShimClientTest {

    @TempDir private Path directory;
    private Path socket;
    private ServerSocketChannel server;

    @BeforeEach
    void listen() throws IOException {
        socket = directory.resolve("tardis.sock");
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
    }

    @AfterEach
    void close() throws IOException {
        server.close();
    }

    @Test
    void sendsAPing() {
        CompletableFuture<Optional<RuncCall>> ping = CompletableFuture.supplyAsync(this::serve);
        assertThat(ShimClient.isAnswered(socket)).isTrue();
        assertThat(ping.join()).isEmpty();
    }

    private Optional<RuncCall> serve() {
        try (SocketChannel client = server.accept()) {
            Optional<RuncCall> request =
                    LauncherProtocol.readRequest(
                            new DataInputStream(Channels.newInputStream(client)));
            client.write(ByteBuffer.wrap(new byte[] {'G'}));
            return request;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void goesOnAfterAnyNumberOfWaits() {
        answer('W', 0, 0, 8, 0, 'W', 0, 0, 8, 0, 'G');

        assertThat(ShimClient.isAnswered(socket)).isTrue();
    }

    @Test
    void doesNotTakeBrokenRepliesForGo() {
        answer('W', 0, 0);
        assertThat(ShimClient.isAnswered(socket)).isFalse();

        answer();
        assertThat(ShimClient.isAnswered(socket)).isFalse();

        answer('X', 'G');
        assertThat(ShimClient.isAnswered(socket)).isFalse();
    }

    @Test
    void givesUpOnADaemonThatSaysNothing() {
        long start = System.nanoTime();

        // It is connected by the backlog, and nobody accepts.
        boolean answered = ShimClient.isAnswered(socket);

        assertThat(answered).isFalse();
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
    }

    @Test
    void findsNobodyWhereThereIsNoDaemon() throws IOException {
        server.close();

        assertThat(ShimClient.isServed(socket)).isFalse();
        assertThat(ShimClient.isAnswered(socket)).isFalse();
        assertThat(ShimClient.isAnswered(directory.resolve("gone"))).isFalse();
        assertThat(ShimClient.isAnswered(directory.resolve("x".repeat(120)))).isFalse();
    }

    /**
     * Answers the next request with these bytes, and closes the connection. Closed with the request
     * unread, the connection would break, and take the answer with it.
     */
    private void answer(int... bytes) {
        ByteBuffer reply = ByteBuffer.allocate(bytes.length);
        for (int b : bytes) {
            reply.put((byte) b);
        }
        Thread.ofVirtual()
                .start(() -> {
                    try (SocketChannel client = server.accept()) {
                        LauncherProtocol.readRequest(
                                new DataInputStream(Channels.newInputStream(client)));
                        client.write(reply.flip());
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                });
    }
}
