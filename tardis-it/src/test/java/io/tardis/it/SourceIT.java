package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** containerd or {@code ctr} is killed or stopped, and no kernel witness makes up for it. */
@RequiresContainers
class SourceIT {

    private static final Duration SOON = Duration.ofSeconds(20);

    /** containerd's shim tries to publish an exit for some 15 s. */
    private static final int SHIM_GIVES_UP = 14;

    @RegisterExtension
    final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_KERNEL_WITNESS", "off")
                    .setting("TARDIS_CTR_CMD", Valve::command);

    @ContainerTest
    @Timeout(1200)
    void ctrIsKilledAgainAndAgain() throws InterruptedException {
        Load load = Load.of(lab, Load.size("containers", 40));
        Outcome _ = lab.tardis().tardis("daemon", "--background").orFail();
        Proc daemon = lab.tardis().runningDaemon();

        CompletableFuture<Void> running =
                CompletableFuture.runAsync(() -> {
                    try {
                        load.run(4);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
        while (!running.isDone()) {
            lab.tardis().sources().forEach(source -> source.signal("KILL"));
            TimeUnit.MILLISECONDS.sleep(300); // between two kills
        }
        running.join();
        lab.tardis().awaitHearing(lab.container("probe"));

        assertThat(load.unsafe(lab.tardis())).isEmpty();
        System.out.println("ctr killed: sources of codes " + load.sources(lab.tardis()));
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        Container next = lab.container("next").enabled();
        assertThat(next.run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.tardis().isCleaned(next)).isTrue();
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
        hearsAnExitAcrossAnOutage(Load.size("outage", 8));
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
            assertThat(lab.tardis().status(good)).isEqualTo("running");
            lab.containerd().start();

            if (seconds < SHIM_GIVES_UP) {
                assertThat(waiting.awaitExit(SOON)).isEqualTo(0);
                assertThat(waiting.output()).isEqualTo("5\n");
                lab.tardis().awaitCode(good, 0, SOON);
            }
        }
        assertThat(good.remove()).isEqualTo(0);
        assertThat(bad.remove()).isEqualTo(5);
        // containerd tells the code once more when it deletes the task, unless it is 0.
        lab.tardis().awaitCode(bad, 5, SOON);
        assertThat(lab.tardis().isKept(bad)).isTrue();
        // Of the zero that nobody heard, it is told that it was lost.
        Wait.until(
                () -> "answer other than " + lab.tardis().exitCode(good),
                SOON.plusSeconds(30),
                () -> !lab.tardis().status(good).equals("running"));
        assertThat(lab.tardis().status(good)).isIn("exited", "lost");
        assertThat(lab.tardis().exitCode(good).path("exit_code").asInt(0)).isEqualTo(0);
        assertThat(lab.tardis().isCleaned(good))
                .isEqualTo(lab.tardis().status(good).equals("exited"));
    }
}
