package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** An answer is about one life: neither an id nor a pid stands for it. */
@RequiresContainers
class LivesIT {

    @RegisterExtension static final Lab lab = Lab.withTardis();

    /** An id that was enabled, and lives again without that. */
    @ContainerTest
    void doesNotAnswerForALifeOfWhichNothingIsKept() {
        Container enabled = lab.freshContainer().enabled();
        Outcome _ = enabled.run("/bin/true").orFail();
        JsonNode first = lab.tardis().exitCode(enabled);
        assertThat(first.path("exit_code").asInt(-1)).isZero();
        Container plain = lab.container(enabled.id());

        plain.startEndingWith(7);
        Wait.until("the second life", SOON, () -> lab.tardis().status(plain).equals("unknown"));
        plain.end();
        assertThat(plain.remove()).isEqualTo(7);

        assertThat(lab.tardis().status(plain)).isEqualTo("unknown");
        JsonNode byLife = lab.tardis().exitCode(plain, first.path("life").asString());
        assertThat(byLife).isEqualTo(first);
    }

    @ContainerTest
    void publishesEachLifeWithItsOwnId() {
        Container container = lab.freshContainer().enabled();
        try (LiveProcess subscriber =
                lab.tardis()
                        .subscribeAndAwait(
                                "/tardis/begun/" + container.name() + "/",
                                "/tasks/exit/" + container.name() + "/")) {
            List<String> lives = new ArrayList<>();
            for (int code = 1; code <= 2; code++) {
                assertThat(container.sh("exit " + code).code()).isEqualTo(code);
                String life = lab.tardis().exitCode(container).path("life").asString();
                subscriber.awaitLine("begin", SOON, it -> isOf(it, "/tardis/begun/", life));
                subscriber.awaitLine("end", SOON, it -> isOf(it, "/tasks/exit/", life));
                lives.add(life);
            }
            assertThat(lives).doesNotHaveDuplicates();
            assertThat(lab.tardis().exitCode(container, lives.getFirst()).path("exit_code").asInt())
                    .isEqualTo(1);
        }
    }

    private static boolean isOf(String line, String topic, String life) {
        return line.startsWith(topic) && line.contains("\"life\":\"" + life + "\"");
    }

    /** runc refuses to delete what runs, and to create what is there. */
    @ContainerTest
    void goesOnAfterCallsThatRuncRefuses() {
        Container container = lab.freshContainer().enabled();
        container.startEndingWith(5);
        String root = lab.containerd().folder("runc").resolve(container.namespace()).toString();
        String bundle = lab.containerd().bundleOf(container).toString();

        for (List<String> call :
                List.of(
                        List.of("delete", container.id()),
                        List.of("create", "--bundle", bundle, container.id()))) {
            List<String> arguments = new ArrayList<>(List.of("--root", root));
            arguments.addAll(call);
            Outcome refused = lab.tardis().runcCommand(arguments.toArray(String[]::new)).run();
            assertThat(refused.code()).as("%s", refused).isNotEqualTo(0);
            assertThat(lab.tardis().status(container)).isEqualTo("running");
            assertThat(lab.tardis().isRegistered(container)).isTrue();
        }

        container.end();
        assertThat(container.remove()).isEqualTo(5);
        assertThat(lab.tardis().code(container)).isEqualTo("5");
    }

    /** {@code ctr tasks exec --exec-id ID ID}: the container runs on. */
    @ContainerTest
    void takesAnExecWithTheContainersIdForAnExec() {
        Container container = lab.freshContainer().enabled();
        container.startEndingWith(6);

        Outcome exec = container.exec(container.id(), "/bin/sh", "-c", "exit 5");

        assertThat(exec.code()).as("%s", exec).isEqualTo(5);
        Wait.until("exit of the exec", SOON, () -> !lab.tardis().published(container).isEmpty());
        assertThat(lab.tardis().published(container))
                .extracting(it -> it.path("exit_status").asInt())
                .containsExactly(5);
        assertThat(lab.tardis().published(container))
                .allMatch(it -> it.path("topic").asString().equals("/tasks/exec-exit"));
        assertThat(lab.tardis().status(container)).isEqualTo("running");
        container.end();
        assertThat(container.remove()).isEqualTo(6);
        assertThat(lab.tardis().code(container)).isEqualTo("6");
    }

    @ContainerTest
    void failedCreatesLeaveNoTrace() {
        Outcome _ = lab.freshContainer().enabled().run("/bin/true").orFail();
        List<Container> failed = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            Container container = lab.freshContainer().enabled();
            Outcome outcome = container.run("/nonexistent");
            assertThat(outcome.code()).as("%s", outcome).isNotEqualTo(0);
            failed.add(container);
        }

        for (Container container : failed) {
            assertThat(lab.tardis().containerDir(container)).doesNotExist();
            assertThat(lab.tardis().status(container)).isEqualTo("unknown");
        }
        assertThat(lab.tardis().tardis("ls", "--format", "id").orFail().out().lines())
                .doesNotContainAnyElementsOf(failed.stream().map(Container::id).toList());
    }
}
