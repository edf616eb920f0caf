package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** Two hundred short containers, eight at a time. */
@RequiresContainers
class ManyContainersIT {

    private static final int CONTAINERS = 200;
    private static final int AT_A_TIME = 8;

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    @Timeout(600)
    void cleansUpAfterEveryZeroAndKeepsEveryThree()
            throws InterruptedException, ExecutionException {
        List<Container> containers = new ArrayList<>();
        for (int i = 0; i < CONTAINERS; i++) {
            containers.add(lab.container("tc" + i).enabled());
        }

        try (ExecutorService pool = Executors.newFixedThreadPool(AT_A_TIME)) {
            List<Future<Outcome>> runs = new ArrayList<>();
            for (int i = 0; i < CONTAINERS; i++) {
                Container container = containers.get(i);
                int code = code(i);
                runs.add(pool.submit(() -> container.sh("exit " + code)));
            }
            for (int i = 0; i < CONTAINERS; i++) {
                assertThat(runs.get(i).get().code()).isEqualTo(code(i));
            }
        }

        List<JsonNode> answers = answers(containers);
        List<String> wrong = new ArrayList<>();
        for (int i = 0; i < CONTAINERS; i++) {
            Container container = containers.get(i);
            boolean right =
                    answers.get(i).path("status").asString().equals("exited")
                            && answers.get(i).path("exit_code").asInt(-1) == code(i)
                            && lab.tardis().isCleaned(container) == (code(i) == 0)
                            && lab.tardis().isKept(container) == (code(i) != 0)
                            && !lab.tardis().isRegistered(container);
            if (!right) {
                wrong.add(
                        container
                                + " ended with "
                                + code(i)
                                + (lab.tardis().isCleaned(container)
                                        ? ", cleaned"
                                        : ", not cleaned")
                                + (lab.tardis().isKept(container) ? ", kept" : ", not kept")
                                + ", answer "
                                + answers.get(i));
            }
        }
        assertThat(wrong).isEmpty();
    }

    private static int code(int index) {
        return index % 2 == 0 ? 0 : 3;
    }

    private List<JsonNode> answers(List<Container> containers) {
        return lab.tardis()
                .askAll(
                        containers.stream()
                                .map(container ->
                                        "{\"op\":\"exit_code\",\"namespace\":\"default\",\"container_id\":\"%s\"}"
                                                .formatted(container.id()))
                                .toArray(String[]::new));
    }
}
