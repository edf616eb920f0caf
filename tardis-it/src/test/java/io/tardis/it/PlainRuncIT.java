package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The tests' own tools, checked with plain runc: what they report of a container is true. */
@RequiresContainers
class PlainRuncIT {

    @RegisterExtension static final Lab lab = Lab.withPlainRunc();

    @ContainerTest
    void returnsExitCodes() {
        assertThat(lab.freshContainer().run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.freshContainer().sh("exit 3").code()).isEqualTo(3);
        assertThat(lab.freshContainer().run(Rootfs.CRASH).code()).isEqualTo(139);
    }

    @ContainerTest
    void returnsOutputAndPassesInputAndEnvironment() {
        Container container = lab.freshContainer().with("COLOUR", "blue").input("hello\n");

        Outcome outcome = container.sh("read line; echo $line $COLOUR; echo oops >&2");

        assertThat(outcome.out()).isEqualTo("hello blue\n");
        assertThat(outcome.err()).isEqualTo("oops\n");
    }

    @ContainerTest
    void endsContainerWhenAsked() {
        Container container = lab.freshContainer();
        container.startEndingWith(5);

        container.end();

        assertThat(container.hasStopped()).isTrue();
        assertThat(container.remove()).isEqualTo(5);
    }

    @ContainerTest
    void killsContainerFromOutside() {
        Container container = lab.freshContainer();
        container.start("/bin/sleep", "3600");

        container.end("SIGKILL");

        assertThat(container.remove()).isEqualTo(137);
    }

    @ContainerTest
    void returnsCodeOfAnotherProcess() {
        Container container = lab.freshContainer();
        container.startEndingWith(0);

        assertThat(container.exec("e1", "/bin/sh", "-c", "exit 42").code()).isEqualTo(42);

        container.end();
        assertThat(container.remove()).isEqualTo(0);
    }

    @ContainerTest
    void runsSameIdInTwoNamespaces() {
        Container one = lab.container("one", "same");
        Container two = lab.container("two", "same");

        one.startEndingWith(1);
        two.startEndingWith(2);
        one.end();
        two.end();

        assertThat(one.remove()).isEqualTo(1);
        assertThat(two.remove()).isEqualTo(2);
    }

    @ContainerTest
    void keepsContainersWhenContainerdIsKilled() {
        Container container = lab.freshContainer();
        container.startEndingWith(6);

        lab.containerd().kill();
        lab.containerd().start();
        container.end();

        assertThat(container.remove()).isEqualTo(6);
    }

    @ContainerTest
    void killsShimOfOneContainerOnly() {
        Container victim = lab.freshContainer();
        Container bystander = lab.freshContainer();
        victim.startEndingWith(0);
        bystander.startEndingWith(7);
        Proc init = lab.containerd().initOf(victim).orElseThrow();

        lab.containerd().killShimOf(victim);

        Wait.until("end of " + init, SOON, () -> !init.isAlive());
        bystander.end();
        assertThat(bystander.remove()).isEqualTo(7);
    }

    /** Not repeated with the others' containerd: this one is closed by the test. */
    @Test
    void leavesNothingBehind() {
        List<Path> sockets;
        List<Path> cgroups;
        Scratch scratch = Scratch.create();
        try (scratch) {
            Containerd containerd = new Containerd(scratch, Map.of());
            try (containerd) {
                containerd.start();
                String runc = Programs.find("runc").toString();
                Container running = new Container(containerd, runc, "one", "running");
                Container orphan = new Container(containerd, runc, "two", "orphan");
                Container shimless = new Container(containerd, runc, "two", "shimless");
                running.start("/bin/sleep", "3600");
                orphan.start("/bin/sleep", "3600");
                shimless.start("/bin/sleep", "3600");
                assertThat(new Container(containerd, runc, "one", "bad").run("/no/such").code())
                        .isEqualTo(1);
                sockets = containerd.shimSockets();
                cgroups = containerd.cgroups();
                containerd.killShimOf(shimless);
                containerd.kill();
            }
            assertThat(containerd.cgroups()).isEmpty();
            assertThat(containerd.shims()).isEmpty();
            assertThat(scratch.mounts()).isEmpty();
        }

        assertThat(sockets).hasSizeGreaterThanOrEqualTo(3).noneMatch(Files::exists);
        assertThat(cgroups).hasSizeGreaterThanOrEqualTo(3);
        assertThat(scratch.root()).doesNotExist();
        assertThat(Proc.naming(scratch.root())).isEmpty();
    }
}
