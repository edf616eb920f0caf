package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Far more exits than containers make, and clients that do not read what they get of them. */
@RequiresContainers
class SlowReadersIT {

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    @Timeout(600)
    void aSubscriberThatDoesNotReadCostsLittleMemoryAndDelaysNobody() {
        int flood = Load.size("flood", 40_000);
        TardisNode node = Flood.of(lab.tardis(), flood);
        node.bringUpDaemon();
        Proc daemon = node.runningDaemon();
        long before = daemon.residentBytes();

        try (LiveProcess slow = node.badClient("slow", "TARDIS_EVENTS_ENDPOINT", 1, 0);
                LiveProcess watch = node.subscribe("/tasks/exit/default/last/")) {
            slow.awaitLine("start", SOON, "ready"::equals);
            watch.awaitLine("heartbeat", SOON, line -> line.startsWith("/tardis/heartbeat/"));
            lab.scratch().folder("go");
            long most = before;
            Instant begin = Instant.now();
            while (!watch.output().contains("/tasks/exit/default/last/")) {
                node.assertAnswersQuickly();
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

        try (LiveProcess client = node.badClient("unread", "TARDIS_QUERY_ENDPOINT", 60, 0)) {
            client.awaitLine("asked 600", SOON, "asked 600"::equals);
            node.assertAnswersWithin(Duration.ofSeconds(10)); // beside 600 replays of 10,000 exits
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
}
