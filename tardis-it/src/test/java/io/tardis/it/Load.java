package io.tardis.it;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BiPredicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/**
 * Many short enabled containers, some at a time: every other one ends with 0, the rest with 3. How
 * many is a system property, so that a person can ask for more than a build has time for.
 */
final class Load {

    private final List<Container> containers;

    private Load(List<Container> containers) {
        this.containers = List.copyOf(containers);
    }

    /** The size of a test: {@code -Dtardis.it.NAME}, or the default. */
    static int size(String name, int byDefault) {
        return Integer.getInteger("tardis.it." + name, byDefault);
    }

    /** {@code -Dtardis.it.seed}, or another one each time. */
    static long seed() {
        String given = System.getProperty("tardis.it.seed", "");
        return given.isEmpty() ? new Random().nextLong() : Long.parseLong(given);
    }

    static Load of(Lab lab, int containers) {
        return new Load(IntStream.range(0, containers).mapToObj(i -> container(lab, i)).toList());
    }

    /** The same with ids that no other test of the lab has. */
    static Load fresh(Lab lab, int containers) {
        return new Load(
                IntStream.range(0, containers)
                        .mapToObj(_ -> lab.freshContainer().enabled())
                        .toList());
    }

    static Container container(Lab lab, int index) {
        return lab.container("load" + index).enabled();
    }

    List<Container> containers() {
        return containers;
    }

    static int code(int index) {
        return index % 2 == 0 ? 0 : 3;
    }

    /** Runs all to their ends, and fails if one of them suffered. */
    void run(int atATime) throws InterruptedException {
        List<String> unwell = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(atATime)) {
            List<Future<Outcome>> runs = new ArrayList<>();
            for (int i = 0; i < containers.size(); i++) {
                Container container = containers.get(i);
                int code = code(i);
                runs.add(pool.submit(() -> container.sh("exit " + code)));
            }
            for (int i = 0; i < runs.size(); i++) {
                Outcome outcome = runs.get(i).get();
                if (outcome.code() != code(i)) {
                    unwell.add("not " + code(i) + ": " + outcome);
                }
            }
        } catch (ExecutionException e) {
            throw new AssertionError("a container could not be run", e);
        }
        if (!unwell.isEmpty()) {
            throw new AssertionError(String.join("\n", unwell));
        }
    }

    /**
     * The same while the sources of the node, {@code ctr events}, are killed every 300 ms; then
     * what is to be done last, while they still are.
     */
    void runWhileCtrIsKilled(int atATime, TardisNode node, Runnable last)
            throws InterruptedException {
        CompletableFuture<Void> running =
                CompletableFuture.runAsync(() -> {
                    try {
                        run(atATime);
                        last.run();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
        while (!running.isDone()) {
            node.sources().forEach(source -> source.signal("KILL"));
            TimeUnit.MILLISECONDS.sleep(300); // between two kills
        }
        running.join();
    }

    /** What is not as it should be if every end was known at its delete; empty if all is. */
    List<String> wrong(TardisNode node) {
        return judged(
                node,
                (i, answer) ->
                        isExited(answer)
                                && answer.path("exit_code").asInt(-1) == code(i)
                                && node.isCleaned(containers.get(i)) == (code(i) == 0)
                                && node.isKept(containers.get(i)) == (code(i) != 0)
                                && !node.isRegistered(containers.get(i)));
    }

    /**
     * What must not be, whatever was killed meanwhile: a wrong code, or clean-up after anything but
     * 0.
     */
    List<String> unsafe(TardisNode node) {
        return judged(
                node,
                (i, answer) ->
                        (isExited(answer)
                                        ? answer.path("exit_code").asInt(-1) == code(i)
                                        : !answer.has("exit_code"))
                                && (code(i) == 0 || !node.isCleaned(containers.get(i))));
    }

    /** Those that are still answered to run, though they have ended. */
    List<String> unsettled(TardisNode node) {
        return judged(node, (_, answer) -> !answer.path("status").asString().equals("running"));
    }

    /** How many of the answers have which source; those without a code count as "none". */
    Map<String, Long> sources(TardisNode node) {
        return node.exitCodes(containers).stream()
                .collect(
                        Collectors.groupingBy(
                                answer -> answer.path("source").asString("none"),
                                TreeMap::new,
                                Collectors.counting()));
    }

    private List<String> judged(TardisNode node, BiPredicate<Integer, JsonNode> isRight) {
        List<JsonNode> answers = node.exitCodes(containers);
        List<String> wrong = new ArrayList<>();
        for (int i = 0; i < answers.size(); i++) {
            if (!isRight.test(i, answers.get(i))) {
                wrong.add(describe(node, i, answers.get(i)));
            }
        }
        return wrong;
    }

    private static boolean isExited(JsonNode answer) {
        return answer.path("status").asString().equals("exited");
    }

    /** What a person needs to know of one of them. */
    private String describe(TardisNode node, int index, JsonNode answer) {
        Container container = containers.get(index);
        return container
                + " ended with "
                + code(index)
                + (node.isCleaned(container) ? ", cleaned" : ", not cleaned")
                + (node.isKept(container) ? ", kept" : ", not kept")
                + (node.isRegistered(container) ? ", still registered" : "")
                + ", answer "
                + answer;
    }
}
