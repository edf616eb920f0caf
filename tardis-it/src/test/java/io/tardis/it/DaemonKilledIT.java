package io.tardis.it;

import static io.tardis.it.TardisNode.LATE_REPORT;
import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** SIGKILL to the daemon, at any moment of a running load. */
@RequiresContainers
class DaemonKilledIT {

    private static final int AT_A_TIME = 4;
    private static final int LONGEST_LIFE_MILLIS = 1500;

    @RegisterExtension final Lab lab = Lab.withTardis();

    private final AtomicInteger begun = new AtomicInteger();
    private final AtomicBoolean enough = new AtomicBoolean();
    private final List<Outcome> unwell = new ArrayList<>();
    private final Map<String, Integer> promised = new TreeMap<>();

    @ContainerTest
    @Timeout(3600)
    void takesNoAnswerBackAndGivesNoWrongOne() throws InterruptedException {
        int kills = Load.size("kills", 3);
        long seed = Load.seed();
        Random random = new Random(seed);
        ConcurrentLinkedQueue<Outcome> failed = new ConcurrentLinkedQueue<>();
        Container across = lab.container("across").enabled();
        across.startEndingWith(5);

        List<String> answers;
        try (LiveProcess waiting = waitAgainAndAgainFor(across);
                LiveProcess client = client();
                ExecutorService pool = Executors.newFixedThreadPool(AT_A_TIME)) {
            for (int i = 0; i < AT_A_TIME; i++) {
                pool.execute(() -> runContainers(failed));
            }
            try {
                for (int i = 0; i < kills; i++) {
                    bringUp(random.nextBoolean());
                    // The random point of the kill; a wait for a condition would choose it.
                    TimeUnit.MILLISECONDS.sleep(random.nextInt(LONGEST_LIFE_MILLIS));
                    lab.tardis().killDaemon();
                }
            } finally {
                enough.set(true);
            }
            bringUp(true);
            String last = lastCode();
            client.awaitLine("answer after the last start", SOON, last::equals);
            answers = client.lines();
            across.end();
            assertThat(waiting.awaitExit(SOON)).isEqualTo(0);
            assertPrintedTheCodeOrNone(waiting.lines());
        }
        unwell.addAll(failed);
        notePromises(answers);

        Load load = Load.of(lab, begun.get());
        System.out.printf(
                "%d kills, seed %d: %d containers, %d answers noted, sources of codes %s%n",
                kills, seed, begun.get(), promised.size(), load.sources(lab.tardis()));
        assertThat(promised).as("answers noted, seed %d", seed).isNotEmpty();
        assertThat(answers)
                .as("answers during the load, seed %d", seed)
                .noneMatch(line -> line.startsWith("broken"));
        assertThat(unwell).as("containers that suffered, seed %d", seed).isEmpty();
        assertThat(load.unsafe(lab.tardis())).as("seed %d", seed).isEmpty();
        assertThat(broken()).as("answers taken back, seed %d", seed).isEmpty();
        // A start or a delete that was missed, too, is noticed.
        Wait.until(
                () -> "end of " + load.unsettled(lab.tardis()) + ", seed " + seed,
                LATE_REPORT.plus(SOON),
                () -> load.unsettled(lab.tardis()).isEmpty());
    }

    @ContainerTest
    @Timeout(300)
    void waiterIsAnsweredByTheNextDaemon() {
        lab.tardis().with("TARDIS_LOG_LEVEL", "debug").bringUpDaemon();
        Container container = lab.container("tc").enabled();
        container.startEndingWith(5);

        try (LiveProcess waiting = lab.tardis().waitFor(container)) {
            Wait.until(
                    "question of the waiter",
                    SOON,
                    () ->
                            lab.tardis()
                                    .log()
                                    .lines()
                                    .anyMatch(line ->
                                            line.contains("waits for the end of " + container)));
            lab.tardis().killDaemon();
            bringUp(true);
            // It answers a moment before it receives events and watches processes.
            lab.tardis().awaitReceiving(lab.container("probe"));
            container.end();

            // If the question was lost with the first daemon, it is asked again when its time is
            // over.
            assertThat(waiting.awaitExit(SOON)).isEqualTo(0);
            assertThat(waiting.output()).isEqualTo("5\n");
        }
    }

    /**
     * {@code tardis wait}, and once more whenever it ends because no daemon answers: it asks again
     * only once where its first question was forgotten.
     */
    private LiveProcess waitAgainAndAgainFor(Container container) {
        List<String> wait = lab.tardis().command("wait", container.name()).argv();
        return Command.of(
                        "/bin/sh",
                        "-c",
                        "until " + String.join(" ", wait) + "; do echo \"ended with $?\"; done")
                .with(lab.tardis().environment())
                .start(lab.scratch().folder("clients").resolve("wait"));
    }

    /**
     * The code in the end, and before that, any number of times, that no daemon answers: the daemon
     * is killed at random moments.
     */
    private void assertPrintedTheCodeOrNone(List<String> lines) {
        List<String> before = lines.subList(0, lines.size() - 1);
        System.out.printf(
                "the waiter printed %d times that no daemon answers%n",
                before.stream().filter("ended with 3"::equals).count());
        assertThat(lines.getLast()).isEqualTo("5");
        assertThat(before)
                .allMatch(line ->
                        line.equals("ended with 3")
                                || line.startsWith(
                                        "tardis: no answer from "
                                                + lab.tardis().setting("TARDIS_QUERY_ENDPOINT")));
    }

    /**
     * Of a container that ends after the last start: a client that has its answer has all before.
     */
    private String lastCode() {
        Container last = lab.container("last").enabled();
        lab.tardis().awaitReceiving(lab.container("probe"));
        assertThat(last.sh("exit 3").code()).isEqualTo(3);
        return "last 3";
    }

    private void runContainers(ConcurrentLinkedQueue<Outcome> failed) {
        while (!enough.get()) {
            int number = begun.getAndIncrement();
            Container container = Load.container(lab, number);
            leaveCheckpoint(container);
            Outcome outcome = container.sh("exit " + Load.code(number));
            if (outcome.code() != Load.code(number)) {
                failed.add(outcome);
            }
        }
    }

    /**
     * Only a clean-up removes it: a container whose create found no daemon was never registered,
     * and has nothing else to show that it was not cleaned up.
     */
    private void leaveCheckpoint(Container container) {
        try {
            Files.createDirectories(lab.tardis().checkpointDir(container));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** By hand, or by the next container. */
    private void bringUp(boolean byHand) {
        if (byHand) {
            lab.tardis().bringUpDaemon();
        } else {
            lab.tardis().awaitDaemon();
        }
    }

    /** A client that notes every answer, and compares each later one. */
    private LiveProcess client() {
        return Command.of(
                        Machine.PYTHON,
                        TardisNode.script("promises.py").toString(),
                        lab.tardis().setting("TARDIS_QUERY_ENDPOINT"))
                .start(lab.scratch().folder("clients").resolve("promises"));
    }

    private void notePromises(List<String> lines) {
        for (String line : lines) {
            List<String> words = List.of(line.split(" ", -1));
            if (words.size() == 2) {
                promised.put(words.getFirst(), Integer.valueOf(words.getLast()));
            }
        }
    }

    private List<String> broken() {
        List<String> ids = List.copyOf(promised.keySet());
        List<JsonNode> answers =
                ids.isEmpty()
                        ? List.of()
                        : lab.tardis().exitCodes(ids.stream().map(lab::container).toList());
        List<String> broken = new ArrayList<>();
        for (int i = 0; i < ids.size(); i++) {
            int before = promised.getOrDefault(ids.get(i), -1);
            if (answers.get(i).path("exit_code").asInt(-1) != before) {
                broken.add(before + " before: " + answers.get(i));
            }
        }
        return broken;
    }
}
