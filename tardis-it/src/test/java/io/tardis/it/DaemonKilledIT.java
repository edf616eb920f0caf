package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
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

    private static final Duration SOON = Duration.ofSeconds(30);
    private static final int ANOTHER_RUNS = 4;
    private static final int AT_A_TIME = 4;
    private static final int LONGEST_LIFE_MILLIS = 1500;

    @RegisterExtension final Lab lab = Lab.withTardis();

    private final AtomicInteger begun = new AtomicInteger();
    private final AtomicBoolean enough = new AtomicBoolean();
    private final List<Outcome> unwell = new ArrayList<>();
    private final Map<String, Integer> promised = new TreeMap<>();

    @ContainerTest
    @Timeout(3600)
    void takesNoAnswerBackAndMakesNoneUp() throws InterruptedException {
        int kills = Load.size("kills", 5);
        long seed = Load.seed();
        Random random = new Random(seed);
        ConcurrentLinkedQueue<Outcome> failed = new ConcurrentLinkedQueue<>();
        // One that is started by hand while a container starts one.
        lab.expectErrors("already runs");

        try (ExecutorService pool = Executors.newFixedThreadPool(AT_A_TIME)) {
            for (int i = 0; i < AT_A_TIME; i++) {
                pool.execute(() -> runContainers(failed));
            }
            try {
                for (int i = 0; i < kills; i++) {
                    bringUp(random.nextBoolean());
                    // The random point of the kill; a wait for a condition would choose it.
                    TimeUnit.MILLISECONDS.sleep(random.nextInt(LONGEST_LIFE_MILLIS));
                    notePromises();
                    lab.tardis().killDaemon();
                }
            } finally {
                enough.set(true);
            }
        }
        unwell.addAll(failed);
        bringUp(true);

        Load load = Load.of(lab, begun.get());
        System.out.printf(
                "%d kills, seed %d: %d containers, sources of their codes %s%n",
                kills, seed, begun.get(), load.sources(lab.tardis()));
        assertThat(unwell).as("containers that suffered, seed %d", seed).isEmpty();
        assertThat(load.unsafe(lab.tardis())).as("seed %d", seed).isEmpty();
        assertThat(broken()).as("answers taken back, seed %d", seed).isEmpty();
        assertThat(load.unsettled(lab.tardis())).as("seed %d", seed).isEmpty();
    }

    private void runContainers(ConcurrentLinkedQueue<Outcome> failed) {
        while (!enough.get()) {
            int number = begun.getAndIncrement();
            Outcome outcome = Load.container(lab, number).sh("exit " + Load.code(number));
            if (outcome.code() != Load.code(number)) {
                failed.add(outcome);
            }
        }
    }

    /** By hand, or by the next container. */
    private void bringUp(boolean byHand) {
        if (byHand) {
            // A container may have been faster: then another one runs already.
            Outcome begin = lab.tardis().tardis("daemon", "--background");
            assertThat(begin.code()).as("%s", begin).isIn(0, ANOTHER_RUNS);
        }
        Wait.until(
                () -> "daemon; log:\n" + lab.tardis().log(),
                SOON,
                () -> lab.tardis().tardis("status").code() == 0);
    }

    /** What is answered now, and must be answered for ever. */
    private void notePromises() {
        JsonNode list = lab.tardis().ask("{\"op\":\"list\",\"limit\":10000}");
        for (JsonNode container : list.path("containers")) {
            if (container.path("status").asString().equals("exited")
                    && container.path("durable").asBoolean(true)) {
                promised.put(
                        container.path("container_id").asString(),
                        container.path("exit_code").asInt());
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
            if (answers.get(i).path("exit_code").asInt(-1) != promised.get(ids.get(i))) {
                broken.add(promised.get(ids.get(i)) + " before: " + answers.get(i));
            }
        }
        return broken;
    }
}
