package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** A daemon with keys publishes to clients whose keys it knows, and answers them: no others. */
@RequiresContainers
class CurveIT {

    private static final int BAD_SETTING = 2;

    private static final AtomicInteger PAIRS = new AtomicInteger();

    @RegisterExtension
    static final Lab lab =
            Lab.withTardis()
                    .setting(
                            "TARDIS_CURVE_SECRET_KEY_FILE",
                            node -> {
                                Outcome _ = node.tardis("keygen", name(node, "server")).orFail();
                                return name(node, "server") + ".key_secret";
                            })
                    .setting("TARDIS_CURVE_CLIENTS_DIR", CurveIT::makeClientsDir);

    @ContainerTest
    void pyzmqReceivesAndAsksWithKeysThatTardisMade() {
        TardisNode alice = clientWithKeysOfTardis("alice");
        Container three = lab.freshContainer().enabled();
        Container zero = lab.freshContainer().enabled();
        lab.tardis().bringUpDaemon();
        try (LiveProcess subscriber = alice.subscribe("/tasks/exit/default/")) {
            awaitSubscription(subscriber);

            assertThat(three.sh("exit 3").code()).isEqualTo(3);
            assertThat(zero.sh("exit 0").code()).isZero();

            subscriber.awaitLine("exit", SOON, line -> isExit(line, three.id(), 3));
            subscriber.awaitLine("exit", SOON, line -> isExit(line, zero.id(), 0));
            JsonNode answer = alice.exitCode(three);
            assertThat(answer.path("status").asString()).isEqualTo("exited");
            assertThat(answer.path("exit_code").asInt()).isEqualTo(3);
            assertThat(alice.published(zero)).hasSize(1);
        }
        // Inside the daemon, where the shim asks, there are no keys.
        assertThat(lab.tardis().isKept(three)).isTrue();
        assertThat(lab.tardis().isCleaned(zero)).isTrue();
    }

    @ContainerTest
    void commandsOnTheNodeNeedNoMoreThanTheDaemon() {
        lab.tardis().bringUpDaemon();
        commandsWork(lab.tardis());
        assertThat(lab.tardis().tardis("status").code()).isZero();
    }

    @ContainerTest
    void commandsElsewhereNeedKeysOfTheirOwnAndTheDaemons() {
        lab.tardis().bringUpDaemon();
        commandsWork(clientWithKeysOfTardis("bob"));
    }

    @ContainerTest
    void keysThatPyzmqMadeServeTheDaemonAndTheCommands() throws IOException {
        Outcome _ = lab.tardis().tardis("stop"); // the one of the other tests, if it runs
        String server = makeKeysWithPyzmq("daemon");
        String carol = makeKeysWithPyzmq("carol");
        TardisNode node =
                lab.tardis()
                        .with(
                                "TARDIS_CURVE_SECRET_KEY_FILE",
                                name(lab.tardis(), server) + ".key_secret");
        TardisNode client = client(carol, server);
        // pyzmq leaves the secret key open to all users.
        lab.expectErrors();
        Outcome refused = node.tardis("daemon");
        assertThat(refused.code()).isEqualTo(BAD_SETTING);
        assertThat(refused.err())
                .contains(
                        node.setting("TARDIS_CURVE_SECRET_KEY_FILE"),
                        "open to others than its owner");

        close(server);
        close(carol);
        try (LiveProcess _ = node.startDaemon()) {
            commandsWork(client);
            assertThat(client.lastSeq()).isPositive();
        }
    }

    @ContainerTest
    void strangersAndClientsWithoutKeysGetNothingAndCostNothing() {
        TardisNode dora = clientWithKeysOfTardis("dora");
        TardisNode mallory = client(keysOfTardis("mallory"), "server");
        TardisNode plain =
                lab.tardis()
                        .with("TARDIS_CURVE_SECRET_KEY_FILE", "")
                        .with("TARDIS_CURVE_CLIENTS_DIR", "");
        Container container = lab.freshContainer().enabled();
        lab.tardis().bringUpDaemon();
        try (LiveProcess known = dora.subscribe("/tasks/");
                LiveProcess stranger = mallory.subscribe("/tasks/");
                LiveProcess withoutKeys = plain.subscribe("/tasks/")) {
            awaitSubscription(known);
            // The first container leaves the shim's own client behind, for the next one.
            assertThat(lab.freshContainer().enabled().sh("exit 3").code()).isEqualTo(3);
            Proc daemon = lab.tardis().runningDaemon();
            int descriptors = daemon.descriptors().size();

            Outcome strangers = strangers(200);
            assertThat(container.sh("exit 3").code()).isEqualTo(3);
            known.awaitLine("exit", SOON, line -> isExit(line, container.id(), 3));

            assertThat(strangers.orFail().text()).isEqualTo("got 0");
            // At the same time: each waits some seconds for an answer.
            for (Outcome get :
                    Stream.of(mallory, plain)
                            .parallel()
                            .map(nobody -> nobody.tardis("get", container.id()))
                            .toList()) {
                assertThat(get.out()).isEmpty();
                assertThat(get.code()).isEqualTo(3);
                assertThat(get.err()).contains("no answer from");
            }
            // A heartbeat is due every 5 s, and the waits of two commands are longer.
            assertThat(stranger.output()).isEmpty();
            assertThat(withoutKeys.output()).isEmpty();
            // A command waits 5 s for its answer.
            assertThat(dora.code(container)).isEqualTo("3");
            Wait.until(
                    () -> "descriptors as before, " + descriptors + ": " + daemon.descriptors(),
                    SOON,
                    // Clients that are refused have a connection at times, and at times not.
                    () -> daemon.descriptors().size() < descriptors + 10);
            assertThat(lab.tardis().log().lines().filter(line -> line.contains("refused")))
                    .hasSizeBetween(1, 10);
        }
    }

    @ContainerTest
    void clientsAreAddedWhileTheDaemonRuns() {
        lab.tardis().bringUpDaemon();
        lab.tardis().awaitReceiving(lab.container("probe"));

        TardisNode late = clientWithKeysOfTardis("late");

        assertThat(late.tardis("status").orFail().out()).contains("last exit");
        assertThat(late.lastSeq()).isPositive();
    }

    private static void commandsWork(TardisNode client) {
        Container container = lab.freshContainer().enabled();
        Container before = lab.freshContainer().enabled();
        assertThat(before.sh("exit 4").code()).isEqualTo(4);
        Path output = lab.scratch().folder("out").resolve(container.id());
        try (LiveProcess watch = client.command("watch", "--all").start(output)) {
            watch.awaitLine("past", SOON, line -> line.contains(before + " exited with 4"));

            assertThat(container.sh("exit 7").code()).isEqualTo(7);

            watch.awaitLine("exit", SOON, line -> line.contains(container + " exited with 7"));
        }
        assertThat(client.code(container)).isEqualTo("7");
        assertThat(client.tardis("wait", container.id(), "--timeout", "10s").orFail().text())
                .isEqualTo("7");
        assertThat(client.tardis("ls").orFail().out()).contains(before.id(), container.id());
    }

    private static Outcome strangers(int number) {
        return Command.of(
                        Machine.PYTHON,
                        TardisNode.script("strangers.py").toString(),
                        lab.tardis().setting("TARDIS_EVENTS_ENDPOINT"),
                        lab.tardis().setting("TARDIS_QUERY_ENDPOINT"),
                        Integer.toString(number),
                        name(lab.tardis(), "server") + ".key")
                .run();
    }

    /** A client that the daemon knows, with keys made by {@code tardis keygen}. */
    private static TardisNode clientWithKeysOfTardis(String name) {
        String keys = keysOfTardis(name);
        makeKnown(keys);
        TardisNode client = client(keys, "server");
        if (lab.tardis().daemon().isPresent()) {
            // It looks for new clients once a second; libzmq does not try again if it is refused.
            Wait.until("admission of " + name, SOON, () -> client.tardis("ls").code() == 0);
        }
        return client;
    }

    /** Returns the name that the keys have, another one each time. */
    private static String keysOfTardis(String name) {
        String keys = name + PAIRS.incrementAndGet();
        Outcome _ = lab.tardis().tardis("keygen", name(lab.tardis(), keys)).orFail();
        return keys;
    }

    private static String makeKeysWithPyzmq(String name) {
        String keys = name + PAIRS.incrementAndGet();
        Outcome _ =
                Command.of(
                                Machine.PYTHON,
                                "-c",
                                "import sys, zmq.auth; zmq.auth.create_certificates(*sys.argv[1:])",
                                name(lab.tardis(), ""), // the folder
                                keys)
                        .run()
                        .orFail();
        makeKnown(keys);
        return keys;
    }

    private static void makeKnown(String name) {
        try {
            Path file = Path.of(name(lab.tardis(), name) + ".key");
            Files.copy(
                    file,
                    Path.of(lab.tardis().setting("TARDIS_CURVE_CLIENTS_DIR"))
                            .resolve(name + ".key"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void close(String name) throws IOException {
        Files.setPosixFilePermissions(
                Path.of(name(lab.tardis(), name) + ".key_secret"),
                PosixFilePermissions.fromString("rw-------"));
    }

    /** The node as seen by a client that has its own pair and the daemon's public key. */
    private static TardisNode client(String name, String server) {
        return lab.tardis()
                .with("TARDIS_CURVE_SECRET_KEY_FILE", name(lab.tardis(), name) + ".key_secret")
                .with("TARDIS_CURVE_SERVER_KEY_FILE", name(lab.tardis(), server) + ".key");
    }

    private static String name(TardisNode node, String name) {
        return Path.of(node.setting("TARDIS_CONFIG")).resolveSibling(name).toString();
    }

    private static String makeClientsDir(TardisNode node) {
        try {
            return Files.createDirectory(
                            Path.of(name(node, "clients")),
                            PosixFilePermissions.asFileAttribute(
                                    PosixFilePermissions.fromString("rwx------")))
                    .toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void awaitSubscription(LiveProcess subscriber) {
        subscriber.awaitLine("heartbeat", SOON, line -> line.startsWith("/tardis/heartbeat/\t"));
    }

    private static boolean isExit(String line, String container, int code) {
        return line.startsWith("/tasks/exit/default/" + container + "/\t")
                && line.contains("\"exit_status\":" + code + ",");
    }
}
