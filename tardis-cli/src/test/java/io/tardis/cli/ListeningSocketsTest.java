package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class ListeningSocketsTest {

    private static final OptionalLong THIS = OptionalLong.of(ProcessHandle.current().pid());

    @Test
    void namesTheDaemonOnlyWhereItListens() throws IOException {
        String endpoint;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            endpoint = "tcp://127.0.0.1:" + socket.getLocalPort();

            assertThat(ListeningSockets.problem(endpoint, THIS)).isEmpty();
            assertThat(ListeningSockets.state(endpoint, THIS))
                    .isEqualTo(endpoint + ", the daemon's");
            assertThat(ListeningSockets.problem(endpoint, OptionalLong.empty())).isPresent();
        }
        assertThat(ListeningSockets.problem(endpoint, THIS)).isEmpty();
        assertThat(ListeningSockets.state(endpoint, THIS))
                .isEqualTo(endpoint + " is free; the daemon uses another until 'tardis restart'");
        assertThat(ListeningSockets.state(endpoint, OptionalLong.empty()))
                .isEqualTo(endpoint + " is free");
    }
}
