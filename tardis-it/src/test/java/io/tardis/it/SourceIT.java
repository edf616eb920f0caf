package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** containerd or {@code ctr} is killed or stopped, and no kernel witness makes up for it. */
@RequiresContainers
class SourceIT {

    private static final int CANNOT_BE_KNOWN = 3;
    private static final Duration SOON = Duration.ofSeconds(20);

    /** containerd's shim tries to publish an exit for some 15 s. */
    private static final int SHIM_GIVES_UP = 14;

    /** Where a start takes so many times as long, a word of containerd's may be missed. */
    private static final int A_SLOW_MACHINE = 4;

    /** For so long containerd is waited for before an end is lost. */
    private static final int LATE_WORD = 20;

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
            lab.tardis().awaitHearing(lab.container("probe"));

            assertThat(waiting.awaitExit(SOON)).isIn(0, CANNOT_BE_KNOWN);
            assertThat(waiting.output().lines().filter(line -> line.matches("\\d+")).toList())
                    .isEqualTo(
                            lab.tardis().exitCode(waited).has("exit_code")
                                    ? List.of("5")
                                    : List.of());
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
    void subscribersAreToldThatCtrWasKilled() {
        lab.tardis().bringUpDaemon();

        try (LiveProcess subscriber = lab.tardis().subscribeAndAwait("/tardis/gap/")) {
            lab.tardis().awaitHearing(lab.container("probe"));
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
        Container good = lab.container("good").enabled();
        Container bad = lab.container("bad").enabled();
        good.startEndingWith(0);
        bad.startEndingWith(5);
        lab.tardis().awaitHearing(lab.container("probe"));
        List<Proc> sources = lab.tardis().sources();
        assertThat(sources).hasSize(1);

        sources.getFirst().signal("STOP");
        good.end();
        bad.end();
        assertThat(good.remove()).isEqualTo(0);
        assertThat(bad.remove()).isEqualTo(5);
        // Not known in time, so both are kept.
        assertThat(lab.tardis().isKept(good)).isTrue();
        assertThat(lab.tardis().isKept(bad)).isTrue();
        assertThat(lab.tardis().exitCode(good).has("exit_code")).isFalse();
        sources.getFirst().signal("CONT");

        lab.tardis().awaitCode(good, 0, SOON);
        lab.tardis().awaitCode(bad, 5, SOON);
        assertThat(lab.tardis().published(bad)).hasSize(1);
        assertThat(lab.tardis().sources()).isEqualTo(sources);
    }

    @ContainerTest
    void hearsAnExitThatContainerdMissedForASecond() throws InterruptedException {
        hearsAnExitAcrossAnOutage(1);
    }

    @ContainerTest
    @Timeout(300)
    void hearsAnExitThatContainerdMissedForLong() throws InterruptedException {
        hearsAnExitAcrossAnOutage(Load.size("outage", 5));
    }

    private void hearsAnExitAcrossAnOutage(int seconds) throws InterruptedException {
        Container good = lab.container("good").enabled();
        Container bad = lab.container("bad").enabled();
        good.startEndingWith(0);
        bad.startEndingWith(5);
        Proc goodInit = lab.containerd().initOf(good).orElseThrow();
        Proc badInit = lab.containerd().initOf(bad).orElseThrow();
        lab.tardis().awaitHearing(lab.container("probe"));

        try (LiveProcess waiting = lab.tardis().waitFor(bad)) {
            lab.containerd().kill();
            goodInit.end();
            badInit.end();
            TimeUnit.SECONDS.sleep(seconds); // the outage
            assertThat(lab.tardis().status(good))
                    .isEqualTo(seconds < LATE_WORD ? "running" : "lost");
            lab.containerd().start();

            // A shim tries until containerd is back, and never again. On a machine where a ctr
            // takes
            // seconds to start, it is back too late for that word.
            boolean isBackInTime = Wait.slowness() < A_SLOW_MACHINE;
            if (seconds < SHIM_GIVES_UP
                    && isBackInTime
                    && !lab.containerd().deletesEndedTasksAtStart()) {
                assertThat(waiting.awaitExit(SOON)).isEqualTo(0);
                assertThat(waiting.output()).isEqualTo("5\n");
                lab.tardis().awaitCode(good, 0, SOON);
            } else {
                assertThat(waiting.awaitExit(SOON.plusSeconds(LATE_WORD)))
                        .as("%s", waiting.output())
                        .isIn(0, CANNOT_BE_KNOWN);
            }
        }
        assertThat(good.removeAfterOutage().orElse(0)).isEqualTo(0);
        OptionalInt code = bad.removeAfterOutage();
        if (code.isPresent()) {
            // containerd tells the code once more when it deletes the task, unless it is 0.
            assertThat(code).hasValue(5);
            lab.tardis().awaitCode(bad, 5, SOON);
        }
        // What nobody heard is told to be lost.
        assertSettled(bad, 5);
        assertThat(lab.tardis().isKept(bad)).isTrue();
        assertSettled(good, 0);
        assertThat(lab.tardis().isCleaned(good))
                .isEqualTo(lab.tardis().status(good).equals("exited"));
    }

    private void assertSettled(Container container, int code) {
        Wait.until(
                () -> "answer other than " + lab.tardis().exitCode(container),
                SOON.plusSeconds(30),
                () -> !lab.tardis().status(container).equals("running"));
        assertThat(lab.tardis().status(container)).isIn("exited", "lost");
        assertThat(lab.tardis().exitCode(container).path("exit_code").asInt(code)).isEqualTo(code);
    }
}
