package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** A subscriber gets every recorded exit, whatever happens to it and to the daemon. */
@RequiresContainers
class SubscriberIT {

    /** A Python that starts, connects and asks. */
    private static final Duration AN_ANSWER = Duration.ofSeconds(2);

    private static final int LONGEST_RUN_MILLIS = 2500;
    private static final int AT_A_TIME = 2;

    @RegisterExtension final Lab lab = Lab.withTardis();

    private final AtomicInteger begun = new AtomicInteger();
    private final AtomicBoolean enough = new AtomicBoolean();
    private final ConcurrentLinkedQueue<Outcome> unwell = new ConcurrentLinkedQueue<>();
    private int runs;

    /**
     * One run of the subscriber.
     *
     * @param from the position that it found
     * @param printed the containers whose ends it printed
     * @param to the position that it left
     */
    private record Run(long from, List<String> printed, long to) {}

    @ContainerTest
    @Timeout(1200)
    void getsEveryExitOnceAcrossItsOwnKillsAndTheDaemons() throws InterruptedException {
        int kills = Load.size("kills", 2);
        long seed = Load.seed();
        Random random = new Random(seed);
        List<Run> all = new ArrayList<>();
        lab.tardis().bringUpDaemon();

        try (ExecutorService pool = Executors.newFixedThreadPool(AT_A_TIME)) {
            for (int i = 0; i < AT_A_TIME; i++) {
                pool.execute(this::runContainers);
            }
            try {
                for (int i = 0; i < kills; i++) {
                    all.add(runUntilKilled(random));
                }
            } finally {
                enough.set(true);
            }
        }
        lab.tardis().bringUpDaemon();
        all.add(runUntilAllIsPrinted());

        List<JsonNode> events = lab.tardis().replayAll();
        System.out.printf(
                "%d kills, seed %d: %d exits, positions %s%n",
                kills, seed, events.size(), all.stream().map(Run::to).toList());
        assertThat(unwell).as("containers that suffered, seed %d", seed).isEmpty();
        assertThat(events).as("seed %d", seed).isNotEmpty();
        long position = 0;
        for (Run run : all) {
            assertThat(run.from()).as("seed %d", seed).isEqualTo(position);
            assertGoesOn(run, events, seed);
            position = run.to();
        }
        // Each run acknowledged just what follows the one before: in the end, all and each once.
        assertThat(position).as("seed %d", seed).isEqualTo(seq(events.getLast()));
    }

    @ContainerTest
    @Timeout(1200)
    void getsAllAfterItWasStoppedUnderLoadAndDelaysNobody() {
        int exits = Load.size("flood", 20_000);
        int seconds = Load.size("stop", 10);
        TardisNode node = Flood.of(lab.tardis(), exits, seconds);
        node.bringUpDaemon();
        Proc daemon = node.runningDaemon();
        long before = daemon.residentBytes();

        // Without a position: noting each of so many exits on the disk would be what takes the
        // time.
        try (LiveProcess stopped = node.command("watch", "--all").start(output());
                LiveProcess other = node.subscribe("/tasks/exit/default/last/")) {
            other.awaitLine("heartbeat", SOON, line -> line.startsWith("/tardis/heartbeat/"));
            stopped.awaitLine("the first", SOON, line -> line.contains("/first "));
            Proc process = new Proc(stopped.pid());
            process.signal("STOP");
            long most = before;
            Instant begin = Instant.now();
            try {
                lab.scratch().folder("go");
                while (!other.output().contains("/tasks/exit/default/last/")) {
                    Instant asked = Instant.now();
                    assertThat(node.ask("{\"op\":\"ping\"}").path("status").asString())
                            .isEqualTo("ok");
                    Wait.assertTaken(
                            "an answer", Duration.between(asked, Instant.now()), AN_ANSWER);
                    most = Math.max(most, daemon.residentBytes());
                    Wait.assertTaken(
                            "the last one to the other subscriber",
                            Duration.between(begin, Instant.now()),
                            Flood.longest(exits).plusSeconds(seconds));
                }
            } finally {
                process.signal("CONT");
            }
            System.out.printf(
                    "stopped for %d s%n", Duration.between(begin, Instant.now()).toSeconds());
            Flood.assertLittleMemory(before, most);

            stopped.awaitLine("the last", Flood.longest(exits), line -> line.contains("/last "));
            assertThat(printed(stopped))
                    .isEqualTo(
                            Stream.of(
                                            Stream.of("first"),
                                            IntStream.range(0, exits).mapToObj(i -> "flood" + i),
                                            Stream.of("last"))
                                    .flatMap(ids -> ids)
                                    .map(id -> "default/" + id)
                                    .toList());
        }
        assertThat(node.runningDaemon()).isEqualTo(daemon);
    }

    private void runContainers() {
        while (!enough.get()) {
            int number = begun.getAndIncrement();
            Outcome outcome = Load.container(lab, number).sh("exit " + Load.code(number));
            if (outcome.code() != Load.code(number)) {
                unwell.add(outcome);
            }
        }
    }

    private Run runUntilKilled(Random random) throws InterruptedException {
        long from = position();
        try (LiveProcess watch = watch(lab.tardis())) {
            // The random points of the kills; a wait for a condition would choose them.
            TimeUnit.MILLISECONDS.sleep(random.nextInt(LONGEST_RUN_MILLIS));
            if (random.nextBoolean()) {
                lab.tardis().daemon().ifPresent(lab.tardis()::kill);
                lab.tardis().bringUpDaemon();
                TimeUnit.MILLISECONDS.sleep(random.nextInt(LONGEST_RUN_MILLIS));
            }
            watch.kill();
            return new Run(from, printed(watch), position());
        }
    }

    private Run runUntilAllIsPrinted() {
        long from = position();
        try (LiveProcess watch = watch(lab.tardis())) {
            Wait.until(
                    () -> "the last exit at " + position() + "; printed " + watch.output(),
                    SOON,
                    () -> position() == lab.tardis().lastSeq());
            return new Run(from, printed(watch), position());
        }
    }

    private void assertGoesOn(Run run, List<JsonNode> events, long seed) {
        List<JsonNode> after = events.stream().filter(event -> seq(event) > run.from()).toList();
        List<JsonNode> printed = after.subList(0, Math.min(run.printed().size(), after.size()));
        long acknowledged = printed.stream().filter(event -> seq(event) <= run.to()).count();

        assertThat(run.printed())
                .as("printed after %d, seed %d", run.from(), seed)
                .isEqualTo(printed.stream().map(SubscriberIT::name).toList());
        // Killed between printing one and noting that, it prints that one again the next time.
        assertThat(printed.size() - acknowledged).as("seed %d", seed).isBetween(0L, 1L);
        assertThat(acknowledged == 0 ? run.from() : seq(printed.get((int) acknowledged - 1)))
                .as("position, seed %d", seed)
                .isEqualTo(run.to());
    }

    private LiveProcess watch(TardisNode node) {
        return node.command("watch", "--all", "--position", positionFile().toString())
                .start(output());
    }

    private Path output() {
        runs++;
        return lab.scratch().folder("watch").resolve("out" + runs);
    }

    private Path positionFile() {
        return lab.scratch().folder("watch").resolve("position");
    }

    /** What the subscriber noted; 0 if nothing yet. */
    private long position() {
        try {
            Path file = positionFile();
            return Files.exists(file)
                    ? Long.parseLong(Files.readAllLines(file).get(1).split(" ", -1)[0])
                    : 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> printed(LiveProcess watch) {
        return watch.lines().stream()
                .filter(line -> line.contains(" exited with "))
                .map(line -> line.split(" ", -1)[1])
                .toList();
    }

    private static String name(JsonNode event) {
        return event.path("namespace").asString() + "/" + event.path("container_id").asString();
    }

    private static long seq(JsonNode event) {
        return event.path("seq").asLong();
    }
}
