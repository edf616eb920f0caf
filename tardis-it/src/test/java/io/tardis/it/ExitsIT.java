package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** How containers end, what is answered then, and what is cleaned up and kept. */
@RequiresContainers
class ExitsIT {

    /**
     * The longest wait at delete that there is: where Tardis waits for a code that will never come,
     * that is seen.
     */
    @RegisterExtension
    static final Lab lab = Lab.withTardis().setting("TARDIS_DELETE_WAIT_MS", "4000");

    @ContainerTest
    void cleansUpAfterZero() {
        Container container = lab.freshContainer().enabled();

        Outcome run = container.run("/bin/true");

        assertThat(run.code()).isEqualTo(0);
        assertCleaned(container);
    }

    @ContainerTest
    void keepsContainerThatEndedWithThree() {
        Container container = lab.freshContainer().enabled();

        Outcome run = container.sh("exit 3");

        assertThat(run.code()).isEqualTo(3);
        assertKept(container, 3);
    }

    @ContainerTest
    void keepsContainerThatWasKilled() {
        Container container = lab.freshContainer().enabled();
        container.start("/bin/sleep", "3600");

        container.end("SIGKILL");

        assertThat(container.remove()).isEqualTo(137);
        assertKept(container, 137);
    }

    @ContainerTest
    void keepsContainerWhoseProcessWasKilledFromOutside() {
        Container container = lab.freshContainer().enabled();
        container.start("/bin/sleep", "3600");

        lab.containerd().initOf(container).orElseThrow().signal("KILL");
        container.awaitStop();

        assertThat(container.remove()).isEqualTo(137);
        assertKept(container, 137);
    }

    @ContainerTest
    void keepsContainerThatCrashed() {
        Container container = lab.freshContainer().enabled();

        Outcome run = container.run(Rootfs.CRASH);

        assertThat(run.code()).isEqualTo(139);
        assertKept(container, 139);
    }

    @ContainerTest
    void keepsEveryCodeThatIsNotZero() {
        for (int code : new int[] {1, 2, 42, 126, 127, 128, 137, 143, 254, 255}) {
            Container container = lab.freshContainer().enabled();

            Outcome run = container.sh("exit " + code);

            assertThat(run.code()).isEqualTo(code);
            assertKept(container, code);
        }
    }

    @ContainerTest
    void answersRunningUntilTheEnd() {
        Container container = lab.freshContainer().enabled();

        container.startEndingWith(0);

        assertThat(status(container)).isEqualTo("running");
        assertThat(lab.tardis().isRegistered(container)).isTrue();
        assertThat(lab.tardis().tardis("get", container.name()).code()).isEqualTo(3);

        container.end();

        // An end is answered once it is reported; the container is kept until it is deleted.
        Wait.until("answered end", SOON, () -> status(container).equals("exited"));
        assertThat(lab.tardis().code(container)).isEqualTo("0");
        assertThat(lab.tardis().containerDir(container)).isDirectory();

        assertThat(container.remove()).isEqualTo(0);
        assertCleaned(container);
    }

    @ContainerTest
    void distinguishesAnotherProcessFromTheContainersOwn() {
        Container container = lab.freshContainer().enabled();
        container.startEndingWith(0);

        assertThat(container.exec("e1", "/bin/sh", "-c", "exit 42").code()).isEqualTo(42);
        Wait.until(
                "end of the exec published",
                SOON,
                () -> !lab.tardis().published(container).isEmpty());
        assertThat(status(container)).isEqualTo("running");
        container.end();

        assertThat(container.remove()).isEqualTo(0);
        assertCleaned(container);
        JsonNode exec = lab.tardis().published(container).getFirst();
        assertThat(exec.path("topic").asString()).isEqualTo("/tasks/exec-exit");
        assertThat(exec.path("id").asString()).isEqualTo("e1");
        assertThat(exec.path("exit_status").asInt()).isEqualTo(42);
    }

    @ContainerTest
    void keepsContainerThatEndedBadlyAfterAnotherProcessEndedWell() {
        Container container = lab.freshContainer().enabled();
        container.startEndingWith(9);

        assertThat(container.exec("e1", "/bin/true").code()).isEqualTo(0);
        container.end();

        assertThat(container.remove()).isEqualTo(9);
        assertKept(container, 9);
    }

    @ContainerTest
    void distinguishesSameIdInTwoNamespaces() {
        String id = lab.freshContainer().id();
        Container good = lab.container("good", id).enabled();
        Container bad = lab.container("bad", id).enabled();
        good.startEndingWith(0);
        bad.startEndingWith(3);

        bad.end();
        good.end();
        bad.remove();
        good.remove();

        assertCleaned(good);
        assertKept(bad, 3);
    }

    @ContainerTest
    void answersForTheLastLifeWhenThreeComesBeforeZero() {
        Container container = lab.freshContainer().enabled();

        Outcome _ = container.sh("exit 3");
        assertKept(container, 3);
        Outcome _ = container.run("/bin/true");

        assertCleaned(container);
    }

    @ContainerTest
    void answersForTheLastLifeWhenZeroComesBeforeThree() {
        Container container = lab.freshContainer().enabled();

        Outcome _ = container.run("/bin/true");
        assertCleaned(container);
        Outcome _ = container.sh("exit 3");

        assertKept(container, 3);
    }

    @ContainerTest
    void doesNotAnswerForALifeWithTheCodeOfTheOneBefore() {
        Container container = lab.freshContainer().enabled();
        Outcome _ = container.run("/bin/true");

        container.startEndingWith(4);

        assertThat(status(container)).isEqualTo("running");
        container.end();
        container.remove();
        assertKept(container, 4);
    }

    @ContainerTest
    void publishesButDoesNotKeepContainerThatIsNotEnabled() {
        // The daemon runs, and receives its end.
        Outcome _ = lab.freshContainer().enabled().run("/bin/true").orFail();
        Container container = lab.freshContainer();

        Outcome run = container.sh("exit 3");

        assertThat(run.code()).isEqualTo(3);
        Wait.until("its exit published", SOON, () -> !lab.tardis().published(container).isEmpty());
        JsonNode event = lab.tardis().published(container).getFirst();
        assertThat(event.path("topic").asString()).isEqualTo("/tasks/exit");
        assertThat(event.path("exit_status").asInt()).isEqualTo(3);
        assertThat(status(container)).isEqualTo("unknown");
        assertThat(lab.tardis().tardis("get", container.name()).code()).isEqualTo(3);
        assertThat(lab.tardis().isCleaned(container)).isTrue();
    }

    @ContainerTest
    void takesOnlyOneForEnabled() {
        Outcome _ = lab.freshContainer().enabled().run("/bin/true").orFail();
        Container zero = lab.freshContainer().with("TARDIS_ENABLE", "0");
        Container other = lab.freshContainer().with("NOT_TARDIS_ENABLE", "1");

        Outcome _ = zero.sh("exit 3");
        Outcome _ = other.sh("exit 3");

        assertThat(status(zero)).isEqualTo("unknown");
        assertThat(status(other)).isEqualTo("unknown");
        assertThat(lab.tardis().isCleaned(zero)).isTrue();
        assertThat(lab.tardis().isCleaned(other)).isTrue();
    }

    @ContainerTest
    void doesNotWaitForTheEndOfContainerThatWasNeverCreated() {
        Outcome _ = lab.freshContainer().enabled().run("/bin/true").orFail();
        Container container = lab.freshContainer().enabled();

        Instant begin = Instant.now();
        Outcome run = container.run("/no/such/program");
        Duration taken = Duration.between(begin, Instant.now());

        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains("/no/such/program").contains("no such file");
        Wait.assertTaken("the failed run", taken, Duration.ofMillis(3500));
        assertThat(lab.tardis().isRegistered(container)).isFalse();
        assertThat(status(container)).isEqualTo("unknown");

        Outcome again = container.run("/bin/true");

        assertThat(again.code()).isEqualTo(0);
        assertCleaned(container);
    }

    @ContainerTest
    void removesCheckpointAfterZeroAndKeepsItAfterAnotherCode() throws IOException {
        Pair pair = Pair.start(lab);
        Path goodFile = write(lab.tardis().checkpointDir(pair.good()).resolve("images/core.img"));
        Path badFile = write(lab.tardis().checkpointDir(pair.bad()).resolve("images/core.img"));

        pair.end();
        pair.remove();

        assertThat(goodFile).doesNotExist();
        assertThat(badFile).hasContent("precious");
        assertCleaned(pair.good());
        assertKept(pair.bad(), Pair.BAD);
    }

    @ContainerTest
    void doesNotFollowLinksWhenItRemoves() throws IOException {
        Container container = lab.freshContainer().enabled();
        Path outside = lab.scratch().folder("outside-" + container.id());
        Path precious = write(outside.resolve("file"));
        container.startEndingWith(0);
        Path inside = lab.tardis().containerDir(container);
        Files.createSymbolicLink(inside.resolve("folder-link"), outside);
        Files.createSymbolicLink(inside.resolve("file-link"), precious);
        Files.createDirectories(inside.resolve("deep"));
        Files.createSymbolicLink(inside.resolve("deep/up"), Path.of("../../../.."));
        Path checkpoint = lab.tardis().checkpointDir(container);
        Files.createDirectories(checkpoint.getParent());
        Files.createSymbolicLink(checkpoint, outside);

        container.end();
        container.remove();

        assertThat(precious).hasContent("precious");
        assertThat(outside).isDirectory();
        assertThat(lab.tardis().stateDir()).isDirectory();
        assertCleaned(container);
    }

    private static Path write(Path file) throws IOException {
        Files.createDirectories(file.getParent());
        return Files.writeString(file, "precious");
    }

    private static String status(Container container) {
        return lab.tardis().exitCode(container).path("status").asString();
    }

    /** Right after the delete: nothing needs time to settle. */
    private static void assertCleaned(Container container) {
        assertThat(lab.tardis().isCleaned(container)).as("%s is cleaned up", container).isTrue();
        assertThat(status(container)).isEqualTo("exited");
        assertThat(lab.tardis().code(container)).isEqualTo("0");
    }

    private static void assertKept(Container container, int code) {
        assertThat(lab.tardis().isKept(container)).as("%s is kept", container).isTrue();
        assertThat(lab.tardis().isRegistered(container)).isFalse();
        assertThat(status(container)).isEqualTo("exited");
        assertThat(lab.tardis().code(container)).isEqualTo(Integer.toString(code));
    }
}
