package io.tardis.store;

import io.tardis.core.config.Access;
import io.tardis.core.config.Limits;
import io.tardis.core.config.RecordScope;
import io.tardis.core.config.Settings;
import io.tardis.core.wire.Health;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The settings that the store reads; the rest is filler. */
final class TestSettings {

    static final Duration RETENTION = Duration.ofDays(30);

    /** Small ones, so that a test reaches them. */
    static final Limits LIMITS = new Limits(1_000, 100, 4_096, 100, 10_000);

    static final Duration REPLAY = Duration.ofDays(1);

    static final Health HEALTH =
            new Health(
                    new Health.Source(
                            false,
                            false,
                            Optional.empty(),
                            3,
                            0,
                            Optional.empty(),
                            "ctr: command not found",
                            ""),
                    new Health.Witness(false, "switched off"),
                    new Health.Socket(true, ""),
                    Health.Clients.WELL);

    private TestSettings() {}

    static Settings of(Path stateDir, String queryEndpoint) {
        return new Settings(
                stateDir,
                stateDir,
                stateDir.resolve("checkpoint"),
                stateDir.resolve("tardis.log"),
                "INFO",
                Optional.empty(),
                List.of("ctr", "events"),
                "tcp://127.0.0.1:1",
                queryEndpoint,
                Optional.empty(),
                RecordScope.ENABLED,
                RETENTION,
                REPLAY,
                Duration.ofSeconds(1),
                false,
                Access.DEFAULT,
                Optional.empty(),
                LIMITS);
    }

    static String freeEndpoint() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return "tcp://127.0.0.1:" + socket.getLocalPort();
        }
    }
}
