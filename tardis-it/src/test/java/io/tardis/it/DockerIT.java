package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Docker's containers with {@code TARDIS_RECORD=all} and nothing else: Docker runs plain runc. Some
 * run beside {@code ctr}'s.
 */
@RequiresContainers
@Timeout(600)
class DockerIT {

    private static final int BUSY = 8;

    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_RECORD", "all");

    private Dockerd docker;

    @BeforeEach
    void startDocker() {
        docker = Dockerd.orSkip(lab.scratch(), lab.containerd());
    }

    @AfterEach
    void closeDocker() {
        if (docker != null) {
            docker.close();
        }
    }

    @ContainerTest
    void showsAContainerByItsNameWhileItRunsAndAfterwards() {
        startDaemon();
        String id = docker.run("web", "trap 'exit 5' TERM; sleep 600 & wait");
        Wait.until(
                "web in ls", SOON, () -> listed("web").path("status").asString().equals("running"));
        assertThat(listed("web").path("container_id").asString()).isEqualTo(id);

        docker.docker("kill", "--signal", "TERM", "web").orFail();

        assertThat(lab.tardis().tardis("wait", "web").out().strip()).isEqualTo("5");
        JsonNode ended = listed("web");
        assertThat(ended.path("exit_code").asInt(-1)).as("%s", ended).isEqualTo(5);
        assertThat(ended.path("source").asString()).as("%s", ended).isEqualTo("kernel");
        assertThat(ended.path("oom_killed").asBoolean(true)).as("%s", ended).isFalse();
        assertThat(ended.path("about").path("image").asString()).isEqualTo(Dockerd.IMAGE);
        assertThat(ended.path("usage").path("memory_peak").asLong()).as("%s", ended).isPositive();
        assertThat(ended.path("duration_ms").asLong()).as("%s", ended).isPositive();
        assertThat(lab.tardis().tardis("get", id.substring(0, 12)).out().strip()).isEqualTo("5");
        assertThat(lab.tardis().tardis("show", "web").out()).contains("web", Dockerd.IMAGE);
    }

    @ContainerTest
    void findsByItsNameWhatRanBeforeTheDaemonDid() {
        String _ = docker.run("early", "sleep 600");
        startDaemon();
        Wait.until(
                "early in ls",
                SOON,
                () -> listed("early").path("status").asString().equals("running"));

        docker.docker("kill", "early").orFail();

        assertThat(lab.tardis().tardis("wait", "early").out().strip()).isEqualTo("137");
        JsonNode ended = listed("early");
        assertThat(ended.path("signal").asInt(-1)).as("%s", ended).isEqualTo(9);
        assertThat(ended.path("usage").has("memory_peak")).as("%s", ended).isTrue();
    }

    @ContainerTest
    void knowsThatMemoryKilledAContainer() {
        startDaemon();
        String _ = docker.run("eater", "exec " + KernelWitnessIT.EAT, "--memory", "16m");

        assertThat(lab.tardis().tardis("wait", "eater").out().strip()).isEqualTo("137");

        JsonNode ended = listed("eater");
        assertThat(ended.path("oom_killed").asBoolean()).as("%s", ended).isTrue();
        assertThat(ended.path("usage").path("memory_limit").asLong()).isEqualTo(16 << 20);
        assertThat(ended.path("usage").path("memory_peak").asLong())
                .as("%s", ended)
                .isBetween(15L << 20, 16L << 20);
    }

    /** Every second one is Docker's. */
    @ContainerTest
    void everyCodeOfManyIsRightAndMostAreTheKernels() throws Exception {
        startDaemon();
        int many = Load.size("containers", 16);
        Path ids = lab.scratch().folder("ids");
        List<Future<Integer>> codes = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(BUSY)) {
            for (int i = 0; i < many; i++) {
                String name = "short" + i;
                String script = "exit " + i % 200;
                boolean isDockers = i % 2 == 0;
                codes.add(
                        pool.submit(() ->
                                isDockers
                                        ? docker.runToItsEnd(ids.resolve(name), script)
                                        : plain(name).sh(script).code()));
            }
        }
        int byKernel = 0;
        int measured = 0;
        for (int i = 0; i < many; i++) {
            // By its id: its name is not known where the machine was too busy to read it in time.
            String id = i % 2 == 0 ? Files.readString(ids.resolve("short" + i)) : "short" + i;
            assertThat(codes.get(i).get()).isEqualTo(i % 200);
            assertThat(lab.tardis().tardis("wait", "--timeout", "20s", id).orFail().text())
                    .isEqualTo(Integer.toString(i % 200));
            JsonNode ended = listed(id);
            byKernel += ended.path("source").asString().equals("kernel") ? 1 : 0;
            measured += ended.path("usage").has("memory_peak") ? 1 : 0;
        }
        System.out.printf(
                "ctr and Docker: %d containers, %d codes by the kernel, %d measured%n",
                many, byKernel, measured);
        // How many depends on how soon ctr reports a create, on a machine that others use, too.
        assertThat(byKernel).isGreaterThan(many / 2);
        assertThat(measured).isGreaterThan(many / 2);
    }

    /** What {@code ls} says of the container with a name or an id; nothing if it does not. */
    private JsonNode listed(String name) {
        JsonNode list =
                JsonMapper.shared()
                        .readTree(lab.tardis().tardis("ls", "--all", "-o", "json").orFail().out());
        return list.path("containers")
                .valueStream()
                .filter(it ->
                        it.path("about").path("name").asString("").equals(name)
                                || it.path("container_id").asString().equals(name))
                .findFirst()
                .orElseGet(JsonMapper.shared()::createObjectNode);
    }

    private void startDaemon() {
        LiveProcess _ = lab.tardis().startDaemon();
        lab.tardis().awaitReceiving(plain("probe"));
    }

    private Container plain(String id) {
        return new Container(lab.containerd(), Programs.find("runc").toString(), "default", id);
    }
}
