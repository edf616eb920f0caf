package io.tardis.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.Request;
import io.prometheus.metrics.config.PrometheusProperties;
import io.prometheus.metrics.exporter.httpserver.HttpErrorHandlingPolicy;
import io.prometheus.metrics.exporter.httpserver.MetricsHandler;
import io.prometheus.metrics.instrumentation.jvm.JvmGarbageCollectorMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmMemoryMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmRuntimeInfoMetric;
import io.prometheus.metrics.instrumentation.jvm.JvmThreadsMetrics;
import io.prometheus.metrics.instrumentation.jvm.ProcessMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.tardis.core.SetupException;
import io.tardis.core.config.SettingParser;
import io.tardis.core.figures.Figures;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URLDecoder;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves {@code /metrics} to Prometheus, by its own library on the JDK's HTTP server. The library's
 * {@code HTTPServer} around that server is not used: it leaves no place for {@link #asText}, and
 * lets no more than three connections wait until they are accepted.
 *
 * <h2>What clients can take</h2>
 *
 * The JDK's server reads a request in the thread that answers it, so a client that sends a part of
 * one has a thread. There are {@value #THREADS}, and {@value #QUEUE} requests wait for one; a
 * further one is closed. A request that is not read, or not answered, within {@value #PATIENCE_S} s
 * is closed, and so is a connection that sends nothing. The server closes connections beyond
 * {@value #CONNECTIONS} at once. What the server and the library log is bounded by {@link HttpLog}.
 * So the worst that clients can do is to delay each other.
 */
final class MetricsServer implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(MetricsServer.class);

    private static final int THREADS = 4;
    private static final int QUEUE = 16;
    private static final int CONNECTIONS = 32;
    private static final int PATIENCE_S = 5;

    /** Prometheus scrapes each 10 to 60 s, and a thread is made in less than a millisecond. */
    private static final int THREAD_LIFE_S = 5;

    private static final String NAME = "tardis-metrics-";

    /** The names that the JDK's server gives to its threads, and those of Tardis. */
    private static final Map<String, String> THREAD_NAMES =
            Map.of(
                    "HTTP-Dispatcher", NAME + "connections",
                    "idle-timeout-task", NAME + "idle",
                    "req-rsp-timeout-task", NAME + "deadlines");

    /** What the library filters by; Prometheus' parameter for a scrape of some metrics. */
    private static final String METRIC_NAMES = "name[]";

    private static final String PROTOBUF = "application/vnd.google.protobuf";

    /** Empty where no endpoint is set. */
    private final Optional<HttpServer> server;

    private final ThreadPoolExecutor threads = threads();

    private MetricsServer(Optional<String> endpoint, Supplier<Figures> figures) {
        this.server = endpoint.map(it -> serve(it, figures));
    }

    /**
     * Binds the endpoint and begins to serve.
     *
     * @param endpoint {@code tcp://ADDRESS:PORT}; empty for no server
     * @param figures what to serve; called for each scrape, from the server's threads
     * @throws SetupException if the endpoint cannot be bound
     */
    static MetricsServer open(Optional<String> endpoint, Supplier<Figures> figures) {
        return new MetricsServer(endpoint, figures);
    }

    private HttpServer serve(String endpoint, Supplier<Figures> figures) {
        limit();
        HttpLog log = HttpLog.install();
        try {
            HttpServer bound = HttpServer.create(SettingParser.address(endpoint), CONNECTIONS);
            bound.createContext("/metrics", handler(registry(figures), log))
                    .getFilters()
                    .addAll(
                            List.of(
                                    new QueryFilter(),
                                    Filter.adaptRequest("text only", MetricsServer::asText)));
            bound.setExecutor(threads);
            bound.start();
            nameThreads();
            LOG.info("metrics on http:{}/metrics", endpoint.substring(endpoint.indexOf('/')));
            return bound;
        } catch (IOException e) {
            throw new SetupException(
                    "cannot bind %s for metrics: %s".formatted(endpoint, e.getMessage()), e);
        }
    }

    private static MetricsHandler handler(PrometheusRegistry registry, HttpLog log) {
        return new MetricsHandler(
                PrometheusProperties.get(),
                registry,
                HttpErrorHandlingPolicy.builder().errorReporter(log::failed).build());
    }

    private static PrometheusRegistry registry(Supplier<Figures> figures) {
        PrometheusRegistry registry = new PrometheusRegistry();
        registry.register(new PrometheusFigures(figures));
        ProcessMetrics.builder().register(registry);
        JvmRuntimeInfoMetric.builder().register(registry);
        JvmMemoryMetrics.builder().register(registry);
        JvmGarbageCollectorMetrics.builder().register(registry);
        JvmThreadsMetrics.builder().register(registry);
        return registry;
    }

    /**
     * Without the format of protobuf among those that the client accepts: a Prometheus that reads
     * native histograms prefers it. The library would choose it, and fail, since its 2 MB are left
     * out of the installation.
     */
    private static Request asText(Request request) {
        Map<String, List<String>> headers = new HashMap<>(request.getRequestHeaders());
        headers.computeIfPresent("Accept", (_, accepted) -> List.of(withoutProtobuf(accepted)));
        return new OtherRequest(request, Headers.of(headers), withNamesOnly(request));
    }

    private static URI withNamesOnly(Request request) {
        URI uri = request.getRequestURI();
        String names =
                parameters(uri)
                        .filter(it -> nameOf(it).equals(METRIC_NAMES))
                        .collect(Collectors.joining("&"));
        return URI.create(names.isEmpty() ? "/metrics" : "/metrics?" + names);
    }

    private static Stream<String> parameters(URI uri) {
        return Optional.ofNullable(uri.getRawQuery()).stream()
                .flatMap(it -> Stream.of(it.split("&", -1)));
    }

    private static String nameOf(String parameter) {
        int end = parameter.indexOf('=');
        return URLDecoder.decode(end < 0 ? parameter : parameter.substring(0, end), UTF_8);
    }

    /**
     * Refuses what the library offers for those who look for its faults: anybody on the node could
     * make it fail by that. Of the other parameters it gets {@value #METRIC_NAMES} only.
     */
    private static final class QueryFilter extends Filter {
        @Override
        public String description() {
            return "no debug";
        }

        @Override
        public void doFilter(HttpExchange exchange, Chain chain) throws IOException {
            if (parameters(exchange.getRequestURI()).anyMatch(it -> nameOf(it).equals("debug"))) {
                exchange.sendResponseHeaders(HttpURLConnection.HTTP_BAD_REQUEST, -1);
                exchange.close();
            } else {
                chain.doFilter(exchange);
            }
        }
    }

    private static String withoutProtobuf(List<String> accepted) {
        return accepted.stream()
                .flatMap(it -> Stream.of(it.split(",", -1)))
                .filter(it -> !it.contains(PROTOBUF))
                .collect(Collectors.joining(","));
    }

    /** A request with other headers and parameters; {@link Request#with} replaces none. */
    private record OtherRequest(Request request, Headers headers, URI uri) implements Request {
        @Override
        public URI getRequestURI() {
            return uri;
        }

        @Override
        public String getRequestMethod() {
            return request.getRequestMethod();
        }

        @Override
        public Headers getRequestHeaders() {
            return headers;
        }
    }

    /** The JDK's server reads these once, and has no other way to set them. */
    private static void limit() {
        System.setProperty("jdk.httpserver.maxConnections", Integer.toString(CONNECTIONS));
        System.setProperty("sun.net.httpserver.maxReqTime", Integer.toString(PATIENCE_S));
        System.setProperty("sun.net.httpserver.maxRspTime", Integer.toString(PATIENCE_S));
    }

    private static ThreadPoolExecutor threads() {
        AtomicInteger number = new AtomicInteger();
        ThreadPoolExecutor threads =
                new ThreadPoolExecutor(
                        THREADS,
                        THREADS,
                        THREAD_LIFE_S,
                        TimeUnit.SECONDS,
                        new ArrayBlockingQueue<>(QUEUE),
                        work ->
                                Thread.ofPlatform()
                                        .daemon()
                                        .name(NAME + number.incrementAndGet())
                                        .uncaughtExceptionHandler(MetricsServer::died)
                                        .unstarted(work));
        threads.allowCoreThreadTimeOut(true);
        return threads;
    }

    /** Exits are recorded without metrics, too: the daemon goes on. */
    private static void died(Thread thread, Throwable cause) {
        LOG.error("the thread {} died; metrics may be served no more", thread.getName(), cause);
    }

    /**
     * Renames the threads of the JDK's server, which belong to the group of the thread that starts
     * it. The kernel goes on with their first names: a JVM tells it only of a thread's own change.
     */
    private static void nameThreads() {
        Thread[] all = new Thread[2 * Thread.activeCount() + THREADS];
        int count = Thread.enumerate(all);
        for (int i = 0; i < count; i++) {
            String name = THREAD_NAMES.get(all[i].getName());
            if (name != null) {
                all[i].setName(name);
                all[i].setUncaughtExceptionHandler(MetricsServer::died);
            }
        }
    }

    /** Ends serving. May be called twice. */
    @Override
    public void close() {
        server.ifPresent(it -> it.stop(0));
        threads.shutdownNow();
    }
}
