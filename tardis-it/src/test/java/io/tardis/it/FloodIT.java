package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Clients that ask without end are refused, and no container waits because of them. */
@RequiresContainers
class FloodIT {

    /** Far less than a shim that has to wait for the store: 1 s for the code, 1 s for patience. */
    private static final Duration A_DELETE = Duration.ofSeconds(1);

    /** When containerd kills a call of its clean-up. */
    private static final Duration LONGEST_DELETE = Duration.ofSeconds(5);

    private static final int DELETES = 5;

    @RegisterExtension
    final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_MAX_CONNECTIONS", "20")
                    .setting("TARDIS_MAX_WAITING", "10")
                    .setting("TARDIS_MAX_REQUESTS_PER_SECOND", "1000");

    @ContainerTest
    @Timeout(300)
    void clientsThatFloodAreRefusedAndEveryDeleteIsDecidedInTime() throws InterruptedException {
        Container running = lab.container("running").enabled();
        running.startEndingWith(7);
        Proc daemon = lab.tardis().runningDaemon();
        Load load = Load.of(lab, Load.size("containers", 8));

        try (LiveProcess flood = lab.tardis().badClient("flood", "TARDIS_QUERY_ENDPOINT", 4)) {
            for (String refusal :
                    List.of(
                            "too_many TARDIS_MAX_WAITING",
                            "too_many TARDIS_MAX_REQUESTS_PER_SECOND",
                            "bad_request TARDIS_MAX_REQUEST_BYTES")) {
                String _ = flood.awaitLine(refusal, SOON, refusal::equals);
            }
            load.run(4);
            List<Duration> taken = new ArrayList<>();
            for (int i = 0; i < DELETES; i++) {
                Container each = lab.freshContainer().enabled();
                each.startEndingWith(i % 2);
                each.end();
                Wait.until("end of " + each, SOON, () -> hasEnded(each));
                Instant begin = Instant.now();
                assertThat(each.remove()).isEqualTo(i % 2);
                taken.add(Duration.between(begin, Instant.now()));
                assertThat(lab.tardis().isCleaned(each)).isEqualTo(i % 2 == 0);
            }
            taken.sort(Comparator.naturalOrder());
            Wait.assertTaken("the longest delete", taken.getLast(), LONGEST_DELETE);
            // Any one may have waited for a processor.
            Wait.assertTaken("most deletes", taken.get(DELETES / 2), A_DELETE);
            assertThat(flood.isAlive()).as(flood.output()).isTrue();
        }

        assertThat(load.wrong(lab.tardis())).isEmpty();
        running.end();
        assertThat(running.remove()).isEqualTo(7);
        assertThat(lab.tardis().code(running)).isEqualTo("7");
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
    }

    @ContainerTest
    void connectionsTooManyAreEndedAndNoContainerWaitsForOne() {
        Container before = lab.container("before").enabled();
        assertThat(before.sh("exit 7").code()).isEqualTo(7);
        Proc daemon = lab.tardis().runningDaemon();
        int descriptors = daemon.descriptors().size();

        try (LiveProcess many = lab.tardis().badClient("many", "TARDIS_QUERY_ENDPOINT", 30)) {
            many.awaitLine("the connections", SOON, "ready"::equals);
            assertThat(many.lines()).containsExactly("opened 30", "ready");
            Wait.until(
                    "refusal in the log",
                    SOON,
                    () -> lab.tardis().log().contains("as many as TARDIS_MAX_CONNECTIONS allows"));
            assertThat(daemon.descriptors().size()).isBetween(descriptors + 15, descriptors + 25);

            Container good = lab.freshContainer().enabled();
            assertThat(good.run("/bin/true").code()).isEqualTo(0);
            assertThat(lab.tardis().isCleaned(good)).isTrue();
        }

        // Their places are free again.
        assertThat(lab.tardis().code(before)).isEqualTo("7");
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
    }

    private boolean hasEnded(Container container) {
        return lab.tardis().status(container).equals("exited");
    }
}
