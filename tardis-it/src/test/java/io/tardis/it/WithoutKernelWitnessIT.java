package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** On kernels that do not report how processes end, containerd's shims do. */
@RequiresContainers
class WithoutKernelWitnessIT {

    @RegisterExtension
    final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_KERNEL_WITNESS", "off")
                    .setting("TARDIS_CTR_CMD", Valve::command);

    @ContainerTest
    @Timeout(1200)
    void everyCodeIsKnownWithinTheWaitAtDelete() throws InterruptedException {
        lab.tardis().bringUpDaemon();
        lab.tardis().awaitReceiving(lab.container("probe"));
        Load load = Load.of(lab, Load.size("containers", 16));

        load.run(8);

        assertThat(load.wrong(lab.tardis())).isEmpty();
        assertThat(load.sources(lab.tardis()).keySet()).isSubsetOf("shim", "containerd");
    }

    @ContainerTest
    void knowsAnEndThatCtrHasMissed() {
        Pair pair = Pair.start(lab);
        lab.tardis().awaitReceiving(lab.container("probe"));
        Valve valve = new Valve(lab.tardis());

        try (LiveProcess waiting = pair.waitForBad()) {
            valve.close();
            pair.end();
            Pair.assertAnswered(waiting);
            pair.remove();
        }
        pair.awaitCodes();
        assertThat(lab.tardis().exitCode(pair.bad()).path("source").asString()).isEqualTo("shim");
        pair.assertCleanedAndKept();
        valve.open();
        lab.tardis().awaitReceiving(lab.container("probe"));
        pair.assertEachPublishedOnce();
    }

    @ContainerTest
    void knowsAnEndWhileContainerdIsDown() {
        Pair pair = Pair.start(lab);

        lab.containerd().kill();
        pair.endInits();
        pair.awaitCodes();

        assertThat(lab.tardis().exitCode(pair.good()).path("source").asString()).isEqualTo("shim");
        assertThat(lab.tardis().exitCode(pair.bad()).path("source").asString()).isEqualTo("shim");
        lab.containerd().start();
        pair.removeAfterOutage();
        pair.assertCleanedAndKept();
        pair.assertEachPublishedOnce();
    }

    @ContainerTest
    void marksTheCodeThatContainerdAssumesForAKilledShim() {
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
