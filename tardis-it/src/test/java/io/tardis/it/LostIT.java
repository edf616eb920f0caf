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
 * A container ends while nobody listens: containerd's shim has its code. Where that is gone, too,
 * the answer is that it is lost, and no number.
 */
@RequiresContainers
@Execution(ExecutionMode.CONCURRENT)
class LostIT {

    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_CTR_CMD", Valve::command);

    /** containerd's shims have the codes, until containerd deletes their tasks. */
    @ContainerTest
    void asksTheShimsWhereAllElseWasDown() {
        Pair pair = Pair.start(lab);
        Container survivor = lab.container("survivor").enabled();
        survivor.startEndingWith(0);

        lab.containerd().kill();
        new Valve(lab.tardis()).close();
        lab.tardis().killDaemon();
        pair.endInits();
        pair.awaitEnds();
        lab.tardis().bringUpDaemon();

        pair.awaitCodes();
        assertThat(lab.tardis().exitCode(pair.good()).path("source").asString()).isEqualTo("shim");
        assertThat(lab.tardis().exitCode(pair.bad()).path("source").asString()).isEqualTo("shim");
        assertThat(lab.tardis().status(survivor)).isEqualTo("running");

        lab.containerd().start();
        pair.removeAfterOutage();
        pair.assertCleanedAndKept();
        pair.assertEachPublishedOnce();
        // The one that outlived them all is watched again: ctr does not report.
        survivor.end();
        assertThat(survivor.remove()).isEqualTo(0);
        assertThat(lab.tardis().exitCode(survivor).path("source").asString("none"))
                .isEqualTo(Machine.kernelReportsExits() ? "kernel" : "shim");
        assertThat(lab.tardis().isCleaned(survivor)).isTrue();
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
            assertThat(waiting.awaitExit(SOON)).as(waiting.output()).isEqualTo(0);
            assertThat(waiting.output()).isEqualTo("5\n");
            assertThat(lab.tardis().runningDaemon().pidfds()).doesNotContain(init.pid());
            init.signal("TERM");
            assertThat(other.awaitExit(SOON)).isEqualTo(0);
        }
        assertThat(lab.tardis().exitCode(container).path("source").asString()).isEqualTo("shim");
        assertThat(lab.tardis().isRegistered(container)).isTrue();
        lab.tardis().awaitReceiving(lab.container("probe"));
        assertThat(container.remove()).isEqualTo(5);
        assertThat(lab.tardis().code(container)).isEqualTo("5");
        assertThat(lab.tardis().published(container)).hasSize(1);
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
