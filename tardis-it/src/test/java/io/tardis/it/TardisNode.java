package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.zeromq.SocketType;
import org.zeromq.ZContext;
import org.zeromq.ZMQ;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;

/**
 * A Tardis of our own: its settings, all by environment variables, its folders and ports, and its
 * daemon if there is one. Folders and ports are unique, so several can live on a machine.
 */
final class TardisNode implements AutoCloseable {

    /** What {@code tardis daemon} exits with when another daemon runs. */
    static final int ANOTHER_RUNS = 4;

    /** What {@code tardis get} and {@code tardis wait} exit with when no code is known. */
    static final int NOT_KNOWN = 3;

    /** How long containerd may take to report an end late, before the life is lost. */
    static final Duration LATE_REPORT = Duration.ofSeconds(20);

    private static final int HANDSHAKE_MILLIS = 250;
    private static final int RECONNECT_MILLIS = 10;

    /** On a busy machine. */
    private static final Duration TWO_ANSWERS = Duration.ofSeconds(2);

    /** What an event takes from containerd to the log, if it is received. */
    private static final Duration AN_EVENT = Duration.ofMillis(300);

    private static final JsonMapper JSON = JsonMapper.shared();
    private static final Random RANDOM = new Random();

    private final TardisInstallation installation;
    private final Path folder;
    private final Map<String, String> settings;
    private final AtomicInteger started; // by all views of the node, whose files have one folder

    TardisNode(TardisInstallation installation, Path folder, Path containerdSocket) {
        this(installation, folder, settings(folder, containerdSocket), new AtomicInteger());
    }

    private TardisNode(
            TardisInstallation installation,
            Path folder,
            Map<String, String> settings,
            AtomicInteger started) {
        this.installation = installation;
        this.folder = folder;
        this.settings = settings;
        this.started = started;
    }

    private static Map<String, String> settings(Path folder, Path containerdSocket) {
        try {
            Files.createDirectories(
                    folder,
                    PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString("rwx------")));
            Path config = Files.writeString(folder.resolve("tardis.env"), "");
            Map<String, String> settings = new TreeMap<>();
            settings.put("TARDIS_CONFIG", config.toString());
            settings.put("TARDIS_STATE_DIR", folder.resolve("state").toString());
            settings.put("TARDIS_RUN_DIR", folder.resolve("run").toString());
            settings.put("TARDIS_CHECKPOINT_DIR", folder.resolve("checkpoint").toString());
            settings.put("TARDIS_LOG_FILE", folder.resolve("log/tardis.log").toString());
            settings.put("TARDIS_REAL_RUNC_CMD", Programs.find("runc").toString());
            // Two hundred daemons live for some seconds each: compiling early, which pays where a
            // daemon lives long, would take a fifth of the suite's time.
            settings.put("TARDIS_JAVA_OPTS", "-XX:CompileThresholdScaling=1");
            settings.put(
                    "TARDIS_CTR_CMD", Programs.find("ctr") + " -a " + containerdSocket + " events");
            int events = freePort();
            settings.put("TARDIS_EVENTS_ENDPOINT", "tcp://127.0.0.1:" + events);
            int queries = freePort();
            while (queries == events) {
                queries = freePort();
            }
            settings.put("TARDIS_QUERY_ENDPOINT", "tcp://127.0.0.1:" + queries);
            return settings;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The same node seen by other settings, for a second daemon or a stand-in runtime. */
    TardisNode with(String key, String value) {
        Map<String, String> changed = new TreeMap<>(settings);
        changed.put(key, value);
        return new TardisNode(installation, folder, changed, started);
    }

    /** The same node run from another installation. */
    TardisNode from(TardisInstallation other) {
        return new TardisNode(other, folder, settings, started);
    }

    /** What to have in the environment for Tardis to be this node. */
    Map<String, String> environment() {
        Map<String, String> environment = new TreeMap<>(settings);
        environment.put("JAVA_HOME", System.getProperty("java.home"));
        return environment;
    }

    String runtime() {
        return installation.runc().toString();
    }

    Path stateDir() {
        return Path.of(setting("TARDIS_STATE_DIR"));
    }

    Path pidFile() {
        return stateDir().resolve("event_listener.pid");
    }

    Path socket() {
        return Path.of(setting("TARDIS_RUN_DIR")).resolve("tardis.sock");
    }

    Path logFile() {
        return Path.of(setting("TARDIS_LOG_FILE"));
    }

    String setting(String key) {
        return Objects.requireNonNull(settings.get(key), key);
    }

    // Commands

    /** Runs {@code tardis ARGUMENTS}. */
    Outcome tardis(String... arguments) {
        return command(arguments).run();
    }

    Command command(String... arguments) {
        List<String> argv = new ArrayList<>(List.of(installation.tardis().toString()));
        argv.addAll(List.of(arguments));
        return Command.of(argv).with(environment());
    }

    /** The command line of {@code tardis-runc ARGUMENTS}. */
    Command runcCommand(String... arguments) {
        return runcCommandBy(List.of(), arguments);
    }

    /** The same, run by another program: {@code PROGRAM... tardis-runc ARGUMENTS}. */
    Command runcCommandBy(List<String> program, String... arguments) {
        List<String> argv = new ArrayList<>(program);
        argv.add(runtime());
        argv.addAll(List.of(arguments));
        return Command.of(argv).with(environment());
    }

    /** The code that is answered for a container; fails where none is. */
    String code(Container container) {
        JsonNode answer = exitCode(container);
        assertThat(answer.path("exit_code").isInt()).as("%s", answer).isTrue();
        return answer.path("exit_code").asString();
    }

    // The daemon

    /** Starts {@code tardis daemon}, and waits until it answers. */
    LiveProcess startDaemon() {
        LiveProcess daemon = launchDaemon();
        awaitDaemon();
        return daemon;
    }

    /** Starts {@code tardis daemon}, and does not wait. */
    LiveProcess launchDaemon() {
        return command("daemon")
                .start(folder.resolve("daemon-" + started.incrementAndGet() + ".out"));
    }

    /**
     * Has a daemon, and waits until it answers. It ends with the node. A container may have been
     * faster: then another one runs already.
     */
    void bringUpDaemon() {
        if (daemon().isEmpty()) {
            LiveProcess _ = launchDaemon();
        }
        awaitDaemon();
    }

    /** Waits until the daemon takes the shim's calls and answers queries. */
    void awaitDaemon() {
        Wait.until(
                () -> "daemon; processes: " + processes() + "; log:\n" + log(),
                SOON,
                () -> acceptsLaunchers() && accepts("TARDIS_QUERY_ENDPOINT"));
        JsonNode answer = ask("{\"op\":\"ping\"}");
        if (!"ok".equals(answer.path("status").asString())) {
            throw new AssertionError("ping was answered " + answer);
        }
    }

    /** A killed daemon has left its socket, which accepts nobody. */
    private boolean acceptsLaunchers() {
        try (SocketChannel _ = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            return true;
        } catch (IOException _) {
            return false;
        }
    }

    /**
     * Waits until the daemon receives containerd's events, by running plain containers till one's
     * end is recorded. {@code ctr events} does not say when it has subscribed.
     */
    void awaitReceiving(Container plain) {
        Wait.until(
                () -> "event received from containerd; log:\n" + log(),
                SOON,
                () -> {
                    long before = lastSeq();
                    Outcome _ = plain.run("/bin/true").orFail();
                    return Wait.isWithin(AN_EVENT, () -> lastSeq() > before);
                });
    }

    long lastSeq() {
        return ask("{\"op\":\"ping\"}").path("last_seq").asLong();
    }

    /** The daemon, as the pid file names it, if it is alive and of this node. */
    Optional<Proc> daemon() {
        try {
            Proc process = new Proc(Long.parseLong(Files.readString(pidFile()).strip()));
            return Optional.of(process).filter(this::isOurs).filter(Proc::isAlive);
        } catch (IOException | NumberFormatException e) {
            return Optional.empty();
        }
    }

    /**
     * The daemon, which may still be starting: on a busy machine that takes longer than the
     * container that had it started waits.
     */
    Proc runningDaemon() {
        Wait.until(() -> "a daemon; log:\n" + log(), SOON, () -> daemon().isPresent());
        return daemon().orElseThrow();
    }

    /** SIGKILL to the daemon. */
    void killDaemon() {
        kill(runningDaemon());
    }

    /**
     * SIGKILL to a daemon, whose end, however young it is, does not count when the next ones are
     * killed: else a container would not wait for another daemon after the second time.
     */
    void kill(Proc daemon) {
        daemon.signal("KILL");
        Wait.until("end of " + daemon, SOON, () -> !daemon.isAlive());
        try {
            boolean _ = Files.deleteIfExists(socket().resolveSibling("last-start"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Every living process that was started by this node, the daemon and its children among them.
     */
    List<Proc> processes() {
        // containerd and its shims have the settings in their environment, too, but they are not
        // ours.
        return Proc.naming(folder).stream()
                .filter(this::isOurs)
                .filter(process -> !isContainerd(process))
                .toList();
    }

    private boolean isOurs(Proc process) {
        return stateDir().toString().equals(process.environment().get("TARDIS_STATE_DIR"));
    }

    private static boolean isContainerd(Proc process) {
        List<String> arguments = process.arguments();
        if (arguments.isEmpty()) {
            return false;
        }
        String program = String.valueOf(Path.of(arguments.getFirst()).getFileName());
        return program.equals("containerd") || program.startsWith("containerd-shim");
    }

    // Queries

    /** Asks over ZeroMQ. */
    JsonNode ask(String request) {
        return askAll(request).getFirst();
    }

    JsonNode exitCode(Container container) {
        return ask(question(container));
    }

    /** The answer about one of its lives. */
    JsonNode exitCode(Container container, String life) {
        return ask(question(container).replace("}", ",\"life\":\"" + life + "\"}"));
    }

    /** The answers for several containers, in their order. */
    List<JsonNode> exitCodes(List<Container> containers) {
        return askAll(containers.stream().map(TardisNode::question).toArray(String[]::new));
    }

    String status(Container container) {
        return exitCode(container).path("status").asString();
    }

    private static String question(Container container) {
        return "{\"op\":\"exit_code\",\"namespace\":\"%s\",\"container_id\":\"%s\"}"
                .formatted(container.namespace(), container.id());
    }

    /** {@code tardis wait} for a container, beside the test, for longer than any test takes. */
    LiveProcess waitFor(Container container) {
        return command("wait", container.name(), "--timeout", "1h")
                .start(folder.resolve("wait-" + started.incrementAndGet() + ".out"));
    }

    /** The living event sources of the daemon: {@code ctr events}. */
    List<Proc> sources() {
        return processes().stream()
                .filter(process -> process.arguments().size() == 4)
                .filter(process -> process.arguments().getLast().equals("events"))
                .toList();
    }

    /**
     * Everything published of a container, oldest first, its execs included, as a replay has it.
     */
    List<JsonNode> published(Container container) {
        return replayAll().stream()
                .filter(event ->
                        event.path("namespace").asString().equals(container.namespace())
                                && event.path("container_id").asString().equals(container.id()))
                .toList();
    }

    /** Every exit that can be replayed, oldest first. */
    List<JsonNode> replayAll() {
        List<JsonNode> found = new ArrayList<>();
        replay(found::add);
        return found;
    }

    /** Gives every exit that can be replayed, oldest first; more of them than memory could hold. */
    void replay(Consumer<JsonNode> consumer) {
        JsonNode events;
        long after = 0;
        do {
            events =
                    ask("{\"op\":\"replay\",\"after\":" + after + ",\"limit\":10000}")
                            .path("events");
            events.forEach(consumer);
            after = events.path(events.size() - 1).path("seq").asLong(after);
        } while (!events.isEmpty());
    }

    /** Waits until the container's code is answered, and fails if it is another one. */
    void awaitCode(Container container, int code, Duration patience) {
        AtomicReference<JsonNode> answer = new AtomicReference<>(MissingNode.getInstance());
        Wait.until(
                () -> "end of " + container + "; answer " + answer,
                patience,
                () -> {
                    answer.set(exitCode(container));
                    return answer.get().path("status").asString().equals("exited");
                });
        assertThat(answer.get().path("exit_code").asInt(-1)).as("%s", answer).isEqualTo(code);
    }

    /**
     * Waits until the container's code is answered, or that it is lost, and fails if it is another
     * code. For an end whose reports may all be missed, which is left to chance.
     */
    void awaitCodeOrLoss(Container container, int code) {
        AtomicReference<JsonNode> answer = new AtomicReference<>(MissingNode.getInstance());
        Wait.until(
                () -> "end or loss of " + container + "; answer " + answer,
                LATE_REPORT.plus(SOON),
                () -> {
                    answer.set(exitCode(container));
                    String status = answer.get().path("status").asString();
                    return status.equals("exited") || status.equals("lost");
                });
        assertThat(answer.get().path("exit_code").asInt(code)).as("%s", answer).isEqualTo(code);
    }

    /** Asks several times over one connection: with keys from Python, else from here. */
    List<JsonNode> askAll(String... requests) {
        return keys().isEmpty() ? askAllFromHere(requests) : askAllFromPython(requests);
    }

    private List<JsonNode> askAllFromHere(String... requests) {
        String endpoint = setting("TARDIS_QUERY_ENDPOINT");
        List<JsonNode> answers = new ArrayList<>();
        try (ZContext context = new ZContext();
                ZMQ.Socket socket = context.createSocket(SocketType.REQ)) {
            socket.setReceiveTimeOut(Math.toIntExact(SOON.toMillis()));
            // JeroMQ 0.6.0 stops in the middle of one handshake in a hundred, and begins anew.
            socket.setHandshakeIvl(HANDSHAKE_MILLIS);
            socket.setReconnectIVL(RECONNECT_MILLIS);
            socket.connect(endpoint);
            for (String request : requests) {
                boolean _ = socket.send(request.getBytes(StandardCharsets.UTF_8));
                byte[] answer = socket.recv();
                if (answer == null) {
                    throw new AssertionError("no answer from " + endpoint + " to " + request);
                }
                answers.add(JSON.readTree(answer));
            }
        }
        return answers;
    }

    /** The same from a Python process of its own. */
    List<JsonNode> askAllFromPython(String... requests) {
        List<String> argv =
                new ArrayList<>(
                        List.of(
                                Machine.PYTHON,
                                script("query.py").toString(),
                                setting("TARDIS_QUERY_ENDPOINT")));
        argv.addAll(List.of(requests));
        return Command.of(argv)
                .with(keys())
                .run()
                .orFail()
                .out()
                .lines()
                .map(JSON::readTree)
                .toList();
    }

    /** A Python process that prints what is published. */
    LiveProcess subscribe(String... topics) {
        List<String> argv =
                new ArrayList<>(
                        List.of(
                                Machine.PYTHON,
                                script("subscriber.py").toString(),
                                setting("TARDIS_EVENTS_ENDPOINT")));
        argv.addAll(List.of(topics));
        return Command.of(argv)
                .with(keys())
                .start(folder.resolve("subscriber-" + started.incrementAndGet() + ".out"));
    }

    /** A Python process that asks and receives without end, and prints what it got on SIGUSR1. */
    LiveProcess honestClient() {
        return Command.of(
                        Machine.PYTHON,
                        script("honest.py").toString(),
                        setting("TARDIS_EVENTS_ENDPOINT"),
                        setting("TARDIS_QUERY_ENDPOINT"))
                .with(keys())
                .start(folder.resolve("honest-" + started.incrementAndGet() + ".out"));
    }

    /**
     * A Python process that misbehaves on an endpoint: {@code bad_client.py HOW ENDPOINT NUMBERS}.
     */
    LiveProcess badClient(String how, String endpoint, Number... numbers) {
        List<String> argv =
                new ArrayList<>(
                        List.of(
                                Machine.PYTHON,
                                script("bad_client.py").toString(),
                                how,
                                setting(endpoint)));
        Stream.of(numbers).map(Number::toString).forEach(argv::add);
        return Command.of(argv)
                .start(folder.resolve("client-" + started.incrementAndGet() + ".out"));
    }

    void assertAnswersQuickly() {
        assertAnswersWithin(TWO_ANSWERS);
    }

    /** Has two answers, and fails where they take longer; a connection is made for them. */
    void assertAnswersWithin(Duration limit) {
        Instant begin = Instant.now();
        String ping = "{\"op\":\"ping\"}";
        List<JsonNode> answers = askAll(ping, ping);
        Duration taken = Duration.between(begin, Instant.now());
        assertThat(answers).allMatch(answer -> answer.path("status").asString().equals("ok"));
        Wait.assertTaken("two answers", taken, limit);
    }

    /** The port of an endpoint. */
    int port(String key) {
        String endpoint = setting(key);
        return Integer.parseInt(endpoint.substring(endpoint.lastIndexOf(':') + 1));
    }

    /**
     * What {@link #subscribe} prints, from when on nothing of the topics can be missed: after the
     * first heartbeat.
     */
    LiveProcess subscribeAndAwait(String... topics) {
        LiveProcess subscriber = subscribe(topics);
        subscriber.awaitLine("heartbeat", SOON, line -> line.startsWith("/tardis/heartbeat/\t"));
        return subscriber;
    }

    /** Waits for a gap that is published with such a reason, and returns it. */
    static JsonNode awaitGap(LiveProcess subscriber, String reason) {
        String line =
                subscriber.awaitLine(
                        "gap", SOON, it -> it.startsWith("/tardis/gap/\t") && it.contains(reason));
        return JSON.readTree(line.substring(line.indexOf('\t') + 1));
    }

    /** The keys that this node's view of the world has, for keys.py. */
    private Map<String, String> keys() {
        Map<String, String> keys = new TreeMap<>(settings);
        keys.keySet().removeIf(key -> !key.matches("TARDIS_CURVE_.*_FILE"));
        return keys;
    }

    /** A Python program among the tests' resources. */
    static Path script(String name) {
        try {
            URL url = Objects.requireNonNull(TardisNode.class.getResource("/" + name), name);
            return Path.of(url.toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    // What is kept

    /** The folder of the registry, and of what is kept, for a container. */
    Path containerDir(Container container) {
        return stateDir()
                .resolve("containers")
                .resolve(container.namespace())
                .resolve(container.id());
    }

    Path checkpointDir(Container container) {
        return Path.of(setting("TARDIS_CHECKPOINT_DIR"))
                .resolve(container.namespace())
                .resolve(container.id());
    }

    /** Whether the container is registered and not deleted yet. */
    boolean isRegistered(Container container) {
        return exists(containerDir(container).resolve("life.json"));
    }

    /** Whether what is kept for the container stayed after its delete. */
    boolean isKept(Container container) {
        return exists(containerDir(container)) && !isRegistered(container);
    }

    /** Whether nothing is left of the container in the registry. */
    boolean isCleaned(Container container) {
        return !exists(containerDir(container)) && !exists(checkpointDir(container));
    }

    private static boolean exists(Path path) {
        return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
    }

    // The log

    String log() {
        try {
            return Files.exists(logFile())
                    ? Files.readString(logFile(), StandardCharsets.ISO_8859_1)
                    : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    List<String> errors() {
        return log().lines()
                .filter(line -> line.matches(".*(?:^|[\\s\\[])ERROR(?:[\\s\\]].*|$)"))
                .toList();
    }

    /** Ends the daemon in order, and whatever else is left of this node the hard way. */
    @Override
    public void close() {
        daemon().ifPresent(daemon -> {
            // A test may have stopped it.
            daemon.signal("CONT");
            daemon.signal("TERM");
            awaitEnd(List.of(daemon), Duration.ofSeconds(10));
        });
        for (Proc process : processes()) {
            process.signal("KILL");
        }
        if (!awaitEnd(processes(), SOON)) {
            throw new AssertionError("still alive: " + processes());
        }
    }

    private static boolean awaitEnd(List<Proc> processes, Duration limit) {
        try {
            Wait.until(
                    "end of " + processes,
                    limit,
                    () -> processes.stream().noneMatch(Proc::isAlive));
            return true;
        } catch (AssertionError e) {
            return false;
        }
    }

    private boolean accepts(String key) {
        int port = port(key);
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1000);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * A port below those that the kernel gives to outgoing connections, which could take it before
     * the daemon.
     */
    static int freePort() {
        while (true) {
            int port = RANDOM.nextInt(12_000, 32_000);
            try (ServerSocket socket = new ServerSocket()) {
                socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
                return port;
            } catch (IOException _) {
                // Taken: try another.
            }
        }
    }
}
