package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/**
 * The kernel tells how processes end, whoever of containerd, its shim and {@code ctr} is gone, and
 * before delete begins: no wait for a code is needed there.
 */
@RequiresContainers
class KernelWitnessIT {

    private static final Duration SOON = Duration.ofSeconds(20);
    private static final int MOST_TRIES = 5;
    private static final String MEMORY = Integer.toString(16 << 20);

    @RegisterExtension
    static final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_DELETE_WAIT_MS", "0")
                    .setting("TARDIS_CTR_CMD", Valve::command);

    @BeforeAll
    static void kernelCanTell() {
        // Not Tardis is asked: a probe of its own that fails must not look like a kernel that
        // cannot tell.
        String answer =
                Command.of(Machine.PYTHON, TardisNode.script("kernel_probe.py").toString())
                        .run()
                        .orFail()
                        .text();
        assumeTrue(
                answer.equals("yes"), "this kernel does not report how processes end: " + answer);
    }

    @BeforeEach
    void daemonHears() {
        new Valve(lab.tardis()).open();
        lab.tardis().bringUpDaemon();
        assertThat(lab.tardis().log()).doesNotContain("does not report how processes end");
    }

    @ContainerTest
    @Timeout(1200)
    void everyCodeIsKnownAtDeleteWithoutAWait() throws InterruptedException {
        Load load = Load.fresh(lab, Load.size("containers", 16));

        load.run(8);

        assertThat(load.wrong(lab.tardis())).isEmpty();
        Map<String, Long> sources = load.sources(lab.tardis());
        System.out.println("no wait at delete: sources of codes " + sources);
        assertThat(sources)
                .as("the kernel is nearly always the first to tell")
                .hasEntrySatisfying(
                        "kernel",
                        told ->
                                assertThat(told)
                                        .isGreaterThanOrEqualTo(
                                                load.containers().size() * 9L / 10));
    }

    @ContainerTest
    @Timeout(1200)
    void everyCodeIsKnownWhileCtrIsKilledAgainAndAgain() throws InterruptedException {
        Load load = Load.fresh(lab, Load.size("containers", 16));
        Container waited = lab.freshContainer().enabled();
        waited.startEndingWith(5);
        Proc daemon = lab.tardis().runningDaemon();

        try (LiveProcess waiting = lab.tardis().waitFor(waited)) {
            load.runWhileCtrIsKilled(4, lab.tardis(), waited::end);

            assertThat(waiting.awaitExit(SOON)).isEqualTo(0);
            assertThat(waiting.output()).isEqualTo("5\n");
        }
        assertThat(load.wrong(lab.tardis())).isEmpty();
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
    }

    @ContainerTest
    void watchesLivingContainersAgainAfterARestart() {
        Container good = lab.freshContainer().enabled();
        Container bad = lab.freshContainer().enabled();
        good.startEndingWith(0);
        bad.startEndingWith(5);
        Proc goodInit = lab.containerd().initOf(good).orElseThrow();
        Proc badInit = lab.containerd().initOf(bad).orElseThrow();

        lab.tardis().killDaemon();
        beginDeaf(goodInit, badInit);
        try (LiveProcess waiting = lab.tardis().waitFor(bad)) {
            good.end();
            bad.end();

            assertThat(waiting.awaitExit(SOON)).isEqualTo(0);
            assertThat(waiting.output()).isEqualTo("5\n");
        }
        assertDecidedByTheKernel(good, bad);
    }

    @ContainerTest
    void tellsTheEndOfAContainerThatWasAZombieWhenTheDaemonWasStarted() {
        Container good = lab.freshContainer().enabled();
        Container bad = lab.freshContainer().enabled();
        good.startEndingWith(0);
        bad.startEndingWith(5);
        Proc goodInit = lab.containerd().initOf(good).orElseThrow();
        Proc badInit = lab.containerd().initOf(bad).orElseThrow();
        Proc goodShim = lab.containerd().shimOf(good);
        Proc badShim = lab.containerd().shimOf(bad);

        // A stopped shim does not reap its container.
        goodShim.signal("STOP");
        badShim.signal("STOP");
        goodInit.end();
        badInit.end();
        lab.tardis().killDaemon();
        beginDeaf(goodInit, badInit);
        try (LiveProcess waiting = lab.tardis().waitFor(bad)) {
            assertThat(lab.tardis().status(good)).isEqualTo("running");
            assertThat(lab.tardis().status(bad)).isEqualTo("running");
            goodShim.signal("CONT");
            badShim.signal("CONT");

            assertThat(waiting.awaitExit(SOON)).isEqualTo(0);
            assertThat(waiting.output()).isEqualTo("5\n");
        }
        assertDecidedByTheKernel(good, bad);
    }

    /** A daemon that watches these processes, and whose {@code ctr} tells nothing. */
    private void beginDeaf(Proc... inits) {
        lab.tardis().bringUpDaemon();
        Proc daemon = lab.tardis().runningDaemon();
        Wait.until(
                () -> "watch; pidfds of " + daemon.pidfds() + "; log:\n" + lab.tardis().log(),
                SOON,
                () -> daemon.pidfds().containsAll(Stream.of(inits).map(Proc::pid).toList()));
        // Only a source that is there can be killed.
        lab.tardis().awaitHearing(lab.container("probe"));
        new Valve(lab.tardis()).close();
    }

    private void assertDecidedByTheKernel(Container good, Container bad) {
        lab.tardis().awaitCode(good, 0, SOON);
        assertThat(good.remove()).isEqualTo(0);
        assertThat(bad.remove()).isEqualTo(5);
        assertExited(good, 0, "kernel");
        assertExited(bad, 5, "kernel");
        assertThat(lab.tardis().isCleaned(good)).isTrue();
        assertThat(lab.tardis().isKept(bad)).isTrue();
        assertThat(lab.tardis().published(good)).hasSize(1);
        assertThat(lab.tardis().published(bad)).hasSize(1);
    }

    @ContainerTest
    void answersWhileContainerdIsDownForASecond() throws InterruptedException {
        answersWhileContainerdIsDown(1);
    }

    @ContainerTest
    @Timeout(300)
    void answersWhileContainerdIsDownForLong() throws InterruptedException {
        answersWhileContainerdIsDown(Load.size("outage", 5));
    }

    private void answersWhileContainerdIsDown(int seconds) throws InterruptedException {
        Container good = lab.freshContainer().enabled();
        Container bad = lab.freshContainer().enabled();
        good.startEndingWith(0);
        bad.startEndingWith(5);
        Proc goodInit = lab.containerd().initOf(good).orElseThrow();
        Proc badInit = lab.containerd().initOf(bad).orElseThrow();

        long back;
        try (LiveProcess waiting = lab.tardis().waitFor(bad)) {
            lab.containerd().kill();
            back = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
            goodInit.end();
            badInit.end();

            assertThat(waiting.awaitExit(SOON)).isEqualTo(0);
            assertThat(waiting.output()).isEqualTo("5\n");
        }
        assertExited(good, 0, "kernel");
        assertExited(bad, 5, "kernel");

        TimeUnit.NANOSECONDS.sleep(back - System.nanoTime()); // the outage
        lab.containerd().start();
        lab.tardis().awaitHearing(lab.container("probe"));
        assertThat(good.removeAfterOutage().orElse(0)).isEqualTo(0);
        assertThat(bad.removeAfterOutage().orElse(5)).isEqualTo(5);
        assertThat(lab.tardis().isCleaned(good)).isTrue();
        assertThat(lab.tardis().isKept(bad)).isTrue();
        // What containerd told late, and told again at delete, is not published once more.
        assertThat(lab.tardis().published(good)).hasSize(1);
        assertThat(lab.tardis().published(bad)).hasSize(1);
    }

    @ContainerTest
    void tellsTheRealEndOfAContainerWhoseShimWasKilled() {
        Container container = lab.freshContainer().enabled();
        container.startEndingWith(0);

        lab.containerd().killShimOf(container);

        awaitWordOfTheKernel(container);
        assertExited(container, 137, "kernel");
        assertThat(lab.tardis().exitCode(container).path("signal").asInt()).isEqualTo(9);
        assertThat(lab.tardis().isKept(container)).isTrue();
    }

    @ContainerTest
    void tellsTheRealCodeWhereContainerdMakesOneUp() {
        Container container = lab.freshContainer().enabled();
        container.startEndingWith(5);
        Proc init = lab.containerd().initOf(container).orElseThrow();

        // A stopped shim does not reap its container; killed after that, it leaves containerd to
        // guess.
        lab.containerd().shimOf(container).signal("STOP");
        init.end();
        lab.containerd().killShimOf(container);

        awaitWordOfTheKernel(container);
        assertExited(container, 5, "kernel");
        assertThat(lab.tardis().exitCode(container).has("signal")).isFalse();
        Wait.until("delete", SOON, () -> lab.tardis().isKept(container));
        assertThat(lab.tardis().published(container))
                .as("only one that is not assumed")
                .filteredOn(event -> !event.path("source").asString().equals("assumed"))
                .hasSize(1);
    }

    @ContainerTest
    void knowsTheCodeOfAnExitThatCtrMissed() {
        Container good = lab.freshContainer().enabled();
        Container bad = lab.freshContainer().enabled();
        good.startEndingWith(0);
        bad.startEndingWith(4);
        Valve valve = new Valve(lab.tardis());

        valve.close();
        good.end();
        bad.end();
        assertThat(good.remove()).isEqualTo(0);
        assertThat(bad.remove()).isEqualTo(4);

        assertExited(good, 0, "kernel");
        assertExited(bad, 4, "kernel");
        assertThat(lab.tardis().isCleaned(good)).isTrue();
        assertThat(lab.tardis().isKept(bad)).isTrue();
        valve.open();
        lab.tardis().awaitHearing(lab.container("probe"));
        assertThat(lab.tardis().published(bad)).hasSize(1);
    }

    @ContainerTest
    void tellsADeathByAKillFrom137() {
        Container killed = lab.freshContainer().enabled();
        Container ended = lab.freshContainer().enabled();
        killed.startEndingWith(0);

        // containerd tells the same number for both, and may be the first to tell.
        new Valve(lab.tardis()).close();
        killed.end("SIGKILL");
        assertThat(killed.remove()).isEqualTo(137);
        assertThat(ended.sh("exit 137").code()).isEqualTo(137);

        assertExited(killed, 137, "kernel");
        assertExited(ended, 137, "kernel");
        JsonNode answer = lab.tardis().exitCode(killed);
        assertThat(answer.path("signal").asInt()).isEqualTo(9);
        assertThat(answer.path("oom_killed").asBoolean()).isFalse();
        assertThat(lab.tardis().exitCode(ended).has("signal")).isFalse();
        assertThat(lab.tardis().isKept(killed)).isTrue();
        assertThat(lab.tardis().isKept(ended)).isTrue();
    }

    /** On a busy machine containerd reports no more than every other such death, as measured. */
    @ContainerTest
    void marksADeathForWantOfMemoryThatContainerdReports() {
        int tries = 0;
        JsonNode answer;
        do {
            answer = endForWantOfMemory();
            assertThat(answer.path("exit_code").asInt()).as("%s", answer).isEqualTo(137);
        } while (!answer.path("oom_killed").asBoolean() && ++tries < MOST_TRIES);
        assertThat(answer.path("oom_killed").asBoolean()).as("%s", answer).isTrue();
    }

    private JsonNode endForWantOfMemory() {
        Container container = lab.freshContainer().enabled().option("--memory-limit", MEMORY);

        Outcome run = container.sh("x=0123456789; while :; do x=$x$x; done");

        assumeFalse(run.code() == 2, "the shell gave up by itself: " + run);
        assertThat(run.code()).as("%s", run).isEqualTo(137);
        Wait.until("end", SOON, () -> lab.tardis().status(container).equals("exited"));
        return lab.tardis().exitCode(container);
    }

    /**
     * The kernel tells when the process is reaped: by its shim, or where that is gone, by whoever
     * adopts orphans. Until then the code that containerd made up is answered, and marked.
     */
    private void awaitWordOfTheKernel(Container container) {
        Wait.until(
                () -> "word of the kernel; last answer " + lab.tardis().exitCode(container),
                SOON,
                () -> {
                    JsonNode answer = lab.tardis().exitCode(container);
                    assertThat(answer.path("source").asString()).isIn("", "assumed", "kernel");
                    return answer.path("source").asString().equals("kernel");
                });
    }

    private void assertExited(Container container, int code, String source) {
        JsonNode answer = lab.tardis().exitCode(container);
        assertThat(answer.path("status").asString()).as("%s", answer).isEqualTo("exited");
        assertThat(answer.path("exit_code").asInt()).as("%s", answer).isEqualTo(code);
        assertThat(answer.path("source").asString()).as("%s", answer).isEqualTo(source);
        assertThat(answer.has("durable")).as("%s", answer).isFalse();
    }
}
