package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/**
 * Lives for as long as is asked for, {@code scripts/soak.sh}: what the daemon takes does not grow
 * with them. Some containers live again and again, ending with 0 and with 3 in turn.
 */
@RequiresContainers
class SoakIT {

    private static final int AT_A_TIME = 8;
    private static final int CONTAINERS_OF_EACH = 10;

    private static final long MIB = 1024 * 1024;

    @RegisterExtension final Lab lab = Lab.withTardis();

    private final AtomicInteger begun = new AtomicInteger();
    private final AtomicInteger over = new AtomicInteger();
    private final ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();

    /** What the daemon takes at a moment. */
    private record Sample(
            long seconds,
            int lives,
            long residentMiB,
            int descriptors,
            int threads,
            int children,
            long files,
            long walMiB) {

        static final String HEAD =
                "seconds  lives  resident MiB  descriptors  threads  children  files  WAL MiB";

        String line() {
            return "%7d %6d %13d %12d %8d %9d %6d %8d"
                    .formatted(
                            seconds,
                            lives,
                            residentMiB,
                            descriptors,
                            threads,
                            children,
                            files,
                            walMiB);
        }
    }

    @ContainerTest
    @Timeout(6 * 3600)
    void takesNoMoreTheLongerItRuns() throws InterruptedException {
        int lives = Load.size("lives", 50);
        Duration time = Duration.ofMinutes(Load.size("minutes", 0));
        List<Sample> samples = new ArrayList<>();
        assertThat(container(AT_A_TIME, 0).sh("exit 0").code()).isEqualTo(0); // starts the daemon
        Proc daemon = lab.tardis().runningDaemon();

        long begin = System.nanoTime();
        System.out.println(Sample.HEAD);
        try (ExecutorService pool = Executors.newFixedThreadPool(AT_A_TIME)) {
            for (int worker = 0; worker < AT_A_TIME; worker++) {
                int number = worker;
                pool.execute(() -> live(number, lives, begin, time));
            }
            pool.shutdown();
            long interval = time.isZero() ? 500 : 10_000;
            while (!pool.awaitTermination(interval, TimeUnit.MILLISECONDS)) {
                samples.add(sample(daemon, begin));
            }
        }

        assertThat(wrong).isEmpty();
        assertThat(over).hasValue(lives);
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        Wait.until(
                "all " + lives + " exits in the log",
                SOON,
                () -> lab.tardis().replayAll().size() == lives + 1);
        assertThat(codes()).isEqualTo(expected(lives));
        assertFlat("resident MiB", samples, Sample::residentMiB, 16);
        assertFlat("descriptors", samples, Sample::descriptors, 6);
        assertFlat("threads", samples, Sample::threads, 3);
        assertFlat("children", samples, Sample::children, 0);
        // A container that ended with 3 keeps its directory, and a file in it.
        assertFlat("files", samples, Sample::files, 2L * AT_A_TIME * CONTAINERS_OF_EACH);
        assertFlat("WAL MiB", samples, Sample::walMiB, 4);
    }

    private void live(int worker, int lives, long begin, Duration time) {
        List<Container> containers = new ArrayList<>();
        for (int i = 0; i < CONTAINERS_OF_EACH; i++) {
            containers.add(container(worker, i));
        }
        for (int own = 0; ; own++) {
            int number = begun.getAndIncrement();
            if (number >= lives || !wrong.isEmpty()) {
                return;
            }
            pause(begin + time.toNanos() / lives * number - System.nanoTime());
            Container container = containers.get(own % CONTAINERS_OF_EACH);
            int code = code(own % CONTAINERS_OF_EACH, own / CONTAINERS_OF_EACH);
            try {
                Outcome outcome = container.sh("exit " + code);
                boolean right =
                        code == 0
                                ? lab.tardis().isCleaned(container)
                                : lab.tardis().isKept(container);
                if (outcome.code() != code || !right) {
                    wrong.add(container + " should have ended with " + code + ": " + outcome);
                }
            } catch (RuntimeException e) {
                wrong.add(container + ": " + e);
            }
            over.incrementAndGet();
        }
    }

    private static void pause(long nanos) {
        try {
            TimeUnit.NANOSECONDS.sleep(nanos);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Container container(int worker, int number) {
        return lab.container("soak" + worker + "-" + number).enabled();
    }

    /** Half of the containers begin with the one, half with the other. */
    private static int code(int container, int life) {
        return (container + life) % 2 == 0 ? 0 : 3;
    }

    /** How often each container ended with which codes, in their order. */
    private Map<String, List<Integer>> codes() {
        Map<String, List<Integer>> codes = new TreeMap<>();
        for (JsonNode event : lab.tardis().replayAll()) {
            codes.computeIfAbsent(event.path("container_id").asString(), _ -> new ArrayList<>())
                    .add(event.path("exit_status").asInt(-1));
        }
        return codes;
    }

    /** The codes of the same containers, in turn: which one lived how often is for them to say. */
    private Map<String, List<Integer>> expected(int lives) {
        Map<String, List<Integer>> expected = new TreeMap<>();
        int all = 0;
        for (var entry : codes().entrySet()) {
            List<Integer> inTurn = new ArrayList<>();
            for (int life = 0; life < entry.getValue().size(); life++) {
                inTurn.add(code(numberOf(entry.getKey()), life));
            }
            all += inTurn.size();
            expected.put(entry.getKey(), inTurn);
        }
        assertThat(all).isEqualTo(lives + 1);
        return expected;
    }

    private static int numberOf(String container) {
        return Integer.parseInt(container.substring(container.indexOf('-') + 1));
    }

    private Sample sample(Proc daemon, long begin) {
        Sample sample =
                new Sample(
                        TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - begin),
                        over.get(),
                        daemon.residentBytes() / MIB,
                        daemon.descriptors().size(),
                        daemon.threads(),
                        daemon.children(),
                        files(lab.tardis().stateDir())
                                + files(Path.of(lab.tardis().setting("TARDIS_RUN_DIR"))),
                        size(lab.tardis().stateDir().resolve("exits.db-wal")) / MIB);
        System.out.println(sample.line());
        return sample;
    }

    private static long size(Path file) {
        try {
            return Files.exists(file) ? Files.size(file) : 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Counts what comes and goes while it is looked at. */
    private static long files(Path directory) {
        long files = 0;
        List<Path> left = new ArrayList<>(List.of(directory));
        while (!left.isEmpty()) {
            try (Stream<Path> entries = Files.list(left.removeLast())) {
                for (Path entry : entries.toList()) {
                    files++;
                    if (Files.isDirectory(entry)) {
                        left.add(entry);
                    }
                }
            } catch (NoSuchFileException e) {
                files--; // it was cleaned up
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return files;
    }

    /** Of the second quarter, when all is warm, and the last one. */
    private static void assertFlat(
            String what, List<Sample> samples, ToLongFunction<Sample> value, long tolerance) {
        int quarter = samples.size() / 4;
        assertThat(quarter).as("samples: %s", samples).isPositive();
        long early = median(samples.subList(quarter, 2 * quarter), value);
        long late = median(samples.subList(samples.size() - quarter, samples.size()), value);
        assertThat(late)
                .as("%s, of which there were %d before", what, early)
                .isLessThanOrEqualTo(early + early / 10 + tolerance);
    }

    private static long median(List<Sample> samples, ToLongFunction<Sample> value) {
        return samples.stream().mapToLong(value).sorted().toArray()[samples.size() / 2];
    }
}
