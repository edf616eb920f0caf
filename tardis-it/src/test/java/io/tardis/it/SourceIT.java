package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** containerd or {@code ctr} is killed or stopped, and its shims make up for it. */
@RequiresContainers
class SourceIT {

    @RegisterExtension
    final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_KERNEL_WITNESS", "off")
                    .setting("TARDIS_CTR_CMD", Valve::command);

    @ContainerTest
    @Timeout(1200)
    void ctrIsKilledAgainAndAgain() throws InterruptedException {
        Load load = Load.of(lab, Load.size("containers", 16));
        Container waited = lab.container("waited").enabled();
        waited.startEndingWith(5);
        Proc daemon = lab.tardis().runningDaemon();

        try (LiveProcess waiting = lab.tardis().waitFor(waited)) {
            load.runWhileCtrIsKilled(
                    4,
                    lab.tardis(),
                    () -> {
                        waited.end();
                        assertThat(waited.remove()).isEqualTo(5);
                    });
            lab.tardis().awaitReceiving(lab.container("probe"));

            assertThat(waiting.awaitExit(SOON)).as(waiting.output()).isEqualTo(0);
            assertThat(waiting.output()).isEqualTo("5\n");
        }
        assertThat(load.unsafe(lab.tardis())).isEmpty();
        assertThat(load.unsettled(lab.tardis())).isEmpty();
        System.out.println("ctr killed: sources of codes " + load.sources(lab.tardis()));
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        Container next = lab.container("next").enabled();
        assertThat(next.run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.tardis().isCleaned(next)).isTrue();
    }

    @ContainerTest
    void publishesAGapWhenCtrWasKilled() {
        lab.tardis().bringUpDaemon();

        try (LiveProcess subscriber = lab.tardis().subscribeAndAwait("/tardis/gap/")) {
            lab.tardis().awaitReceiving(lab.container("probe"));
            long last = lab.tardis().lastSeq();
            lab.tardis().sources().forEach(source -> source.signal("KILL"));

            JsonNode gap = TardisNode.awaitGap(subscriber, "ended with 137");
            assertThat(gap.path("v").asInt()).isEqualTo(1);
            assertThat(gap.path("last_seq").asLong()).isEqualTo(last);
            assertThat(Instant.parse(gap.path("from").asString()))
                    .isBeforeOrEqualTo(Instant.parse(gap.path("to").asString()));
        }
    }

    @ContainerTest
    void nothingIsLostWhileCtrIsStopped() {
        Pair pair = Pair.start(lab);
        lab.tardis().awaitReceiving(lab.container("probe"));
        List<Proc> sources = lab.tardis().sources();
        assertThat(sources).hasSize(1);

        sources.getFirst().signal("STOP");
        pair.end();
        pair.awaitCodes();
        pair.remove();
        pair.assertCleanedAndKept();
        sources.getFirst().signal("CONT");

        lab.tardis().awaitReceiving(lab.container("probe"));
        pair.assertEachPublishedOnce();
        assertThat(lab.tardis().sources()).isEqualTo(sources);
    }

    @ContainerTest
    void answersForAnExitAcrossAnOutageOfASecond() throws InterruptedException {
        answersForAnExitAcrossAnOutage(1);
    }

    @ContainerTest
    @Timeout(300)
    void answersForAnExitAcrossALongOutage() throws InterruptedException {
        answersForAnExitAcrossAnOutage(Load.size("outage", 5));
    }

    private void answersForAnExitAcrossAnOutage(int seconds) throws InterruptedException {
        Pair pair = Pair.start(lab);
        lab.tardis().awaitReceiving(lab.container("probe"));

        try (LiveProcess waiting = pair.waitForBad()) {
            lab.containerd().kill();
            pair.endInits();
            Pair.assertAnswered(waiting);
            pair.awaitCodes();
            TimeUnit.SECONDS.sleep(seconds); // the outage
            lab.containerd().start();
        }
        pair.removeAfterOutage();
        pair.assertCleanedAndKept();
        lab.tardis().awaitReceiving(lab.container("probe"));
        pair.assertEachPublishedOnce();
    }
}
