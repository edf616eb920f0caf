package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The installation runs where it was built, and where it was copied to, from anywhere. */
@RequiresContainers
class InstallationIT {

    private static final int NO_DAEMON = 3;

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    void runsFromEveryWorkingDirectory() {
        for (Path directory :
                List.of(
                        Path.of("/"),
                        TardisInstallation.fromBuild().home(),
                        lab.scratch().folder("a b"))) {
            assertThat(lab.tardis().command("--version").in(directory).run().orFail().out())
                    .isNotEmpty();
            assertThat(lab.tardis().runcCommand("--version").in(directory).run().orFail().out())
                    .startsWith("runc version");
        }
    }

    @ContainerTest
    void worksWhereItWasCopiedTo() {
        TardisNode copy =
                lab.tardis().from(copyTo(lab.scratch().folder("copied here").resolve("tardis")));
        Container container =
                new Container(lab.containerd(), copy.runtime(), "default", "tc").enabled();
        startByAContainer(copy);

        assertThat(container.sh("exit 3").code()).isEqualTo(3);

        // The cache beside it is of another place: the JVM does without, and prints nothing.
        Outcome get = copy.tardis("get", container.name());
        assertThat(get.out()).isEqualTo("3\n");
        assertThat(get.err()).isEmpty();
        assertThat(copy.isKept(container)).isTrue();
        // The copied runtime has started the copied daemon.
        assertThat(String.join(" ", copy.runningDaemon().arguments())).contains("copied here");
    }

    @ContainerTest
    void startsFromWhatTheJvmLearned() throws IOException {
        assertThat(startsFromItsCache(lab.tardis())).isTrue();

        // Of another place, it is of no use; install.sh makes one for that place.
        TardisInstallation copied = copyTo(lab.scratch().folder("copied here").resolve("tardis"));
        Files.copy(cache(TardisInstallation.fromBuild()), cache(copied));
        assertThat(startsFromItsCache(lab.tardis().from(copied))).isFalse();
        Path directory = lab.scratch().folder("opt").resolve("tardis");
        Outcome install =
                Command.of(copied.home().resolve("install.sh").toString(), directory.toString())
                        .with(lab.tardis().environment())
                        .within(Duration.ofMinutes(2))
                        .run()
                        .orFail();

        assertThat(install.out().lines())
                .as("what aot-cache.sh says, none of it")
                .singleElement(STRING)
                .endsWith(" is installed as " + directory);
        assertThat(install.err()).isEmpty();
        TardisNode installed = lab.tardis().from(new TardisInstallation(directory));
        assertThat(startsFromItsCache(installed)).isTrue();
    }

    private static Path cache(TardisInstallation installation) {
        return installation.home().resolveSibling(installation.home().getFileName() + ".aot");
    }

    /** With AOTMode=on, a JVM that cannot use its cache does not start. */
    private static boolean startsFromItsCache(TardisNode node) {
        Outcome status = node.command("status").with("TARDIS_JAVA_OPTS", "-XX:AOTMode=on").run();
        return status.code() == NO_DAEMON
                && status.out().contains("no daemon runs on " + node.stateDir());
    }

    @ContainerTest
    void worksThroughLinks() throws IOException {
        TardisInstallation built = TardisInstallation.fromBuild();
        Path home = lab.scratch().folder("links");
        Path links = lab.scratch().folder("links/bin");
        Files.createSymbolicLink(links.resolve("tardis"), built.tardis());
        Files.createSymbolicLink(links.resolve("tardis-runc"), built.runc());
        TardisNode linked = lab.tardis().from(new TardisInstallation(home));
        Container container =
                new Container(lab.containerd(), linked.runtime(), "default", "tc").enabled();

        assertThat(container.sh("exit 3").code()).isEqualTo(3);

        assertThat(linked.code(container)).isEqualTo("3");
    }

    @ContainerTest
    void worksOnAFileSystemThatIsMountedReadOnly() {
        Path target = lab.scratch().folder("read-only");
        TardisInstallation built = TardisInstallation.fromBuild();
        Outcome _ =
                Command.of("mount", "--bind", built.home().toString(), target.toString())
                        .run()
                        .orFail();
        Outcome _ = Command.of("mount", "-o", "remount,ro,bind", target.toString()).run().orFail();
        TardisNode node = lab.tardis().from(new TardisInstallation(target));
        Container container =
                new Container(lab.containerd(), node.runtime(), "default", "tc").enabled();
        startByAContainer(node);

        assertThat(container.sh("exit 3").code()).isEqualTo(3);

        assertThat(node.code(container)).isEqualTo("3");
    }

    /** On a busy machine the first container does not wait for the daemon until it is there. */
    private void startByAContainer(TardisNode node) {
        Container first = new Container(lab.containerd(), node.runtime(), "default", "first");
        assertThat(first.enabled().sh("exit 0").code()).isZero();
        node.awaitDaemon();
    }

    /**
     * A first container, called with all that a caller can have set, or not have, that harms a JVM
     * or hides a bundle from it.
     */
    @ContainerTest
    void recordsAContainerWhateverTheSurroundings() throws IOException {
        Path script = lab.scratch().folder("home").resolve("create.sh");
        Files.writeString(
                script,
                """
                bundle=%1$s/jürgen/bundle
                mkdir -p "$bundle" %1$s/gone
                echo '{"process":{"env":["TARDIS_ENABLE=1"]}}' >"$bundle/config.json"
                unset HOME PATH LANG LC_ALL
                export JAVA_TOOL_OPTIONS=-Xnonsense _JAVA_OPTIONS=-Xnonsense JDK_JAVA_OPTIONS=-Xnonsense
                export LD_LIBRARY_PATH=%1$s CLASSPATH=/nowhere LC_CTYPE=POSIX
                cd %1$s/gone
                /bin/rmdir %1$s/gone
                umask 777
                exec <&- >&- 2>&- '%2$s' --root %1$s/default create --bundle "$bundle" tc
                """
                        .formatted(script.getParent(), lab.tardis().runtime()));
        TardisNode node = lab.tardis().with("TARDIS_REAL_RUNC_CMD", "/bin/true");

        Outcome _ =
                Command.of("/bin/sh", script.toString()).with(node.environment()).run().orFail();

        node.awaitDaemon();
        Container container = lab.container("tc");
        assertThat(node.isRegistered(container)).as("registered; log:\n" + node.log()).isTrue();
        Map<String, String> environment = node.runningDaemon().environment();
        assertThat(environment)
                .containsEntry("LC_ALL", "C.UTF-8")
                .doesNotContainKeys("JAVA_TOOL_OPTIONS", "LD_LIBRARY_PATH", "CLASSPATH");
        assertThat(node.runningDaemon().descriptors()).containsKeys(0, 1, 2);
        Wait.until("event source", SOON, () -> !node.sources().isEmpty());
        assertThat(node.sources().getFirst().environment())
                .doesNotContainKeys("JAVA_TOOL_OPTIONS", "LD_LIBRARY_PATH", "CLASSPATH");
    }

    private static TardisInstallation copyTo(Path target) {
        Outcome _ =
                Command.of(
                                "cp",
                                "-a",
                                TardisInstallation.fromBuild().home().toString(),
                                target.toString())
                        .run()
                        .orFail();
        return new TardisInstallation(target);
    }
}
