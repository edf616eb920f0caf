package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Clients that misbehave on Tardis's sockets hold nobody up, and do not hurt the daemon. */
@RequiresContainers
class ClientsIT {

    /** No limit that the test of many connections would find: FloodIT has one. */
    @RegisterExtension
    static final Lab lab = Lab.withTardis().setting("TARDIS_MAX_CONNECTIONS", "2000");

    private final Container recorded = lab.container("before").enabled();

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
        Set<String> before = Set.copyOf(daemon.descriptors().values());
        int descriptors = daemon.descriptors().size();
        giveDescriptors(daemon, descriptors + number + number / 2);

        try (LiveProcess client =
                lab.tardis().badClient("many", "TARDIS_QUERY_ENDPOINT", number, 0)) {
            client.awaitLine("start", patienceFor(number), "ready"::equals);
            assertThat(client.lines()).containsExactly("opened " + number, "ready");
            Wait.until(
                    () -> number + " connections: " + daemon.descriptors().size(),
                    patienceFor(number),
                    // Of those that were there before, some may just have ended.
                    () ->
                            daemon.descriptors().values().stream()
                                            .filter(it -> !before.contains(it))
                                            .count()
                                    >= number);
            lab.tardis().assertAnswersQuickly();
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

        try (LiveProcess client =
                lab.tardis().badClient("requests", "TARDIS_QUERY_ENDPOINT", requests, seed)) {
            client.awaitLine("start", SOON, "ready"::equals);
            lab.tardis().assertAnswersQuickly();
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
    @Timeout(300)
    void frameAfterFrameOfOneMessageFillsNoMemory() {
        Proc daemon = recorded();
        for (String endpoint : List.of("TARDIS_QUERY_ENDPOINT", "TARDIS_EVENTS_ENDPOINT")) {
            boolean subscribes = endpoint.equals("TARDIS_EVENTS_ENDPOINT");
            try (LiveProcess client =
                    lab.tardis().badClient("frames", endpoint, 4, subscribes ? 1 : 0)) {
                // What a subscriber sends besides subscriptions is dropped.
                String line = subscribes ? "ended 0" : "ended 4";
                client.awaitLine(line, SOON, line::equals);
                lab.tardis().assertAnswersQuickly();
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
        try (LiveProcess client =
                lab.tardis().badClient("subscriptions", "TARDIS_EVENTS_ENDPOINT", 20, 1)) {
            client.awaitLine("ended 20", SOON, "ended 20"::equals);
            lab.tardis().assertAnswersQuickly();
            assertLittleMemory(daemon);
        }
        assertUnharmed(daemon);
        assertThat(lab.tardis().log())
                // 2 MiB are less than what 1000 of this length take.
                .contains("subscriptions take too much memory");
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

        try (LiveProcess client =
                lab.tardis().badClient("waits", "TARDIS_QUERY_ENDPOINT", 101, 0)) {
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

        try (LiveProcess client = lab.tardis().badClient(how, endpoint, number, seed)) {
            client.awaitLine(how + ", seed " + seed, patienceFor(number), "ready"::equals);
            lab.tardis().assertAnswersQuickly();
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
        if (!lab.tardis().status(recorded).equals("exited")) {
            assertThat(recorded.sh("exit 7").code()).isEqualTo(7);
        }
        return lab.tardis().runningDaemon();
    }

    private void assertUnharmed(Proc daemon) {
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        assertThat(lab.tardis().code(recorded)).isEqualTo("7");
        Container good = lab.freshContainer().enabled();
        assertThat(good.run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.tardis().isCleaned(good)).isTrue();
        Container bad = lab.freshContainer().enabled();
        assertThat(bad.sh("exit 3").code()).isEqualTo(3);
        assertThat(lab.tardis().code(bad)).isEqualTo("3");
    }
}
