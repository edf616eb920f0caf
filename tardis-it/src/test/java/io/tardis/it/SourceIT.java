package io.tardis.it;

import static io.tardis.it.TardisNode.LATE_REPORT;
import static io.tardis.it.TardisNode.NOT_KNOWN;
import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** containerd or {@code ctr} is killed or stopped, and no kernel witness makes up for it. */
@RequiresContainers
class SourceIT {

    /** containerd's shim tries to publish an exit for some 15 s. */
    private static final int SHIM_GIVES_UP = 14;

    /** Where a start takes so many times as long, a report of containerd's may be missed. */
    private static final int A_SLOW_MACHINE = 4;

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

            assertNoOtherCode(waiting, waited, 5);
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
        pair.remove();
        // Not known in time, so both are kept.
        pair.assertBothKept();
        assertThat(lab.tardis().exitCode(pair.good()).has("exit_code")).isFalse();
        sources.getFirst().signal("CONT");

        pair.awaitCodes();
        assertThat(lab.tardis().published(pair.bad())).hasSize(1);
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
            TimeUnit.SECONDS.sleep(seconds); // the outage
            assertThat(lab.tardis().status(pair.good()))
                    .isEqualTo(seconds < LATE_REPORT.toSeconds() ? "running" : "lost");
            lab.containerd().start();

            if (shimsReportsAreReceived(seconds)) {
                Pair.assertAnswered(waiting);
                pair.awaitCodes();
            }
            assertNoOtherCode(waiting, pair.bad(), Pair.BAD);
        }
        pair.removeAfterOutage();
        if (!lab.containerd().deletesEndedTasksAtStart()) {
            // containerd reports the code once more when it deletes the task, unless it is 0.
            lab.tardis().awaitCode(pair.bad(), Pair.BAD, SOON);
        }
        lab.tardis().awaitCodeOrLoss(pair.good(), 0);
        lab.tardis().awaitCodeOrLoss(pair.bad(), Pair.BAD);
        assertThat(lab.tardis().isKept(pair.bad())).isTrue();
        assertThat(lab.tardis().isCleaned(pair.good()))
                .as("cleaned up if its zero was received, and only then")
                .isEqualTo(lab.tardis().status(pair.good()).equals("exited"));
    }

    /**
     * Whether the shims' reports reach {@code ctr} for certain: if they still try, and if
     * containerd has not deleted the tasks. A shim tries until containerd is back, and never again;
     * on a machine where a {@code ctr} takes seconds to start, that one is back too late.
     */
    private boolean shimsReportsAreReceived(int outageSeconds) {
        return outageSeconds < SHIM_GIVES_UP
                && Wait.slowness() < A_SLOW_MACHINE
                && !lab.containerd().deletesEndedTasksAtStart();
    }

    /**
     * Waits until a waiter has printed the code, if that is known, and nothing else. Whether it is
     * known depends on which reports {@code ctr} received, and that is left to chance here.
     */
    private void assertNoOtherCode(LiveProcess waiting, Container container, int code) {
        int exitCode = waiting.awaitExit(LATE_REPORT.plus(SOON));
        List<String> printed =
                waiting.output().lines().filter(line -> line.matches("\\d+")).toList();
        JsonNode answer = lab.tardis().exitCode(container);
        assertThat(exitCode + " " + printed)
                .as("%s; answer %s", waiting.output(), answer)
                .isEqualTo(answer.has("exit_code") ? "0 [" + code + "]" : NOT_KNOWN + " []");
    }
}
