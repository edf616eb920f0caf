package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** Clients that misbehave on Tardis's sockets hold nobody up, and do not hurt the daemon. */
@RequiresContainers
class ClientsIT {

    private static final Duration SOON = Duration.ofSeconds(60);

    /** Not counting what a Python process takes to start. */
    private static final Duration AN_ANSWER = Duration.ofSeconds(1);

    /** No limit that the test of many connections would find: FloodIT has one. */
    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_MAX_CONNECTIONS", "2000");

    private int clients;

    @ContainerTest
    void survivesRandomBytesInPlaceOfAGreeting() {
        survives("bytes", "TARDIS_QUERY_ENDPOINT", 50);
    }

    @ContainerTest
    void survivesRandomBytesOnTheEventsEndpoint() {
        survives("bytes", "TARDIS_EVENTS_ENDPOINT", 50);
    }

    @ContainerTest
    void survivesHalfFrames() {
        survives("half", "TARDIS_QUERY_ENDPOINT", 50);
    }

    @ContainerTest
    void survivesFramesThatAnnounceMoreThanThereIs() {
        survives("huge", "TARDIS_QUERY_ENDPOINT", 5);
    }

    @ContainerTest
    void survivesHugeFramesOnTheEventsEndpoint() {
        survives("huge", "TARDIS_EVENTS_ENDPOINT", 5);
    }

    @ContainerTest
    @Timeout(600)
    void survivesManyConnections() {
        int number = Load.size("connections", 1000);
        Proc daemon = recorded();
        int descriptors = daemon.descriptors().size();
        giveDescriptors(daemon, descriptors + number + number / 2);

        try (LiveProcess client = badClient("many", "TARDIS_QUERY_ENDPOINT", number, 0)) {
            client.awaitLine("start", patienceFor(number), "ready"::equals);
            assertThat(client.lines()).containsExactly("opened " + number, "ready");
            Wait.until(
                    () -> number + " connections: " + daemon.descriptors().size(),
                    patienceFor(number),
                    () -> daemon.descriptors().size() >= descriptors + number);
            assertAnswersQuickly();
            assertUnharmed(daemon);
        }

        assertUnharmed(daemon);
        awaitDescriptors(daemon, descriptors, "many");
    }

    /** So that no limit of the machine keeps connections away. */
    private static void giveDescriptors(Proc daemon, int number) {
        long limit = Math.max(number, daemon.descriptorLimit());
        Outcome _ =
                Command.of(
                                "prlimit",
                                "--pid",
                                Long.toString(daemon.pid()),
                                "--nofile=" + limit + ":" + limit)
                        .run()
                        .orFail();
    }

    @ContainerTest
    @Timeout(600)
    void answersEveryMalformedRequest() {
        long seed = Load.seed() & Integer.MAX_VALUE;
        int requests = Load.size("requests", 2000);
        System.out.printf("%d malformed requests, seed %d%n", requests, seed);
        Proc daemon = recorded();

        try (LiveProcess client = badClient("requests", "TARDIS_QUERY_ENDPOINT", requests, seed)) {
            client.awaitLine("start", SOON, "ready"::equals);
            assertAnswersQuickly();
            assertThat(client.awaitExit(Duration.ofMinutes(5)))
                    .as("seed %d: %s", seed, client.output())
                    .isEqualTo(0);
            assertThat(client.lines())
                    .as("seed %d", seed)
                    .containsExactly("ready", "answered " + requests);
        }

        assertUnharmed(daemon);
    }

    @ContainerTest
    @Timeout(600)
    void aSubscriberThatDoesNotReadCostsLittleMemoryAndDelaysNobody() {
        int flood = Load.size("flood", 40_000);
        TardisNode node = Flood.of(lab.tardis(), flood);
        node.bringUpDaemon();
        Proc daemon = node.runningDaemon();
        long before = daemon.residentBytes();

        try (LiveProcess slow = badClient("slow", "TARDIS_EVENTS_ENDPOINT", 1, 0);
                LiveProcess watch = node.subscribe("/tasks/exit/default/last/")) {
            slow.awaitLine("start", SOON, "ready"::equals);
            watch.awaitLine("heartbeat", SOON, line -> line.startsWith("/tardis/heartbeat/"));
            lab.scratch().folder("go");
            long most = before;
            Instant begin = Instant.now();
            while (!watch.output().contains("/tasks/exit/default/last/")) {
                assertAnswersQuickly();
                most = Math.max(most, daemon.residentBytes());
                Wait.assertTaken(
                        "the flood", Duration.between(begin, Instant.now()), Flood.longest(flood));
            }
            new Proc(slow.pid()).signal("USR1");
            String received =
                    slow.awaitLine("all it got", SOON, line -> line.startsWith("received"));
            System.out.printf("of a flood of %d the slow client %s%n", flood, received);
            Flood.assertLittleMemory(before, most);
            assertThat(Integer.parseInt(received.split(" ", -1)[1]))
                    .as("what was not dropped")
                    .isPositive()
                    .isLessThan(flood);
        }
        // What it did not read it gets by replay.
        Wait.until(
                "the last of the flood in the log",
                SOON,
                () ->
                        node.ask("{\"op\":\"replay\",\"after\":" + (node.lastSeq() - 1) + "}")
                                .path("events")
                                .path(0)
                                .path("container_id")
                                .asString()
                                .equals("last"));
        LongAdder replayed = new LongAdder();
        node.replay(_ -> replayed.increment());
        assertThat(replayed.sum()).isEqualTo(flood + 2L);
        assertThat(node.runningDaemon()).isEqualTo(daemon);
    }

    @ContainerTest
    @Timeout(300)
    void frameAfterFrameOfOneMessageFillsNoMemory() {
        Proc daemon = recorded();
        for (String endpoint : List.of("TARDIS_QUERY_ENDPOINT", "TARDIS_EVENTS_ENDPOINT")) {
            boolean subscribes = endpoint.equals("TARDIS_EVENTS_ENDPOINT");
            try (LiveProcess client = badClient("frames", endpoint, 4, subscribes ? 1 : 0)) {
                // What a subscriber sends besides subscriptions is dropped.
                String told = subscribes ? "ended 0" : "ended 4";
                client.awaitLine(told, SOON, told::equals);
                assertAnswersQuickly();
                assertLittleMemory(daemon);
            }
        }
        assertUnharmed(daemon);
        assertThat(lab.tardis().log()).contains("a request has more than 64 frames");
    }

    @ContainerTest
    @Timeout(300)
    void subscriptionsWithoutEndFillNoMemory() {
        Proc daemon = recorded();
        try (LiveProcess client = badClient("subscriptions", "TARDIS_EVENTS_ENDPOINT", 20, 1)) {
            client.awaitLine("ended 20", SOON, "ended 20"::equals);
            assertAnswersQuickly();
            assertLittleMemory(daemon);
        }
        assertUnharmed(daemon);
        assertThat(lab.tardis().log())
                .containsAnyOf(
                        "it has more than 1000 subscriptions",
                        "subscriptions take too much memory");
    }

    @ContainerTest
    @Timeout(300)
    void answersThatNobodyReadsFillNoMemory() {
        int exits = 10_000;
        TardisNode node = Flood.of(lab.tardis(), exits);
        node.bringUpDaemon();
        Proc daemon = node.runningDaemon();
        lab.scratch().folder("go");
        AtomicInteger replayed = new AtomicInteger();
        Wait.until(
                () -> "exits in the log: " + replayed,
                SOON,
                () -> {
                    replayed.set(0);
                    node.replay(_ -> replayed.incrementAndGet());
                    return replayed.get() == exits + 2;
                });

        try (LiveProcess client = badClient("unread", "TARDIS_QUERY_ENDPOINT", 60, 0)) {
            client.awaitLine("asked 600", SOON, "asked 600"::equals);
            assertAnswersWithin(Duration.ofSeconds(10)); // beside 600 replays of 10,000 exits
            assertThat(node.runningDaemon()).isEqualTo(daemon);
        }

        // Their place is given back with the connections.
        Wait.until(
                "an answer of 10,000 exits",
                SOON,
                () ->
                        node.ask("{\"op\":\"replay\",\"limit\":10000}").path("events").size()
                                == 10_000);
        assertThat(node.runningDaemon()).isEqualTo(daemon);
    }

    @ContainerTest
    @Timeout(300)
    void clientsThatHaveGoneWaitForNothing() {
        lab.tardis().bringUpDaemon();
        Container running = lab.container("running").enabled();
        running.startEndingWith(7);
        Proc daemon = lab.tardis().runningDaemon();
        String wait = "{\"op\":\"exit_code\",\"container_id\":\"running\",\"wait_ms\":100}";
        String waitLonger = wait.replace("100", "100000");

        try (LiveProcess client = badClient("waits", "TARDIS_QUERY_ENDPOINT", 101, 0)) {
            // Of each connection the last ten, and all of the last one, which finds no place.
            client.awaitLine("refused", SOON, line -> line.startsWith("refused 10"));
            assertThat(lab.tardis().ask(waitLonger).path("error").asString()).isEqualTo("too_many");
            // The shim competes with nobody.
            Container bad = lab.freshContainer().enabled();
            assertThat(bad.sh("exit 3").code()).isEqualTo(3);
            assertThat(lab.tardis().code(bad)).isEqualTo("3");
        }

        Wait.until(
                "a place to wait",
                Duration.ofSeconds(5),
                () -> lab.tardis().ask(wait).path("status").asString().equals("running"));
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        running.end();
        assertThat(running.remove()).isEqualTo(7);
    }

    private static void assertLittleMemory(Proc daemon) {
        // Its heap, once used, and what is outside of it.
        assertThat(daemon.residentBytes()).isLessThan(400L << 20);
    }

    private void survives(String how, String endpoint, int number) {
        long seed = Load.seed() & Integer.MAX_VALUE;
        System.out.printf("%s, seed %d%n", how, seed);
        Proc daemon = recorded();
        int descriptors = daemon.descriptors().size();

        try (LiveProcess client = badClient(how, endpoint, number, seed)) {
            client.awaitLine(how + ", seed " + seed, patienceFor(number), "ready"::equals);
            assertAnswersQuickly();
            assertUnharmed(daemon);
        }

        assertUnharmed(daemon);
        awaitDescriptors(daemon, descriptors, how + ", seed " + seed);
    }

    /** Connections that find the queue full are tried again by the kernel, a second later. */
    private static Duration patienceFor(int connections) {
        return SOON.plus(Duration.ofMillis(20L * connections));
    }

    private static void awaitDescriptors(Proc daemon, int descriptors, String what) {
        Wait.until(
                () -> "end of the connections, " + what + ": " + daemon.descriptors(),
                SOON,
                () -> daemon.descriptors().size() <= descriptors + 10);
    }

    /** A daemon that has something to answer. */
    private Proc recorded() {
        lab.tardis().bringUpDaemon();
        Outcome _ = lab.container("before").enabled().sh("exit 7");
        return lab.tardis().runningDaemon();
    }

    /** The first of two questions over a connection pays for the connection and for Python. */
    private void assertAnswersQuickly() {
        assertAnswersWithin(AN_ANSWER.plusSeconds(1));
    }

    private void assertAnswersWithin(Duration limit) {
        Instant begin = Instant.now();
        String ping = "{\"op\":\"ping\"}";
        List<JsonNode> answers = lab.tardis().askAll(ping, ping);
        Duration taken = Duration.between(begin, Instant.now());
        assertThat(answers).allMatch(answer -> answer.path("status").asString().equals("ok"));
        Wait.assertTaken("two answers", taken, limit);
    }

    private void assertUnharmed(Proc daemon) {
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        assertThat(lab.tardis().code(lab.container("before"))).isEqualTo("7");
        Container good = lab.freshContainer().enabled();
        assertThat(good.run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.tardis().isCleaned(good)).isTrue();
        Container bad = lab.freshContainer().enabled();
        assertThat(bad.sh("exit 3").code()).isEqualTo(3);
        assertThat(lab.tardis().code(bad)).isEqualTo("3");
    }

    private LiveProcess badClient(String how, String endpoint, int number, long seed) {
        clients++;
        return Command.of(
                        List.of(
                                Machine.PYTHON,
                                TardisNode.script("bad_client.py").toString(),
                                how,
                                lab.tardis().setting(endpoint),
                                Integer.toString(number),
                                Long.toString(seed)))
                .start(lab.scratch().folder("clients").resolve(how + clients));
    }
}
