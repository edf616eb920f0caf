package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.OptionalInt;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import tools.jackson.databind.JsonNode;

/**
 * Nobody is left who could tell how a container ended: that is told, and no number. Each test waits
 * for 20 s.
 */
@RequiresContainers
@Execution(ExecutionMode.CONCURRENT)
class LostIT {

    private static final int CANNOT_BE_KNOWN = 3;

    /** containerd gets 20 s for a late word. */
    private static final Duration LATE_WORD = Duration.ofSeconds(20);

    private static final Duration SOON = Duration.ofSeconds(20);

    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_CTR_CMD", Valve::command);

    @ContainerTest
    void tellsThatAnEndWasLostWhenEverybodyWasDown() {
        Container good = lab.container("good").enabled();
        Container bad = lab.container("bad").enabled();
        Container going = lab.container("going").enabled();
        good.startEndingWith(0);
        bad.startEndingWith(5);
        going.startEndingWith(0);
        Proc goodInit = lab.containerd().initOf(good).orElseThrow();
        Proc badInit = lab.containerd().initOf(bad).orElseThrow();

        lab.containerd().kill();
        new Valve(lab.tardis()).close();
        lab.tardis().killDaemon();
        goodInit.end();
        badInit.end();
        lab.containerd().start();
        lab.tardis().bringUpDaemon();

        // Not lost yet, and not ended: containerd may still tell, unless it has deleted the task.
        if (!lab.containerd().deletesEndedTasksAtStart()) {
            assertThat(lab.tardis().status(good)).isEqualTo("running");
        }
        try (LiveProcess waiting = lab.tardis().waitFor(good);
                LiveProcess alsoWaiting = lab.tardis().waitFor(bad)) {
            assertThat(waiting.awaitExit(LATE_WORD.plus(SOON))).isEqualTo(CANNOT_BE_KNOWN);
            assertThat(alsoWaiting.awaitExit(SOON)).isEqualTo(CANNOT_BE_KNOWN);
            assertThat(waiting.output()).doesNotContainPattern("(?m)^\\d+$");
        }
        assertLost(good);
        assertLost(bad);
        assertThat(lab.tardis().status(going)).isEqualTo("running");

        OptionalInt _ = good.removeAfterOutage();
        OptionalInt _ = bad.removeAfterOutage();
        assertLost(good);
        assertLost(bad);
        assertThat(lab.tardis().isKept(good)).isTrue();
        assertThat(lab.tardis().isKept(bad)).isTrue();
        // The one that outlived them all is watched again: ctr is still deaf.
        going.end();
        assertThat(going.remove()).isEqualTo(0);
        assertThat(lab.tardis().exitCode(going).path("source").asString("deaf"))
                .isIn("kernel", "deaf");
        assertThat(lab.tardis().isCleaned(going))
                .isEqualTo(lab.tardis().status(going).equals("exited"));
    }

    @ContainerTest
    void neverTellsZeroWhereTheShimWentWithTheRest() {
        Container container = lab.container("tc").enabled();
        container.startEndingWith(0);
        Proc init = lab.containerd().initOf(container).orElseThrow();

        lab.containerd().kill();
        lab.tardis().killDaemon();
        lab.containerd().killShimOf(container);
        init.end();
        lab.containerd().start();
        lab.tardis().bringUpDaemon();

        try (LiveProcess waiting = lab.tardis().waitFor(container)) {
            waiting.awaitExit(LATE_WORD.plus(SOON));
        }
        JsonNode answer = lab.tardis().exitCode(container);
        assertThat(answer.path("status").asString()).isIn("lost", "exited");
        if (answer.has("exit_code")) {
            // The real one, if the daemon was back before the process was reaped; or a made-up one.
            boolean real = answer.path("source").asString().equals("kernel");
            assertThat(answer.path("source").asString()).as("%s", answer).isIn("kernel", "assumed");
            assertThat(answer.path("exit_code").asInt() == 0).as("%s", answer).isEqualTo(real);
        }
        assertThat(lab.tardis().isCleaned(container) && answer.path("exit_code").asInt(-1) != 0)
                .isFalse();
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
            assertThat(waiting.awaitExit(LATE_WORD.plus(SOON))).isEqualTo(CANNOT_BE_KNOWN);
            assertLost(container);
            assertThat(lab.tardis().runningDaemon().pidfds()).doesNotContain(init.pid());
            init.signal("TERM");
            assertThat(other.awaitExit(SOON)).isEqualTo(0);
        }
        assertLost(container);
        assertThat(lab.tardis().published(container)).isEmpty();
        assertThat(lab.tardis().isRegistered(container)).isTrue();
        // containerd knows the right one, and may still tell.
        lab.tardis().awaitHearing(lab.container("probe"));
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
        assertThat(get.code()).isEqualTo(CANNOT_BE_KNOWN);
        assertThat(get.out()).isEmpty();
    }
}
