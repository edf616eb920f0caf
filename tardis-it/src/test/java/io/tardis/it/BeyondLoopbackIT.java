package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import org.junit.jupiter.api.extension.RegisterExtension;

/** An endpoint on every address, and no keys. */
@RequiresContainers
class BeyondLoopbackIT {

    private static final int BAD_SETTING = 2;

    @RegisterExtension
    final Lab lab = Lab.withTardis().setting("TARDIS_EVENTS_ENDPOINT", "tcp://*:5580");

    @ContainerTest
    void withoutKeysTheDaemonIsRefusedAndContainersRun() {
        lab.expectErrors();
        for (String[] arguments : new String[][] {{"daemon"}, {"status"}, {"get", "tc"}}) {
            Outcome outcome = lab.tardis().tardis(arguments);

            assertThat(outcome.code()).as("%s", outcome).isEqualTo(BAD_SETTING);
            assertThat(outcome.out()).isEmpty();
            assertThat(outcome.err())
                    .contains(
                            "TARDIS_EVENTS_ENDPOINT=tcp://*:5580",
                            "not a loopback address",
                            "tardis keygen",
                            "TARDIS_CURVE_SECRET_KEY_FILE");
        }

        Outcome run = lab.container("tc").enabled().sh("exit 3");

        assertThat(run.code()).isEqualTo(3);
        assertThat(run.out() + run.err()).isEmpty();
        // The daemon that the last shim started was refused as well, and may just be ending.
        Wait.until(
                () -> "end of " + lab.tardis().processes(),
                SOON,
                () -> lab.tardis().processes().isEmpty());
        assertThat(Files.exists(lab.tardis().socket())).isFalse();
        assertThat(lab.tardis().socket().resolveSibling("missed/default:tc")).exists();
    }
}
