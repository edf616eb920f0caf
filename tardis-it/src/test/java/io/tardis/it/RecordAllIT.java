package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** Containers that are run by plain runc, with {@code TARDIS_RECORD=all} and nothing else. */
@RequiresContainers
@Timeout(300)
class RecordAllIT {

    private static final int BUSY = 8;
    private static final String MEMORY = Integer.toString(16 << 20);

    private static final String IMAGE = "docker.io/library/tardis-it:1";

    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_RECORD", "all");

    @ContainerTest
    void recordsAContainerFromItsCreate() {
        startDaemon();
        Container container = plain("tc");
        container.startEndingWith(5);
        Wait.until("running", SOON, () -> lab.tardis().status(container).equals("running"));
        JsonNode running = lab.tardis().exitCode(container);
        assertThat(running.path("about").path("command").asString()).isEqualTo("sh");

        container.end();

        lab.tardis().awaitCode(container, 5, SOON);
        JsonNode ended = lab.tardis().exitCode(container);
        assertThat(ended.path("source").asString()).as("%s", ended).isEqualTo("kernel");
        assertThat(ended.path("about")).isEqualTo(running.path("about"));
        assertThat(ended.path("usage").path("memory_peak").asLong()).as("%s", ended).isPositive();
        assertThat(ended.path("usage").path("cpu_us").asLong()).as("%s", ended).isPositive();
        assertThat(ended.path("duration_ms").asLong()).as("%s", ended).isPositive();
        assertThat(lab.tardis().isRegistered(container)).isFalse();
    }

    /**
     * By plain runc, and by the shim: containerd alone knows the image of what {@code ctr} runs.
     */
    @ContainerTest
    void recordsTheImageOfWhatCtrRuns() {
        Image.importAs(IMAGE, lab.containerd());
        startDaemon();
        Container container = plain("imaged");
        Container enabled = lab.container("enabled").enabled();

        assertThat(container.runImage(IMAGE, "/bin/sh", "-c", "exit 3").code()).isEqualTo(3);
        assertThat(enabled.runImage(IMAGE, "/bin/sh", "-c", "exit 4").code()).isEqualTo(4);
        assertThat(container.sh("exit 5").code()).as("no image").isEqualTo(5);

        assertThat(images(container, 2)).containsExactly(IMAGE, "");
        assertThat(images(enabled, 1)).containsExactly(IMAGE);
    }

    private List<String> images(Container container, int exits) {
        Wait.until("exits", SOON, () -> lab.tardis().published(container).size() == exits);
        return lab.tardis().published(container).stream()
                .map(it -> it.path("about").path("image").asString(""))
                .toList();
    }

    @ContainerTest
    void findsWhatRanBeforeTheDaemonDid() {
        Container container = plain("tc");
        container.startEndingWith(7);

        startDaemon();
        Wait.until("running", SOON, () -> lab.tardis().status(container).equals("running"));
        container.end();

        lab.tardis().awaitCode(container, 7, SOON);
        JsonNode ended = lab.tardis().exitCode(container);
        assertThat(ended.path("source").asString()).as("%s", ended).isEqualTo("kernel");
        assertThat(ended.path("about").path("command").asString()).isEqualTo("sh");
        assertThat(ended.path("usage").has("memory_peak")).as("%s", ended).isTrue();
        assertThat(lab.tardis().published(container)).hasSize(1);
    }

    @ContainerTest
    void knowsAnEndWhileContainerdIsDown() {
        startDaemon();
        Container container = plain("tc");
        container.startEndingWith(6);
        Wait.until("running", SOON, () -> lab.tardis().status(container).equals("running"));

        Proc init = lab.containerd().initOf(container).orElseThrow();

        lab.containerd().kill();
        init.signal("TERM");

        lab.tardis().awaitCode(container, 6, SOON);
    }

    /** A container is known again after a restart, and no other life is begun for it. */
    @ContainerTest
    void goesOnAfterARestartOfTheDaemon() {
        startDaemon();
        Container container = plain("tc");
        container.startEndingWith(9);
        Wait.until("running", SOON, () -> lab.tardis().status(container).equals("running"));
        String life = lab.tardis().exitCode(container).path("life").asString();

        lab.tardis().killDaemon();
        startDaemon();
        container.end();

        lab.tardis().awaitCode(container, 9, SOON);
        JsonNode ended = lab.tardis().exitCode(container);
        assertThat(ended.path("life").asString()).isEqualTo(life);
        assertThat(ended.path("source").asString()).as("%s", ended).isEqualTo("kernel");
        assertThat(ended.path("about").path("command").asString()).isEqualTo("sh");
    }

    @ContainerTest
    void everyCodeOfManyIsRightAndMostAreTheKernels() throws Exception {
        startDaemon();
        int many = Load.size("containers", 32);
        List<Container> containers = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(BUSY)) {
            List<Future<Outcome>> runs = new ArrayList<>();
            for (int i = 0; i < many; i++) {
                Container container = plain("short" + i);
                int code = i % 200;
                containers.add(container);
                runs.add(pool.submit(() -> container.sh("exit " + code)));
            }
            for (int i = 0; i < many; i++) {
                assertThat(runs.get(i).get().code()).isEqualTo(i % 200);
            }
        }
        int byKernel = 0;
        int measured = 0;
        for (int i = 0; i < many; i++) {
            lab.tardis().awaitCode(containers.get(i), i % 200, SOON);
            JsonNode answer = lab.tardis().exitCode(containers.get(i));
            byKernel += answer.path("source").asString().equals("kernel") ? 1 : 0;
            measured += answer.path("usage").has("memory_peak") ? 1 : 0;
        }
        System.out.printf(
                "plain runc: %d containers, %d codes by the kernel, %d measured%n",
                many, byKernel, measured);
        // How many depends on how soon ctr reports a create, on a machine that others use, too.
        assertThat(byKernel).isGreaterThan(many / 2);
        assertThat(measured).isGreaterThan(many / 2);
    }

    @ContainerTest
    void knowsADeathForWantOfMemoryByTheKernelsCounter() {
        startDaemon();
        Container main = plain("main").option("--memory-limit", MEMORY);
        Container child = plain("child").option("--memory-limit", MEMORY);
        Container other = plain("other").option("--memory-limit", MEMORY);

        Outcome killed = main.sh("exec " + KernelWitnessIT.EAT);
        assertThat(killed.code()).as("%s", killed).isEqualTo(137);
        assertThat(child.sh(KernelWitnessIT.EAT + "; exit 0").code()).isZero();
        assertThat(other.sh("exit 137").code()).isEqualTo(137);

        lab.tardis().awaitCode(main, 137, SOON);
        lab.tardis().awaitCode(child, 0, SOON);
        lab.tardis().awaitCode(other, 137, SOON);
        assertOom(main, true);
        assertOom(child, true);
        assertOom(other, false);
        JsonNode usage = lab.tardis().exitCode(main).path("usage");
        assertThat(usage.path("memory_limit").asLong()).isEqualTo(16 << 20);
        assertThat(usage.path("memory_peak").asLong()).isBetween(15L << 20, 16L << 20);
    }

    private void assertOom(Container container, boolean killed) {
        JsonNode answer = lab.tardis().exitCode(container);
        assertThat(answer.path("oom_killed").asBoolean()).as("%s", answer).isEqualTo(killed);
        assertThat(answer.path("usage").path("oom_kills").asLong(-1))
                .as("%s", answer)
                .isEqualTo(killed ? 1 : 0);
    }

    private void startDaemon() {
        LiveProcess _ = lab.tardis().startDaemon();
        lab.tardis().awaitReceiving(plain("probe"));
    }

    private Container plain(String id) {
        return new Container(lab.containerd(), Programs.find("runc").toString(), "default", id);
    }
}
