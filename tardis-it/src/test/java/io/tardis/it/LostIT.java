package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** Nobody is left who could tell how a container ended: that is told, and no number. */
@RequiresContainers
class LostIT {

    private static final int CANNOT_BE_KNOWN = 3;

    /** containerd gets 20 s for a late word. */
    private static final Duration LATE_WORD = Duration.ofSeconds(20);

    private static final Duration SOON = Duration.ofSeconds(20);

    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_CTR_CMD", Valve::command);

    @ContainerTest
    void tellsThatAnEndWasLostWhenEverybodyWasDown() {
        Container good = lab.container("good").enabled();
        Container bad = lab.container("bad").enabled();
        Container going = lab.container("going").enabled();
        good.startEndingWith(0);
        bad.startEndingWith(5);
        going.startEndingWith(0);
        Proc goodInit = lab.containerd().initOf(good).orElseThrow();
        Proc badInit = lab.containerd().initOf(bad).orElseThrow();

        lab.containerd().kill();
        new Valve(lab.tardis()).close();
        lab.tardis().killDaemon();
        goodInit.end();
        badInit.end();
        lab.containerd().start();
        Outcome _ = lab.tardis().tardis("daemon", "--background").orFail();

        // Not lost yet, and not ended: containerd may still tell.
        assertThat(lab.tardis().status(good)).isEqualTo("running");
        try (LiveProcess waiting = lab.tardis().waitFor(good);
                LiveProcess alsoWaiting = lab.tardis().waitFor(bad)) {
            assertThat(waiting.awaitExit(LATE_WORD.plus(SOON))).isEqualTo(CANNOT_BE_KNOWN);
            assertThat(alsoWaiting.awaitExit(SOON)).isEqualTo(CANNOT_BE_KNOWN);
            assertThat(waiting.output()).doesNotContainPattern("(?m)^\\d+$");
        }
        assertLost(good);
        assertLost(bad);
        assertThat(lab.tardis().status(going)).isEqualTo("running");

        good.remove();
        bad.remove();
        assertLost(good);
        assertLost(bad);
        assertThat(lab.tardis().isKept(good)).isTrue();
        assertThat(lab.tardis().isKept(bad)).isTrue();
        // The one that outlived them all is watched again: ctr is still deaf.
        going.end();
        assertThat(going.remove()).isEqualTo(0);
        assertThat(lab.tardis().exitCode(going).path("source").asString("deaf"))
                .isIn("kernel", "deaf");
        assertThat(lab.tardis().isCleaned(going))
                .isEqualTo(lab.tardis().status(going).equals("exited"));
    }

    @ContainerTest
    void neverTellsZeroWhereTheShimWentWithTheRest() {
        Container container = lab.container("tc").enabled();
        container.startEndingWith(0);
        Proc init = lab.containerd().initOf(container).orElseThrow();

        lab.containerd().kill();
        lab.tardis().killDaemon();
        lab.containerd().killShimOf(container);
        init.end();
        lab.containerd().start();
        Outcome _ = lab.tardis().tardis("daemon", "--background");

        try (LiveProcess waiting = lab.tardis().waitFor(container)) {
            waiting.awaitExit(LATE_WORD.plus(SOON));
        }
        JsonNode answer = lab.tardis().exitCode(container);
        assertThat(answer.path("status").asString()).isIn("lost", "exited");
        if (answer.has("exit_code")) {
            // The real one, if the daemon was back before the process was reaped; or a made-up one.
            boolean real = answer.path("source").asString().equals("kernel");
            assertThat(answer.path("source").asString()).as("%s", answer).isIn("kernel", "assumed");
            assertThat(answer.path("exit_code").asInt() == 0).as("%s", answer).isEqualTo(real);
        }
        assertThat(lab.tardis().isCleaned(container) && answer.path("exit_code").asInt(-1) != 0)
                .isFalse();
    }

    @ContainerTest
    void doesNotTakeAnotherProcessForTheContainers() throws IOException {
        Container container = lab.container("tc").enabled();
        Path output = lab.scratch().folder("out").resolve("foreign");
        try (LiveProcess foreign = Command.of("sleep", "3600").start(output)) {
            Path directory = lab.tardis().containerDir(container);
            Outcome _ = lab.tardis().tardis("daemon", "--background").orFail();
            Outcome _ = lab.tardis().tardis("stop").orFail();
            Files.createDirectories(directory);
            Files.writeString(
                    directory.resolve("life.json"),
                    """
                    {"v":1,"life":"5f0c0000-0000-4000-8000-000000000000","namespace":"default",
                     "container_id":"tc","created_at":"2026-01-01T00:00:00Z","bundle":"/nowhere",
                     "pid":%d,"start_time":1}
                    """
                            .formatted(foreign.pid()));

            Outcome _ = lab.tardis().tardis("daemon", "--background").orFail();
            foreign.kill();

            try (LiveProcess waiting = lab.tardis().waitFor(container)) {
                assertThat(waiting.awaitExit(LATE_WORD.plus(SOON))).isEqualTo(CANNOT_BE_KNOWN);
            }
            assertLost(container);
            assertThat(lab.tardis().published(container)).isEmpty();
            assertThat(directory.resolve("life.json")).exists();
        }
    }

    private void assertLost(Container container) {
        JsonNode answer = lab.tardis().exitCode(container);
        assertThat(answer.path("status").asString()).as("%s", answer).isEqualTo("lost");
        assertThat(answer.has("exit_code")).as("%s", answer).isFalse();
        assertThat(lab.tardis().isCleaned(container)).isFalse();
        Outcome get = lab.tardis().tardis("get", container.name());
        assertThat(get.code()).isEqualTo(CANNOT_BE_KNOWN);
        assertThat(get.out()).isEmpty();
    }
}
