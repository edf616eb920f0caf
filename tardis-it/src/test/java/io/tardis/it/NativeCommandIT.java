package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * The native {@code tardis}: what it prints and ends with is what a JVM prints and ends with, and
 * no client of {@code client.sock} harms the daemon.
 */
@RequiresContainers
class NativeCommandIT {

    private static final int MOST_CLIENTS = 1_000;

    /** How many wait at once; all that the daemon takes with -Dtardis.it.clients=1000. */
    private static final int CLIENTS = Load.size("clients", 100);

    private static final Duration QUICK = Duration.ofSeconds(5);

    @RegisterExtension static final Lab lab = Lab.withTardis();

    /** Beside no JVM's script: what ends well here, the daemon has run. */
    private Path alone;

    private Container three;
    private Container open;

    @BeforeEach
    void haveOneEndedAndOneOpenContainer() throws IOException {
        lab.tardis().bringUpDaemon();
        alone = lab.scratch().folder("alone").resolve("tardis");
        if (Files.notExists(alone)) {
            Files.copy(Path.of(lab.tardis().command().argv().getFirst()), alone);
        }
        three = lab.freshContainer().enabled();
        open = lab.freshContainer().enabled();
        Outcome _ = three.sh("exit 3");
        open.startEndingWith(5);
    }

    private Outcome inDaemon(Map<String, String> environment, String... arguments) {
        return run(alone.toString(), environment, arguments);
    }

    private Outcome inJvm(Map<String, String> environment, String... arguments) {
        Path tardis = Path.of(lab.tardis().command().argv().getFirst());
        return run(
                tardis.resolve("../../lib/tardis-jvm").normalize().toString(),
                environment,
                arguments);
    }

    private static Outcome run(
            String program, Map<String, String> environment, String... arguments) {
        List<String> argv = new ArrayList<>(List.of(program));
        argv.addAll(List.of(arguments));
        return Command.of(argv).with(lab.tardis().environment()).with(environment).run();
    }

    private void assertSame(Map<String, String> environment, String... arguments) {
        Outcome served = inDaemon(environment, arguments);
        Outcome other = inJvm(environment, arguments);
        assertThat(timeless(served.out())).as("%s", served).isEqualTo(timeless(other.out()));
        assertThat(served.err()).as("%s", served).isEqualTo(other.err());
        assertThat(served.code()).as("%s", served).isEqualTo(other.code());
    }

    /** Without ages and times of day, which go on between two commands. */
    private static String timeless(String text) {
        return text.replaceAll("\\d{4}-\\d\\d-\\d\\d[ T]\\d\\d:\\d\\d[0-9:.]*", "TIME")
                .replaceAll("\\d+(\\.\\d+)?(ms|s|m|h)( ?\\d+(ms|s|m))?\\b", "AGE")
                .replaceAll(" +", " ");
    }

    @ContainerTest
    @Timeout(600)
    void everyCommandThatReadsIsTheSameBothWays() {
        for (String[] arguments :
                new String[][] {
                    {"get", three.name()},
                    {"get", open.name()},
                    {"get", "no-such"},
                    {"wait", three.name()},
                    {"wait", open.name(), "--timeout", "100ms"},
                    {"show", three.name()},
                    {"show", three.name(), "-o", "json"},
                    {"show", "no-such"},
                    {"ls"},
                    {"ls", "-o", "wide", "--all"},
                    {"ls", "-o", "jsonl", "--failed"},
                    {"ls", "--format", "id,status,exit_code"},
                    {"ls", "-n", "no-such"},
                    {"status"},
                    {"report", "-o", "html"},
                    {"report", "-n", "default"}
                }) {
            assertSame(Map.of(), arguments);
        }
        assertSame(Map.of("COLUMNS", "132", "LC_ALL", "C"), "report");
        assertSame(Map.of("COLUMNS", "40", "LC_ALL", "en_US.UTF-8"), "report");
    }

    @ContainerTest
    @Timeout(600)
    void badUsageAndHelpAreTheSameBothWays() throws IOException {
        Path file = Files.writeString(lab.scratch().folder("etc").resolve("shadow"), "Passw0rd");
        for (String[] arguments :
                new String[][] {
                    {},
                    {"--help"},
                    {"--version"},
                    {"get", "--help"},
                    {"watch", "--help"},
                    {"keygen", "--help"},
                    {"no-such-command"},
                    {"get"},
                    {"get", ""},
                    {"get", "../etc"},
                    {"get", "a/b/c"},
                    {"get", "one", "two"},
                    {"get", "x".repeat(100_000)},
                    {"get", "@" + file},
                    {"@" + file},
                    {"get", "j\u00fcrgen"},
                    {"get", "-n", "two words", "tc"},
                    {"ls", "--limit", "0"},
                    {"ls", "-o", "no-such-format"},
                    {"ls", "-o", "json", "--format", "id"},
                    {"wait", "tc", "--timeout", "soon"},
                    {"stop", "--no-such-option"}
                }) {
            assertSame(Map.of(), arguments);
        }
        assertThat(inDaemon(Map.of(), "get", "@" + file).err()).doesNotContain("Passw0rd");
        assertSame(Map.of("TARDIS_NO_SUCH", "1"), "get", three.name());
        assertSame(Map.of("TARDIS_QUERY_ENDPOINT", "nonsense"), "get", three.name());
    }

    @ContainerTest
    void whatMayNotRunInTheDaemonRunsInAJvm() {
        for (String[] arguments :
                new String[][] {
                    {"stop"},
                    {"restart"},
                    {"daemon", "--background"},
                    {"doctor"},
                    {"keygen", "server"},
                    {"backup", "file"},
                    {"watch", "--position", "file"}
                }) {
            Outcome outcome = inDaemon(Map.of(), arguments);

            assertThat(outcome.err()).as("%s", outcome).contains("tardis-jvm cannot be run");
        }
        Outcome otherDaemon =
                inDaemon(Map.of("TARDIS_QUERY_ENDPOINT", "tcp://127.0.0.1:1"), "get", "tc");
        assertThat(otherDaemon.err()).contains("tardis-jvm cannot be run");
        Outcome tooLong = inDaemon(Map.of(), "get", "x".repeat(120_000), "x".repeat(20_000));
        assertThat(tooLong.err()).contains("tardis-jvm cannot be run");
        assertThat(lab.tardis().daemon()).isPresent();
    }

    @ContainerTest
    void failedOutputIsTheSameBothWays() {
        String jvm =
                lab.tardis().command().argv().getFirst().replace("bin/tardis", "lib/tardis-jvm");
        for (String redirected :
                List.of(
                        "%s ls >/dev/full",
                        "%s get " + three.name() + " >/dev/full",
                        "%s ls >&-",
                        "%s ls 2>&-",
                        "%s get no-such 2>&-",
                        "%s get no-such >&-",
                        "%s ls <&-",
                        "{ sleep 1; %s ls; echo $? >&2; } | :")) {
            Outcome served = shell(redirected.formatted(alone));
            Outcome other = shell(redirected.formatted(jvm));

            assertThat(timeless(served.out())).as("%s", served).isEqualTo(timeless(other.out()));
            assertThat(served.err()).as("%s", served).isEqualTo(other.err());
            assertThat(served.code()).as("%s", served).isEqualTo(other.code());
        }
    }

    private static Outcome shell(String script) {
        return Command.of("bash", "-c", script).with(lab.tardis().environment()).run();
    }

    @ContainerTest
    void waitsForTheEndAndAnotherDaemonIsFoundWhenItsOwnEnds() {
        Outcome _ = lab.tardis().tardis("get", three.name()).orFail();
        try (LiveProcess waiting = lab.tardis().waitFor(open)) {
            awaitClients(1);
            lab.tardis().killDaemon();
            lab.tardis().bringUpDaemon();
            open.end();

            assertThat(waiting.awaitExit(SOON)).as(waiting.output()).isIn(0, 3);
        }
        assertThat(lab.tardis().tardis("wait", open.name()).out()).isEqualTo("5\n");
    }

    @ContainerTest
    @Timeout(300)
    void manyWaitAtOnceAndLeaveNothingBehind() {
        Proc daemon = lab.tardis().runningDaemon();
        List<LiveProcess> waiting = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            waiting.add(lab.tardis().waitFor(open));
        }
        awaitClients(CLIENTS);
        lab.tardis().assertAnswersQuickly();
        if (CLIENTS >= MOST_CLIENTS) {
            Outcome busy = inDaemon(Map.of(), "get", three.name());
            assertThat(busy.code()).isEqualTo(1);
            assertThat(busy.err()).contains("the daemon is busy");
        }
        for (LiveProcess each : waiting.subList(0, CLIENTS / 2)) {
            each.kill();
        }
        awaitClients(CLIENTS - CLIENTS / 2);
        open.end();
        for (LiveProcess each : waiting.subList(CLIENTS / 2, CLIENTS)) {
            assertThat(each.awaitExit(SOON)).as(each.output()).isEqualTo(0);
            assertThat(each.output()).isEqualTo("5\n");
        }
        awaitClients(0);
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
    }

    @ContainerTest
    void clientsThatSendNonsenseNothingOrLeaveAreForgotten() throws IOException {
        byte[] request = request("ls", "--limit", "10000");
        List<SocketChannel> clients = new ArrayList<>();
        for (int length = 0; length < request.length; length += 7) {
            SocketChannel cut = connect();
            cut.write(ByteBuffer.wrap(request, 0, length));
            if (length % 2 == 0) {
                cut.close();
            } else {
                clients.add(cut); // the daemon ends it
            }
        }
        for (byte[] nonsense :
                List.of(
                        new byte[64],
                        "GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII),
                        "TARDISC1\u007f\u007f\u007f\u007f".getBytes(StandardCharsets.US_ASCII),
                        new byte[] {'T', 'A', 'R', 'D', 'I', 'S', 'C', '1', 0, 0, 0, 1, 'x'})) {
            SocketChannel client = connect();
            client.write(ByteBuffer.wrap(nonsense));
            clients.add(client);
        }
        SocketChannel slow = connect(); // reads nothing
        slow.write(ByteBuffer.wrap(request));
        clients.add(slow);

        assertThat(inDaemon(Map.of(), "get", three.name()).orFail().out()).isEqualTo("3\n");
        awaitClients(0);
        for (SocketChannel client : clients) {
            client.close();
        }
        lab.tardis().assertAnswersQuickly();
    }

    /** What its own client sends, of any version: the daemon's is asked for. */
    private byte[] request(String... arguments) {
        String version = inDaemon(Map.of(), "--version").orFail().text().replace("tardis ", "");
        String body =
                String.join("\0", version, "---u", String.valueOf(arguments.length))
                        + "\0"
                        + String.join("\0", arguments)
                        + "\0";
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(12 + bytes.length)
                .put("TARDISC1".getBytes(StandardCharsets.US_ASCII))
                .putInt(bytes.length)
                .put(bytes)
                .array();
    }

    private static SocketChannel connect() throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(socket()));
    }

    private static Path socket() {
        return lab.tardis().socket().resolveSibling("client.sock");
    }

    @ContainerTest
    @Timeout(300)
    void aWatchThroughTheDaemonGoesOnInAJvmWhenTheDaemonEnds() {
        Path output = lab.scratch().folder("watch").resolve("out");
        Command watch = lab.tardis().command("watch", "-o", "jsonl");
        try (LiveProcess watching = watch.start(output)) {
            awaitClients(1);
            lab.tardis().awaitReceiving(lab.container("probe"));
            Container first = lab.freshContainer();
            Outcome _ = first.sh("exit 4");
            watching.awaitLine("first", SOON, it -> it.contains("\"" + first.id() + "\""));
            lab.tardis().killDaemon();
            lab.tardis().bringUpDaemon();
            lab.tardis().awaitReceiving(lab.container("probe"));
            Container second = lab.freshContainer();
            Outcome _ = second.sh("exit 4");
            watching.awaitLine("second", SOON, it -> it.contains("\"" + second.id() + "\""));

            List<String> numbers =
                    watching.lines().stream()
                            .filter(it -> it.startsWith("{"))
                            .map(it -> it.replaceFirst(".*\"seq\":(\\d+).*", "$1"))
                            .toList();
            assertThat(numbers).doesNotHaveDuplicates().isSorted();
        }
    }

    /** Also what a killed daemon has left in the write-ahead log. */
    @ContainerTest
    @Timeout(300)
    void withoutADaemonTheLogIsReadAndNotChanged() throws IOException {
        TardisNode node = lab.tardis();
        for (boolean isKilled : new boolean[] {true, false}) {
            node.bringUpDaemon();
            if (isKilled) {
                node.killDaemon();
            } else {
                Outcome _ = node.tardis("stop").orFail();
            }
            byte[] before = Files.readAllBytes(node.stateDir().resolve("exits.db"));

            Outcome get = node.tardis("get", three.name());
            assertThat(get.out()).as("%s", get).isEqualTo("3\n");
            assertThat(get.code()).isZero();
            assertThat(get.err()).contains("no daemon runs", "tardis daemon --background");
            assertThat(node.tardis("show", three.name()).orFail().out()).contains("exited 3");
            assertThat(node.tardis("ls").orFail().out()).contains(three.id());
            assertThat(node.tardis("report").orFail().out()).isNotEmpty();
            assertThat(node.tardis("get", "no-such").code()).isEqualTo(3);
            assertThat(node.tardis("status").code()).isEqualTo(3);

            assertThat(node.stateDir().resolve("exits.db")).hasBinaryContent(before);
            assertThat(node.daemon()).isEmpty();
        }
    }

    @ContainerTest
    void aSocketThatIsRemovedComesBack() throws IOException {
        Files.delete(socket());

        Wait.until("another socket", QUICK, () -> Files.exists(socket()));
        assertThat(inDaemon(Map.of(), "get", three.name()).orFail().out()).isEqualTo("3\n");
        assertThat(Files.getPosixFilePermissions(socket())).hasSize(2);
    }

    /** By the sockets of that name that the kernel knows, all but the one that listens. */
    private static void awaitClients(int count) {
        Wait.until(() -> count + " clients, and not " + clients(), SOON, () -> clients() == count);
    }

    private static long clients() {
        try {
            return Files.readAllLines(Path.of("/proc/net/unix"), StandardCharsets.ISO_8859_1)
                            .stream()
                            .filter(it -> it.endsWith(socket().toString()))
                            .count()
                    - 1;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
