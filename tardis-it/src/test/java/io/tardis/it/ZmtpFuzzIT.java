package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Bytes of any kind on both ports harm no honest client beside them, and leave nothing behind. */
@RequiresContainers
class ZmtpFuzzIT {

    private static final long MEBIBYTE = 1 << 20;

    /**
     * The heap may be used up to its limit, and is not given back; what was announced is far more.
     */
    private static final long MORE_MEMORY = 256 * MEBIBYTE;

    private static final int SLOWEST_MILLIS = 2_000;
    private static final int THREADS = 2; // for each port

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    @Timeout(3600)
    void anyBytesHarmNobodyElse() throws Exception {
        harmsNobody(lab.tardis());
    }

    @ContainerTest
    @Timeout(3600)
    void anyBytesHarmNobodyElseWhereThereAreKeys() throws Exception {
        Path key = Path.of(lab.tardis().setting("TARDIS_CONFIG")).resolveSibling("own");
        Outcome _ = lab.tardis().tardis("keygen", key.toString()).orFail();
        harmsNobody(lab.tardis().with("TARDIS_CURVE_SECRET_KEY_FILE", key + ".key_secret"));
    }

    private void harmsNobody(TardisNode plain) throws Exception {
        int seconds = Load.size("fuzz", 30) / 2;
        long seed = Load.seed();
        System.out.printf("ZMTP fuzzing for %d s, seed %d%n", seconds, seed);
        TardisNode node = Flood.of(plain, 50 * seconds, seconds);
        node.bringUpDaemon();
        Proc daemon = node.runningDaemon();

        try (LiveProcess honest = node.honestClient()) {
            honest.awaitLine("first heartbeat", SOON, "ready"::equals);
            lab.scratch().folder("go");
            long memory = daemon.residentBytes();
            int descriptors = daemon.descriptors().size();
            int threads = daemon.threads();

            int sessions = fuzz(node, seed, System.nanoTime() + seconds * 1_000_000_000L);

            new Proc(honest.pid()).signal("USR1");
            String counts = honest.awaitLine("what it got", SOON, it -> it.startsWith("asked"));
            System.out.printf("%d sessions; the honest client %s%n", sessions, counts);
            List<String> words = List.of(counts.split(" ", -1));
            assertThat(sessions).isGreaterThan(10 * seconds);
            assertThat(Integer.parseInt(words.get(1))).as(counts).isGreaterThan(seconds);
            assertThat(Integer.parseInt(words.get(3))).as(counts).isLessThan(SLOWEST_MILLIS);
            assertThat(Integer.parseInt(words.get(5))).as(counts).isGreaterThan(seconds);
            assertThat(Integer.parseInt(words.get(7))).as(counts).isZero();
            assertThat(node.runningDaemon()).isEqualTo(daemon);
            Wait.until(
                    () -> "end of the connections: " + daemon.descriptors(),
                    SOON,
                    () -> daemon.descriptors().size() <= descriptors + 2);
            assertThat(daemon.threads()).isLessThanOrEqualTo(threads + 3);
            System.out.printf(
                    "daemon's memory: %d MiB before, %d MiB after%n",
                    memory / MEBIBYTE, daemon.residentBytes() / MEBIBYTE);
            assertThat(daemon.residentBytes() - memory).isLessThan(MORE_MEMORY);
        }
        Outcome _ = node.tardis("stop").orFail();
    }

    private static int fuzz(TardisNode node, long seed, long deadline) throws Exception {
        List<Future<Integer>> running = new ArrayList<>();
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            for (String endpoint : List.of("TARDIS_QUERY_ENDPOINT", "TARDIS_EVENTS_ENDPOINT")) {
                int port = node.port(endpoint);
                for (int i = 0; i < THREADS; i++) {
                    long own = seed + running.size();
                    running.add(threads.submit(() -> new ZmtpFuzzer(own, port).run(deadline)));
                }
            }
            int sessions = 0;
            for (Future<Integer> each : running) {
                sessions += each.get(1, TimeUnit.HOURS);
            }
            return sessions;
        }
    }
}
