package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/**
 * The kernel reports how processes end, even where containerd, its shim or {@code ctr} is down, and
 * before delete begins: no wait for a code is needed there.
 */
@RequiresContainers
class KernelWitnessIT {

    private static final String MEMORY = Integer.toString(16 << 20);

    /** Has a buffer of 64 MiB, and fills it. */
    static final String EAT = "/bin/busybox dd if=/dev/zero of=/dev/null bs=64M count=1";

    @RegisterExtension
    static final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_DELETE_WAIT_MS", "0")
                    .setting("TARDIS_CTR_CMD", Valve::command);

    @BeforeAll
    static void kernelReportsExits() {
        assumeTrue(
                Machine.kernelReportsExits(),
                () -> "this kernel does not report how processes end: " + Machine.kernelProbe());
    }

    @BeforeEach
    void startDaemonWithOpenValve() {
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
                .as("the kernel is nearly always the first to report")
                .hasEntrySatisfying(
                        "kernel",
                        byTheKernel ->
                                assertThat(byTheKernel)
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
        Pair pair = Pair.start(lab);

        lab.tardis().killDaemon();
        startDaemonWithClosedValve(pair.inits());
        try (LiveProcess waiting = pair.waitForBad()) {
            pair.end();

            Pair.assertAnswered(waiting);
        }
        assertDecidedByTheKernel(pair);
    }

    @ContainerTest
    void recordsTheEndOfAContainerThatWasAZombieWhenTheDaemonWasStarted() {
        Pair pair = Pair.start(lab);
        List<Proc> shims =
                Stream.of(pair.good(), pair.bad()).map(lab.containerd()::shimOf).toList();

        // A stopped shim does not reap its container.
        shims.forEach(shim -> shim.signal("STOP"));
        pair.endInits();
        lab.tardis().killDaemon();
        startDaemonWithClosedValve(pair.inits());
        try (LiveProcess waiting = pair.waitForBad()) {
            assertThat(lab.tardis().status(pair.good())).isEqualTo("running");
            assertThat(lab.tardis().status(pair.bad())).isEqualTo("running");
            shims.forEach(shim -> shim.signal("CONT"));

            Pair.assertAnswered(waiting);
        }
        assertDecidedByTheKernel(pair);
    }

    /** A daemon that watches these processes, and whose {@code ctr} reports nothing. */
    private void startDaemonWithClosedValve(List<Proc> inits) {
        lab.tardis().bringUpDaemon();
        Proc daemon = lab.tardis().runningDaemon();
        Wait.until(
                () -> "watch; pidfds of " + daemon.pidfds() + "; log:\n" + lab.tardis().log(),
                SOON,
                () -> daemon.pidfds().containsAll(inits.stream().map(Proc::pid).toList()));
        // Only a source that is there can be killed.
        lab.tardis().awaitReceiving(lab.container("probe"));
        new Valve(lab.tardis()).close();
    }

    private void assertDecidedByTheKernel(Pair pair) {
        pair.awaitCodes();
        pair.remove();
        assertExited(pair);
        pair.assertCleanedAndKept();
        pair.assertEachPublishedOnce();
    }

    private void assertExited(Pair pair) {
        assertExited(pair.good(), 0, "kernel");
        assertExited(pair.bad(), Pair.BAD, "kernel");
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
        Pair pair = Pair.start(lab);

        long back;
        try (LiveProcess waiting = pair.waitForBad()) {
            lab.containerd().kill();
            back = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
            pair.endInits();

            Pair.assertAnswered(waiting);
        }
        assertExited(pair);

        TimeUnit.NANOSECONDS.sleep(back - System.nanoTime()); // the outage
        lab.containerd().start();
        lab.tardis().awaitReceiving(lab.container("probe"));
        pair.removeAfterOutage();
        pair.assertCleanedAndKept();
        // What containerd reported late, and again at delete, is not published once more.
        pair.assertEachPublishedOnce();
    }

    @ContainerTest
    void recordsTheRealEndOfAContainerWhoseShimWasKilled() {
        Container container = lab.freshContainer().enabled();
        container.startEndingWith(0);

        lab.containerd().killShimOf(container);

        awaitReportOfTheKernel(container);
        assertExited(container, 137, "kernel");
        assertThat(lab.tardis().exitCode(container).path("signal").asInt()).isEqualTo(9);
        assertThat(lab.tardis().isKept(container)).isTrue();
    }

    @ContainerTest
    void prefersTheRealCodeToTheOneThatContainerdAssumes() {
        Container container = lab.freshContainer().enabled();
        container.startEndingWith(5);
        Proc init = lab.containerd().initOf(container).orElseThrow();

        // A stopped shim does not reap its container; killed after that, it leaves containerd to
        // assume a code.
        lab.containerd().shimOf(container).signal("STOP");
        init.end();
        lab.containerd().killShimOf(container);

        awaitReportOfTheKernel(container);
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
        Pair pair = Pair.start(lab);
        Valve valve = new Valve(lab.tardis());

        valve.close();
        pair.end();
        pair.remove();

        assertExited(pair);
        pair.assertCleanedAndKept();
        valve.open();
        lab.tardis().awaitReceiving(lab.container("probe"));
        pair.assertEachPublishedOnce();
    }

    @ContainerTest
    void distinguishesADeathByAKillFrom137() {
        Container killed = lab.freshContainer().enabled();
        Container ended = lab.freshContainer().enabled();
        killed.startEndingWith(0);

        // containerd reports the same number for both, and may be the first to report.
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

    /**
     * Also beside a load, where containerd reports no more than every other such death, as
     * measured.
     */
    @ContainerTest
    void marksEachDeathForWantOfMemoryAndNoOther() throws Exception {
        int killed = Load.size("oom", 4);
        int loops = Load.size("loops", 2);
        Queue<Container> others = new ConcurrentLinkedQueue<>();
        AtomicBoolean enough = new AtomicBoolean();
        List<JsonNode> answers = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(loops)) {
            for (int i = 0; i < loops; i++) {
                pool.execute(() -> {
                    while (!enough.get()) {
                        Container other = lab.freshContainer().enabled();
                        others.add(other);
                        assertThat(other.sh("exit 3").code()).isEqualTo(3);
                    }
                });
            }
            try {
                for (int i = 0; i < killed; i++) {
                    answers.add(endForWantOfMemory(i % 4));
                }
            } finally {
                enough.set(true);
            }
        }
        assertThat(answers)
                .allSatisfy(it -> {
                    assertThat(it.path("oom_killed").asBoolean()).as("%s", it).isTrue();
                    assertThat(it.path("usage").path("memory_limit").asInt()).isEqualTo(16 << 20);
                });
        List<JsonNode> ofOthers = lab.tardis().exitCodes(List.copyOf(others));
        assertThat(ofOthers)
                .isNotEmpty()
                .allSatisfy(it -> {
                    assertThat(it.path("exit_code").asInt()).as("%s", it).isEqualTo(3);
                    assertThat(it.path("oom_killed").asBoolean()).as("%s", it).isFalse();
                });
        System.out.printf(
                "out of memory: %d, and %d other containers, all marked right%n",
                answers.size(), ofOthers.size());
    }

    /** Of the main process, or of a child, which the container outlives with 0 or 3. */
    private JsonNode endForWantOfMemory(int kind) {
        Container container = lab.freshContainer().enabled().option("--memory-limit", MEMORY);
        int code = kind < 2 ? 137 : kind == 2 ? 0 : 3;

        Outcome run = container.sh(kind < 2 ? "exec " + EAT : EAT + "; exit " + code);

        assertThat(run.code()).as("%s", run).isEqualTo(code);
        lab.tardis().awaitCode(container, code, SOON);
        return lab.tardis().exitCode(container);
    }

    /**
     * The kernel reports an end when the process is reaped: by its shim, or where that is down, by
     * the process that adopts orphans. Until then the code that containerd assumed is answered, and
     * marked.
     */
    private void awaitReportOfTheKernel(Container container) {
        Wait.until(
                () -> "report of the kernel; last answer " + lab.tardis().exitCode(container),
                SOON,
                () -> {
                    JsonNode answer = lab.tardis().exitCode(container);
                    // containerd has nothing to report but its assumption.
                    assertThat(answer.path("source").asString()).isNotEqualTo("containerd");
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
