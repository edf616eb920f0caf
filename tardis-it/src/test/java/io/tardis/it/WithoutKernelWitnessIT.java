package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** On kernels that do not tell how processes end, containerd's word must do. */
@RequiresContainers
class WithoutKernelWitnessIT {

    private static final int CANNOT_BE_KNOWN = 3;
    private static final Duration SOON = Duration.ofSeconds(20);

    @RegisterExtension
    final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_KERNEL_WITNESS", "off")
                    .setting("TARDIS_CTR_CMD", Valve::command);

    @ContainerTest
    @Timeout(1200)
    void everyCodeIsKnownWithinTheWaitAtDelete() throws InterruptedException {
        lab.tardis().bringUpDaemon();
        lab.tardis().awaitHearing(lab.container("probe"));
        Load load = Load.of(lab, Load.size("containers", 16));

        load.run(8);

        assertThat(load.wrong(lab.tardis())).isEmpty();
        assertThat(load.sources(lab.tardis())).containsOnlyKeys("containerd");
    }

    @ContainerTest
    void takesTheCodeFromTheDeleteWhereTheExitWasNotHeard() {
        Container good = lab.container("good").enabled();
        Container bad = lab.container("bad").enabled();
        good.startEndingWith(0);
        bad.startEndingWith(5);
        lab.tardis().awaitHearing(lab.container("probe"));
        Valve valve = new Valve(lab.tardis());

        try (LiveProcess waiting = lab.tardis().waitFor(bad);
                LiveProcess alsoWaiting = lab.tardis().waitFor(good)) {
            valve.close();
            good.end();
            bad.end();
            valve.open();
            lab.tardis().awaitHearing(lab.container("probe"));
            assertThat(lab.tardis().published(good)).isEmpty();
            assertThat(lab.tardis().published(bad)).isEmpty();
            assertThat(good.remove()).isEqualTo(0);
            assertThat(bad.remove()).isEqualTo(5);

            assertThat(waiting.awaitExit(SOON)).isEqualTo(0);
            assertThat(waiting.output()).isEqualTo("5\n");
            // A zero is not told again: an absent status may as well be a task that never ran.
            assertThat(alsoWaiting.awaitExit(SOON)).isEqualTo(CANNOT_BE_KNOWN);
        }
        lab.tardis().awaitCode(bad, 5, SOON);
        assertThat(lab.tardis().exitCode(bad).path("source").asString()).isEqualTo("containerd");
        assertThat(lab.tardis().published(bad)).hasSize(1);
        assertThat(lab.tardis().status(good)).isEqualTo("lost");
        assertThat(lab.tardis().published(good)).isEmpty();
        // Both came too late for the deletes.
        assertThat(lab.tardis().isKept(good)).isTrue();
        assertThat(lab.tardis().isKept(bad)).isTrue();
    }

    @ContainerTest
    void marksTheCodeThatContainerdMadeUpForAKilledShim() {
        Container container = lab.container("tc").enabled();
        container.startEndingWith(0);

        lab.containerd().killShimOf(container);

        Wait.until("answer", SOON, () -> lab.tardis().status(container).equals("exited"));
        JsonNode answer = lab.tardis().exitCode(container);
        assertThat(answer.path("exit_code").asInt()).isEqualTo(137);
        assertThat(answer.path("source").asString()).isEqualTo("assumed");
        assertThat(lab.tardis().code(container)).isEqualTo("137");
        assertThat(lab.tardis().isKept(container)).isTrue();
        assertThat(lab.tardis().isRegistered(container)).isFalse();

        container.removeWithoutTask();
        assertThat(container.run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.tardis().isCleaned(container)).isTrue();
    }
}
