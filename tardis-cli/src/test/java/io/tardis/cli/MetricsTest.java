package io.tardis.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.abort;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.Rfc3339;
import io.tardis.runc.ShimClient;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A daemon's metrics, read by Prometheus' own programs: Debian's package {@code prometheus}. Where
 * they are missing, what needs them is skipped; with {@code CI=true} that is a failure.
 */
@Timeout(120)
class MetricsTest {

    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Path EXAMPLES = Path.of("../examples").toAbsolutePath().normalize();
    private static final ContainerKey TC = new ContainerKey("default", "tc-of-a-customer");

    /** An expression of the dashboard, as JSON writes it. */
    private static final Pattern EXPRESSION =
            Pattern.compile("\"expr\": \"((?:[^\"\\\\]|\\\\.)*)\"");

    private static final Pattern DOCUMENTED = Pattern.compile("(?m)^\\| `(tardis_[a-z_]+)");
    private static final Pattern SCRAPED = Pattern.compile("(?m)^# TYPE (tardis_[a-z_]+) ");

    @TempDir private Path directory;
    private Tardis tardis;
    private Path events;
    private String endpoint;

    @BeforeEach
    void install() throws Exception {
        tardis = new Tardis(directory);
        events = Files.createFile(directory.resolve("events"));
        endpoint = "127.0.0.1:" + PrometheusServer.freePort();
        tardis.set("TARDIS_CTR_CMD", "tail -f " + events);
        tardis.set("TARDIS_METRICS_ENDPOINT", endpoint);
    }

    @AfterEach
    void stop() throws IOException, InterruptedException {
        tardis.stopDaemon();
    }

    @Test
    void prometheusReadsThemAndTheDashboardShowsThem() throws Exception {
        requirePrometheus();
        Path data = Files.createDirectory(directory.resolve("prometheus"));
        try (TardisProcess _ = startDaemon()) {
            endSome();
            String scraped = scrape();
            Path file = Files.writeString(directory.resolve("metrics"), scraped);
            assertThat(run(directory, "sh", "-c", "promtool check metrics <" + file)).isEmpty();
            try (PrometheusServer prometheus = PrometheusServer.start(data, endpoint)) {
                prometheus.awaitScrapes(3);

                List<String> expressions = dashboard();
                List<String> empty = new ArrayList<>();
                for (String expression : expressions) {
                    String answer = prometheus.query(expression);
                    if (!PrometheusServer.hasData(answer)) {
                        empty.add(expression + ": " + answer);
                    }
                }
                assertThat(expressions).hasSizeGreaterThan(15);
                assertThat(empty).isEmpty();
            }
        }
    }

    @Test
    void alertsAreRightAndFireWhenTheyShould() throws Exception {
        requirePrometheus();
        Path alerts = EXAMPLES.resolve("prometheus");

        assertThat(run(alerts, "promtool", "check", "config", "prometheus.yml"))
                .contains("SUCCESS");
        assertThat(run(alerts, "promtool", "check", "rules", "alerts.yml")).contains("SUCCESS");
        assertThat(run(alerts, "promtool", "test", "rules", "alerts-test.yml")).contains("SUCCESS");
        List<String> tested =
                Pattern.compile("alertname: (\\w+)")
                        .matcher(Files.readString(alerts.resolve("alerts-test.yml")))
                        .results()
                        .map(it -> it.group(1))
                        .toList();
        assertThat(Files.readString(alerts.resolve("alerts.yml")).lines())
                .filteredOn(it -> it.contains("alert:"))
                .allSatisfy(it -> assertThat(tested).contains(it.replaceFirst(".*: ", "")));
    }

    @Test
    void haveTheNamesThatTheReadmeDocumentsAndNoContainerIds() throws Exception {
        try (TardisProcess _ = startDaemon()) {
            endSome();
            String scraped = scrape();

            assertThat(names(SCRAPED, scraped))
                    .isEqualTo(names(DOCUMENTED, Files.readString(Path.of("../README.md"))));
            assertThat(scraped)
                    .contains("\nprocess_resident_memory_bytes ", "\njvm_threads_current ")
                    .doesNotContain(TC.id(), tardis.stateDir().toString());
        }
    }

    @Test
    void areTheFiguresOfTheStatusAlsoWithoutAnEndpoint() throws Exception {
        tardis.set("TARDIS_METRICS_ENDPOINT", "off");
        try (TardisProcess daemon = startDaemon()) {
            endSome();

            Tardis.Result status = tardis.run("status", "-o", "json");

            assertThat(status.status()).isEqualTo(ExitStatus.OK);
            assertThat(status.out())
                    .startsWith("{\"status\":\"well\",\"pid\":" + daemon.pid() + ",\"version\":")
                    .contains(
                            "{\"namespace\":\"default\",\"code\":\"signal\",\"oom\":true,\"source\":\"containerd\",\"count\":1}",
                            "{\"namespace\":\"k8s.io\",\"code\":\"error\",\"oom\":false,\"source\":\"containerd\",\"count\":1}",
                            "\"exec_exits\":1,\"corrections\":0,\"lost\":0,\"gaps\":1,",
                            "\"event_to_disk\":{\"count\":4,",
                            "\"unwritten\":0,\"dropped\":0,\"database_bytes\":",
                            "\"metrics\":null");
            assertThat(Files.readString(tardis.logFile())).doesNotContain("metrics on");
        }
    }

    @Test
    void areText() throws Exception {
        try (TardisProcess _ = startDaemon()) {
            String protobuf =
                    "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

            assertThat(scrape(protobuf)).contains("\ntardis_exec_exits_total 0.0\n");
            assertThat(scrape(protobuf + ";q=0.6,application/openmetrics-text;version=1.0.0;q=0.5"))
                    .endsWith("# EOF\n");
            assertThat(PrometheusServer.get("http://" + endpoint + "/")).contains("404");
        }
    }

    /** Connections that send nothing, or a part of a request. */
    @Test
    void silentClientsDelayAScrapeAndNothingElse() throws Exception {
        List<Socket> silent = new ArrayList<>();
        int port = Integer.parseInt(endpoint.substring(endpoint.indexOf(':') + 1));
        try (TardisProcess daemon = startDaemon()) {
            for (int i = 0; i < 200; i++) {
                Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
                silent.add(socket);
                if (i % 2 == 0) {
                    socket.getOutputStream().write('G');
                }
            }
            assertThat(descriptors(daemon)).isLessThan(200);
            endSome();
            await().atMost(PATIENCE)
                    .ignoreExceptions()
                    .until(() -> scrape().contains("tardis_exec_exits_total 1.0"));

            assertThat(threads(daemon))
                    .contains("tardis-metrics-")
                    .contains("tardis-metrics-connections", "tardis-metrics-deadlines")
                    .doesNotContain("HTTP-Dispatcher", "-timeout-task");
            assertThat(tardis.run("stop").status()).isEqualTo(ExitStatus.OK);
            assertThat(daemon.result().status()).isEqualTo(ExitStatus.OK);
        } finally {
            for (Socket socket : silent) {
                socket.close();
            }
        }
    }

    @Test
    void theDaemonSaysWhoseSettingItIsThatCannotBeBound() throws Exception {
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            tardis.set("TARDIS_METRICS_ENDPOINT", "127.0.0.1:" + other.getLocalPort());
            try (TardisProcess daemon = tardis.start("daemon")) {
                Tardis.Result result = daemon.result();

                assertThat(result.status()).isEqualTo(ExitStatus.USAGE);
                assertThat(result.err())
                        .contains("cannot bind tcp://127.0.0.1:" + other.getLocalPort())
                        .contains("metrics");
            }
        }
    }

    /** One killed for memory, one that fails, an exec, a gap, and one that the kernel reports. */
    private void endSome() throws Exception {
        Process init = new ProcessBuilder("sh", "-c", "read line; exit 7").start();
        try {
            assertThat(tardis.create(TC, bundleOf(init))).isTrue();
            assertThat(tardis.startContainer(TC)).isTrue();
            init.outputWriter().close();
            assertThat(init.waitFor(10, TimeUnit.SECONDS)).isTrue();
            Files.writeString(
                    events,
                    line("default", "oom", "{\"container_id\":\"big\"}")
                            + exit("default", TC.id(), TC.id(), init.pid(), 7)
                            + exit("default", "big", "big", 4_194_301, 137)
                            + exit("default", "big", "probe", 4_194_302, 0)
                            + exit("k8s.io", "failed", "failed", 4_194_303, 3)
                            + line("default", "exit", "{\"container_id\":"),
                    StandardOpenOption.APPEND);
            await().atMost(PATIENCE)
                    .until(
                            () -> tardis.run("status", "-o", "json").out(),
                            it ->
                                    it.contains("\"event_to_disk\":{\"count\":4,")
                                            && it.contains("\"gaps\":1"));
        } finally {
            init.destroyForcibly();
        }
    }

    private Path bundleOf(Process init) throws IOException {
        Path bundle = Files.createDirectory(directory.resolve("bundle"));
        Files.writeString(
                bundle.resolve("config.json"), "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");
        Files.writeString(bundle.resolve("init.pid"), Long.toString(init.pid()));
        return bundle;
    }

    private static String exit(String namespace, String container, String id, long pid, int code) {
        return line(
                namespace,
                "exit",
                "{\"container_id\":\"%s\",\"id\":\"%s\",\"pid\":%d,\"exit_status\":%d,\"exited_at\":\"%s\"}"
                        .formatted(container, id, pid, code, Rfc3339.format(Instant.now())));
    }

    private static String line(String namespace, String event, String json) {
        return "%s %s /tasks/%s %s\n".formatted(CtrTime.of(Instant.now()), namespace, event, json);
    }

    private String scrape(String... headers) throws IOException {
        return PrometheusServer.get("http://" + endpoint + "/metrics", headers);
    }

    private static List<String> dashboard() throws IOException {
        return EXPRESSION
                .matcher(Files.readString(EXAMPLES.resolve("grafana/tardis.json")))
                .results()
                .map(it -> it.group(1).replace("\\\"", "\""))
                .map(it -> it.replace("$__rate_interval", "5m"))
                .map(it -> it.replaceAll("\\$(instance|namespace)\\b", ".*"))
                .toList();
    }

    private static Set<String> names(Pattern pattern, String text) {
        Stream<MatchResult> found = pattern.matcher(text).results();
        return new TreeSet<>(found.map(it -> it.group(1)).toList());
    }

    private static void requirePrometheus() {
        for (String program : List.of("promtool", "prometheus")) {
            if (Stream.of(System.getenv("PATH").split(File.pathSeparator, -1))
                    .noneMatch(it -> Files.isExecutable(Path.of(it, program)))) {
                String reason = program + " is not installed (Debian's package prometheus)";
                if ("true".equals(System.getenv("CI"))) {
                    throw new IllegalStateException(reason);
                }
                abort(reason);
            }
        }
    }

    private TardisProcess startDaemon() throws IOException {
        TardisProcess daemon = tardis.start("daemon");
        await().atMost(PATIENCE)
                .failFast("the daemon ended", () -> !daemon.isAlive())
                .until(() -> ShimClient.isAnswered(tardis.socket()));
        return daemon;
    }

    private static int descriptors(TardisProcess daemon) {
        return Optional.ofNullable(Path.of("/proc", daemon.pid() + "", "fd").toFile().list())
                .orElseThrow()
                .length;
    }

    private static String threads(TardisProcess daemon) throws Exception {
        String jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
        return run(Path.of("/"), jcmd, Long.toString(daemon.pid()), "Thread.print");
    }

    /** What a program prints; it has to end with 0. */
    private static String run(Path directory, String... command) throws Exception {
        Process process =
                new ProcessBuilder(command)
                        .directory(directory.toFile())
                        .redirectErrorStream(true)
                        .start();
        String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
        assertThat(process.waitFor()).as(printed).isZero();
        return printed;
    }
}
