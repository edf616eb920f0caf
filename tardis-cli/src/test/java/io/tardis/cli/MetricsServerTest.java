package io.tardis.cli;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.figures.Figures;
import io.tardis.core.figures.Meter;
import io.tardis.testkit.CapturedLog;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.event.Level;

@Timeout(60)
class MetricsServerTest {

    /** Stands for the handler that prints on standard error. */
    private static final class Printed extends Handler {
        private final List<LogRecord> records = new CopyOnWriteArrayList<>();

        @Override
        public void publish(LogRecord logged) {
            records.add(logged);
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    }

    private final Printed printed = new Printed();
    private volatile boolean fails;
    private int port;
    private MetricsServer server;

    @BeforeEach
    void open() throws IOException {
        Logger.getLogger("").addHandler(printed);
        port = PrometheusServer.freePort();
        server = MetricsServer.open(Optional.of("tcp://127.0.0.1:" + port), this::figures);
    }

    @AfterEach
    void close() {
        server.close();
        Logger.getLogger("").removeHandler(printed);
    }

    private Figures figures() {
        if (fails) {
            throw new IllegalStateException("a test");
        }
        return new Meter().read(0, 0, 0);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "debug=prometheus-protobuf",
                "name[]=x&debug=text",
                "%64ebug=openmetrics",
                "debug",
                "debug="
            })
    void refusesToDebug(String query) throws IOException {
        HttpURLConnection scrape = scrape("?" + query);

        assertThat(scrape.getResponseCode()).isEqualTo(400);
        assertThat(printed.records).isEmpty();
    }

    @Test
    void servesTheMetricsThatAreNamed() throws IOException {
        assertThat(text(scrape("?name[]=tardis_gaps_total&other=%20%26&x&=&&")))
                .contains("\ntardis_gaps_total 0.0\n")
                .doesNotContain("tardis_lost");
        assertThat(text(scrape("?name%5B%5D=tardis_lost_total"))).contains("tardis_lost_total");
        assertThat(text(scrape("?other"))).contains("tardis_gaps_total", "tardis_lost_total");
    }

    @Test
    void logsAFailureThatRepeatsOnce() throws IOException {
        fails = true;
        try (CapturedLog log = new CapturedLog(HttpLog.class)) {
            for (int i = 0; i < 10; i++) {
                assertThat(scrape("").getResponseCode()).isEqualTo(500);
            }

            await().untilAsserted(() -> assertThat(log.at(Level.WARN)).hasSize(1));
        }
        assertThat(printed.records).isEmpty();
    }

    @Test
    void logsNothingOfClientsThatGoAway() throws Exception {
        try (CapturedLog log = new CapturedLog(HttpLog.class)) {
            for (int i = 0; i < 20; i++) {
                try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
                    client.setSoLinger(true, 0); // a reset
                    client.getOutputStream()
                            .write(
                                    "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
                                            .repeat(20)
                                            .getBytes(US_ASCII));
                    Thread.sleep(3);
                }
            }
            // Requests of those that have gone may still fill the queue.
            await().ignoreExceptions()
                    .untilAsserted(
                            () -> assertThat(text(scrape(""))).contains("tardis_gaps_total"));

            assertThat(log.at(Level.WARN)).isEmpty();
        }
        assertThat(printed.records).isEmpty();
    }

    private HttpURLConnection scrape(String query) throws IOException {
        String url = "http://127.0.0.1:" + port + "/metrics" + query;
        return (HttpURLConnection) URI.create(url.replace("[]", "%5B%5D")).toURL().openConnection();
    }

    private static String text(HttpURLConnection scrape) throws IOException {
        return new String(scrape.getInputStream().readAllBytes(), UTF_8);
    }
}
