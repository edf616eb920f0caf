package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** On kernels that do not tell how processes end, containerd's word must do. */
@RequiresContainers
class WithoutKernelWitnessIT {

    private static final Duration SOON = Duration.ofSeconds(20);

    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_KERNEL_WITNESS", "off");

    @ContainerTest
    @Timeout(1200)
    void everyCodeIsKnownWithinTheWaitAtDelete() throws InterruptedException {
        Outcome _ = lab.tardis().tardis("daemon", "--background").orFail();
        lab.tardis().awaitHearing(lab.container("probe"));
        Load load = Load.of(lab, Load.size("containers", 100));

        load.run(8);

        assertThat(load.wrong(lab.tardis())).isEmpty();
        assertThat(load.sources(lab.tardis())).containsOnlyKeys("containerd");
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
