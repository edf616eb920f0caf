package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Many short containers with the settings as they are by default. The first starts the daemon, and
 * the rest comes when it is up: many that are first at once are {@link FirstContainerIT}'s.
 */
@RequiresContainers
class ManyContainersIT {

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    @Timeout(1200)
    void cleansUpAfterEveryZeroAndKeepsEveryThree() throws InterruptedException {
        Load load = Load.of(lab, Load.size("containers", 32));
        assertThat(lab.container("first").enabled().sh("exit 0").code()).isEqualTo(0);
        lab.tardis().awaitDaemon();

        load.run(8);

        assertThat(load.wrong(lab.tardis())).isEmpty();
    }
}
