package io.tardis.it;

import static io.tardis.it.TardisNode.LATE_REPORT;
import static io.tardis.it.TardisNode.NOT_KNOWN;
import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import tools.jackson.databind.JsonNode;

/**
 * Nothing is left that could report how a container ended: the answer is that it is lost, and no
 * number. Each test waits for 20 s.
 */
@RequiresContainers
@Execution(ExecutionMode.CONCURRENT)
class LostIT {

    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_CTR_CMD", Valve::command);

    @ContainerTest
    void answersLostWhereAllWereDown() {
        Pair pair = Pair.start(lab);
        Container survivor = lab.container("survivor").enabled();
        survivor.startEndingWith(0);

        lab.containerd().kill();
        new Valve(lab.tardis()).close();
        lab.tardis().killDaemon();
        pair.endInits();
        lab.containerd().start();
        lab.tardis().bringUpDaemon();

        // Not lost yet, and not ended: containerd may still report, unless it has deleted the task.
        if (!lab.containerd().deletesEndedTasksAtStart()) {
            assertThat(lab.tardis().status(pair.good())).isEqualTo("running");
        }
        try (LiveProcess waitingForGood = lab.tardis().waitFor(pair.good());
                LiveProcess waitingForBad = pair.waitForBad()) {
            assertThat(waitingForGood.awaitExit(LATE_REPORT.plus(SOON))).isEqualTo(NOT_KNOWN);
            assertThat(waitingForBad.awaitExit(SOON)).isEqualTo(NOT_KNOWN);
            assertThat(waitingForGood.output()).doesNotContainPattern("(?m)^\\d+$");
        }
        assertLost(pair.good());
        assertLost(pair.bad());
        assertThat(lab.tardis().status(survivor)).isEqualTo("running");

        pair.removeAfterOutage();
        assertLost(pair.good());
        assertLost(pair.bad());
        pair.assertBothKept();
        // The one that outlived them all is watched again, where the kernel reports: ctr does not.
        survivor.end();
        assertThat(survivor.remove()).isEqualTo(0);
        boolean isReported = Machine.kernelReportsExits();
        assertThat(lab.tardis().exitCode(survivor).path("source").asString("none"))
                .isEqualTo(isReported ? "kernel" : "none");
        assertThat(lab.tardis().isCleaned(survivor)).isEqualTo(isReported);
    }

    @ContainerTest
    void answersLostAndNeverZeroWhereTheShimWasDown() {
        Container container = lab.container("tc").enabled();
        container.startEndingWith(0);
        Proc init = lab.containerd().initOf(container).orElseThrow();

        lab.containerd().kill();
        lab.tardis().killDaemon();
        lab.containerd().killShimOf(container);
        init.end();
        // Once it is reaped, the kernel has nothing to report to another daemon.
        Wait.until("end of the zombie " + init, SOON, () -> !init.exists());
        lab.containerd().start();
        // containerd reports the code that it assumes when it deletes the task: before a ctr is
        // there.
        Path bundle = lab.containerd().bundleOf(container);
        Wait.until("delete of " + container, SOON, () -> !Files.exists(bundle));
        lab.tardis().bringUpDaemon();

        try (LiveProcess waiting = lab.tardis().waitFor(container)) {
            assertThat(waiting.awaitExit(LATE_REPORT.plus(SOON))).isEqualTo(NOT_KNOWN);
        }
        assertLost(container);
    }

    @ContainerTest
    void doesNotTakeAnotherProcessForTheContainers() {
        Container container = lab.container("tc").enabled();
        container.startEndingWith(5);
        Proc init = lab.containerd().initOf(container).orElseThrow();
        lab.tardis().killDaemon();
        init.end();
        Wait.until("free pid " + init.pid(), SOON, () -> !init.exists());

        try (LiveProcess other = processWithPid(init.pid());
                LiveProcess waiting = waitForBehindANewDaemon(container)) {
            assertThat(waiting.awaitExit(LATE_REPORT.plus(SOON))).isEqualTo(NOT_KNOWN);
            assertLost(container);
            assertThat(lab.tardis().runningDaemon().pidfds()).doesNotContain(init.pid());
            init.signal("TERM");
            assertThat(other.awaitExit(SOON)).isEqualTo(0);
        }
        assertLost(container);
        assertThat(lab.tardis().published(container)).isEmpty();
        assertThat(lab.tardis().isRegistered(container)).isTrue();
        // containerd has the right one, and may still report it.
        lab.tardis().awaitReceiving(lab.container("probe"));
        assertThat(container.remove()).isEqualTo(5);
        lab.tardis().awaitCode(container, 5, SOON);
        assertThat(lab.tardis().exitCode(container).path("source").asString())
                .isEqualTo("containerd");
        assertThat(lab.tardis().isKept(container)).isTrue();
    }

    /** A process that has a pid which is free, and ends with 9 on SIGTERM. */
    private LiveProcess processWithPid(long pid) {
        LiveProcess other =
                Command.of(
                                Machine.PYTHON,
                                TardisNode.script("reuse_pid.py").toString(),
                                Long.toString(pid))
                        .start(lab.scratch().folder("out").resolve("other"));
        String answer = other.awaitLine("answer", SOON, _ -> true);
        assertThat(answer).as("pid %d", pid).isEqualTo("taken");
        return other;
    }

    private LiveProcess waitForBehindANewDaemon(Container container) {
        lab.tardis().bringUpDaemon();
        return lab.tardis().waitFor(container);
    }

    private void assertLost(Container container) {
        JsonNode answer = lab.tardis().exitCode(container);
        assertThat(answer.path("status").asString()).as("%s", answer).isEqualTo("lost");
        assertThat(answer.has("exit_code")).as("%s", answer).isFalse();
        assertThat(lab.tardis().isCleaned(container)).isFalse();
        Outcome get = lab.tardis().tardis("get", container.name());
        assertThat(get.code()).isEqualTo(NOT_KNOWN);
        assertThat(get.out()).isEmpty();
    }
}
