package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.extension.RegisterExtension;

/** When the daemon is started, and how it is when a container has started it. */
@RequiresContainers
class FirstContainerIT {

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    void noDaemonIsStartedWithoutAnEnabledContainer() {
        assertThat(lab.container("tc").run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.container("tc").sh("exit 3").code()).isEqualTo(3);
        assertThat(lab.container("tc").run("/no/such/program").code()).isEqualTo(1);
        assertThat(lab.tardis().runcCommand("--version").run().code()).isEqualTo(0);

        assertThat(lab.tardis().processes()).isEmpty();
        assertThat(lab.tardis().socket()).doesNotExist();
        assertThat(lab.tardis().pidFile()).doesNotExist();
    }

    @ContainerTest
    void firstEnabledContainerStartsDaemonAndIsRecorded() {
        Container container = lab.container("tc").enabled();

        Outcome run = container.sh("exit 3");

        assertThat(run.code()).isEqualTo(3);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).isEmpty();
        assertThat(lab.tardis().daemon()).isPresent();
        assertThat(lab.tardis().code(container)).isEqualTo("3");
        assertThat(lab.tardis().isKept(container)).isTrue();
    }

    @ContainerTest
    void firstEnabledContainerIsCleanedUpAfterZero() {
        Container container = lab.container("tc").enabled();

        assertThat(container.run("/bin/true").code()).isEqualTo(0);

        assertThat(lab.tardis().isCleaned(container)).isTrue();
        assertThat(lab.tardis().code(container)).isEqualTo("0");
    }

    @ContainerTest
    void daemonBelongsToNoContainer() {
        Container container = lab.container("tc").enabled();
        container.startEndingWith(0);

        Proc daemon = lab.tardis().runningDaemon();
        Proc shim = lab.containerd().shimOf(container);

        assertThat(daemon.session()).isGreaterThan(0).isNotEqualTo(shim.session());
        assertThat(daemon.workingDirectory()).isEqualTo(Path.of("/"));
        Map<Integer, String> open = daemon.descriptors();
        assertThat(open.get(0)).isEqualTo("/dev/null");
        // A pipe of its own, from which it logs what the JVM prints.
        assertThat(open.get(1)).startsWith("pipe:").isEqualTo(open.get(2));
        assertThat(daemon.environment())
                .containsEntry("LC_ALL", "C.UTF-8")
                .doesNotContainKeys("TARDIS_LAUNCHER", "LD_LIBRARY_PATH", "NOTIFY_SOCKET");
        assertThat(lab.tardis().log().lines()).doesNotHaveDuplicates();
        assertThat(open.values())
                .noneMatch(target -> target.startsWith(lab.containerd().folder("").toString()));
        Set<String> shared = new HashSet<>(shim.descriptors().values());
        shared.retainAll(open.values());
        assertThat(shared)
                .noneMatch(target -> target.startsWith("pipe:") || target.startsWith("socket:"));
    }

    @ContainerTest
    void daemonOutlivesContainerAndContainerd() {
        Container container = lab.container("tc").enabled();
        Outcome _ = container.run("/bin/true").orFail();
        Proc daemon = lab.tardis().runningDaemon();

        lab.containerd().stop();

        assertThat(daemon.isAlive()).isTrue();
        assertThat(lab.tardis().code(container)).isEqualTo("0");
    }

    @ContainerTest
    void laterContainersUseTheSameDaemon() {
        Outcome _ = lab.container("one").enabled().run("/bin/true").orFail();
        Proc daemon = lab.tardis().runningDaemon();

        Outcome _ = lab.container("two").enabled().run("/bin/true").orFail();

        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        assertThat(daemon.isAlive()).isTrue();
    }

    @ContainerTest
    void containersThatAreFirstAtOnceShareOneDaemon()
            throws InterruptedException, ExecutionException {
        List<Container> containers = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            containers.add(lab.container("tc" + i).enabled());
        }

        try (ExecutorService pool = Executors.newFixedThreadPool(containers.size())) {
            List<Future<Outcome>> runs = new ArrayList<>();
            for (Container container : containers) {
                runs.add(pool.submit(() -> container.sh("exit 3")));
            }
            for (Future<Outcome> run : runs) {
                assertThat(run.get().code()).isEqualTo(3);
            }
        }

        assertThat(
                        lab.tardis().processes().stream()
                                .filter(Proc::isAlive)
                                .filter(FirstContainerIT::isJava))
                .containsExactly(lab.tardis().runningDaemon());
        for (Container container : containers) {
            assertThat(lab.tardis().code(container)).isEqualTo("3");
            assertThat(lab.tardis().isKept(container)).isTrue();
        }
    }

    /** Its bounds are LauncherTest's; here, that a real daemon's reason is found and said once. */
    @ContainerTest
    void daemonThatCannotStartCostsTheFirstContainerAlone() throws IOException {
        Path config = Path.of(lab.tardis().setting("TARDIS_CONFIG"));
        Files.writeString(config, "TARDIS_NO_SUCH_SETTING=1\n");
        Path failure = lab.tardis().socket().resolveSibling("start-failed");

        assertThat(lab.container("first").enabled().sh("exit 3").code()).isEqualTo(3);
        Wait.until(
                () -> "end of the attempt: " + lab.tardis().processes(),
                SOON,
                () -> lab.tardis().processes().isEmpty());
        String remembered = Files.readString(failure);
        int failures = Integer.parseInt(remembered.lines().findFirst().orElse("").split("=", 2)[1]);
        // So that no other attempt falls due while the next ones run.
        String uptime = Files.readString(Path.of("/proc/uptime")).split("\\.", 2)[0];
        String later =
                remembered.replaceAll(
                        "retry_at_boot_ms=\\d+",
                        "retry_at_boot_ms=" + (Long.parseLong(uptime) + 58) * 1000);
        Files.writeString(failure, later);
        assertThat(lab.container("second").enabled().sh("exit 4").code()).isEqualTo(4);
        assertThat(lab.container("third").enabled().sh("exit 5").code()).isEqualTo(5);

        assertThat(remembered).contains("unknown key TARDIS_NO_SUCH_SETTING");
        assertThat(failure).hasContent(later);
        assertThat(lab.tardis().log().lines().filter(line -> line.contains("does not start")))
                .hasSize(failures);
        assertThat(failure.resolveSibling("missed"))
                .isDirectoryContaining(file -> file.toString().endsWith(":second"));
    }

    private static boolean isJava(Proc process) {
        return !process.arguments().isEmpty() && process.arguments().getFirst().endsWith("java");
    }
}
