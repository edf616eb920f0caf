package io.tardis.cli;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** Debian's Prometheus, in a directory of its own, scrapes one target each second. */
final class PrometheusServer implements AutoCloseable {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final Process process;
    private final String url;

    private PrometheusServer(Process process, String url) {
        this.process = process;
        this.url = url;
    }

    /**
     * Starts it.
     *
     * @param directory an empty directory
     * @param target {@code ADDRESS:PORT}
     */
    static PrometheusServer start(Path directory, String target) throws IOException {
        Path config =
                Files.writeString(
                        directory.resolve("prometheus.yml"),
                        """
                        global: { scrape_interval: 1s, evaluation_interval: 1s }
                        scrape_configs:
                          - { job_name: tardis, static_configs: [ { targets: [ "%s" ] } ] }
                        """
                                .formatted(target));
        String address = "127.0.0.1:" + freePort();
        Process process =
                new ProcessBuilder(
                                "prometheus",
                                "--config.file=" + config,
                                "--storage.tsdb.path=" + directory.resolve("data"),
                                "--web.listen-address=" + address)
                        .redirectErrorStream(true)
                        .redirectOutput(directory.resolve("log").toFile())
                        .start();
        return new PrometheusServer(process, "http://" + address);
    }

    /** Waits until so many scrapes have succeeded. */
    void awaitScrapes(int count) {
        String expression = "count_over_time(up{job=\"tardis\"}[1h] ) >= " + count;
        await().atMost(PATIENCE)
                .failFast("Prometheus ended", () -> !process.isAlive())
                .ignoreExceptions()
                .until(() -> hasData(query(expression)));
    }

    /** Whether the answer to a query has a value. */
    static boolean hasData(String answer) {
        return answer.contains("\"status\":\"success\"") && answer.contains("\"value\":[");
    }

    /** The answer of Prometheus to an instant query, as JSON. */
    String query(String expression) throws IOException {
        return get(
                url
                        + "/api/v1/query?query="
                        + URLEncoder.encode(expression, StandardCharsets.UTF_8));
    }

    /** What is at a URL, whatever the status. */
    static String get(String url, String... headers) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) URI.create(url).toURL().openConnection();
        connection.setConnectTimeout((int) PATIENCE.toMillis());
        connection.setReadTimeout((int) PATIENCE.toMillis());
        for (String header : List.of(headers)) {
            String[] words = header.split(": ", 2);
            connection.setRequestProperty(words[0], words[1]);
        }
        boolean failed = connection.getResponseCode() >= HttpURLConnection.HTTP_BAD_REQUEST;
        try (InputStream in =
                failed
                        ? Objects.requireNonNull(connection.getErrorStream())
                        : connection.getInputStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
