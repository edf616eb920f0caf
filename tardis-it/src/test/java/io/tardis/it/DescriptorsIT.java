package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** No descriptor is left: to the daemon, because of its clients, or to the launcher. */
@RequiresContainers
class DescriptorsIT {

    private static final Duration BOUND = Duration.ofSeconds(20);
    private static final int SPARE = 20;

    /** More than are spare, so that whatever is given back is taken at once. */
    private static final int CONNECTIONS = 100;

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    @Timeout(600)
    void noExitIsLostWhileTheDaemonHasNoDescriptorLeft() {
        Container during = lab.container("during").enabled();
        Outcome _ = lab.container("before").enabled().sh("exit 7");
        Pair pair = Pair.start(lab);
        Proc daemon = lab.tardis().runningDaemon();
        int descriptors = daemon.descriptors().size();
        Set<String> before = Set.copyOf(daemon.descriptors().values());
        lab.expectErrors();

        try (LiveProcess waiting = pair.waitForBad()) {
            Wait.until(
                    "connection of the waiter",
                    SOON,
                    () ->
                            daemon.descriptors().values().stream()
                                    .anyMatch(it ->
                                            it.startsWith("socket:") && !before.contains(it)));
            try (LiveProcess _ = useUpDescriptors(daemon)) {
                bounded(during, 3);
                bounded(lab.container("plain"), 4);
                pair.end();
            }
            assertCodeOrReason(waiting);
        }

        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        pair.awaitCodes();
        lab.tardis().awaitCode(during, 3, SOON);
        assertThat(lab.tardis().code(lab.container("before"))).isEqualTo("7");
        // The daemon may have missed the delete: until it has read the launcher's note, the life is
        // open.
        Wait.until("delete of " + during, SOON, () -> lab.tardis().isKept(during));
        assertThat(lab.tardis().published(during)).hasSize(1);
        pair.remove();
        pair.assertCleanedAndKept();
        Container next = lab.container("next").enabled();
        assertThat(next.run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.tardis().isCleaned(next)).isTrue();
        assertThat(lab.tardis().log().lines().filter(line -> line.contains("Too many open files")))
                .as("logged, but not again and again")
                .hasSizeBetween(1, 40);
        Wait.until(
                () -> "descriptors given back: " + daemon.descriptors(),
                SOON,
                () -> daemon.descriptors().size() <= descriptors + 5);
    }

    @ContainerTest
    void theLauncherNeedsNoDescriptorToBecomeTheRuntime() throws IOException {
        // Without a descriptor no dynamic loader can work: busybox has none.
        Path runtime = Files.copy(Programs.find("busybox"), folder("runtime").resolve("true"));
        // In the file, which takes a descriptor to read, and with another runtime on PATH.
        Files.writeString(
                Path.of(lab.tardis().setting("TARDIS_CONFIG")),
                "TARDIS_REAL_RUNC_CMD=" + runtime + "\n");
        Files.createSymbolicLink(folder("other").resolve("runc"), Programs.find("false"));
        TardisNode node =
                lab.tardis()
                        .with("TARDIS_REAL_RUNC_CMD", "")
                        .with("PATH", folder("other") + ":" + System.getenv("PATH"));
        Path bundle = folder("bundle");
        Files.writeString(
                bundle.resolve("config.json"), "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");

        for (int left = 0; left <= 3; left++) {
            Outcome outcome =
                    node.runcCommandBy(
                                    List.of("prlimit", "--nofile=" + (3 + left)),
                                    "--root",
                                    folder("runc").toString(),
                                    "create",
                                    "--bundle",
                                    bundle.toString(),
                                    "tc")
                            .run();

            assertThat(outcome.code()).as("%d descriptors left: %s", left, outcome).isEqualTo(0);
            assertThat(outcome.out() + outcome.err()).isEmpty();
        }
        assertThat(lab.tardis().socket().resolveSibling("missed"))
                .isDirectoryContaining(file -> file.toString().endsWith(":tc"));
        lab.expectErrors();
    }

    /** Connections that the daemon takes until it cannot; they end with the process. */
    private LiveProcess useUpDescriptors(Proc daemon) {
        int limit = daemon.descriptors().size() + SPARE;
        Outcome _ =
                Command.of(
                                "prlimit",
                                "--pid",
                                Long.toString(daemon.pid()),
                                "--nofile=" + limit + ":" + limit)
                        .run()
                        .orFail();
        LiveProcess client = lab.tardis().badClient("many", "TARDIS_QUERY_ENDPOINT", CONNECTIONS);
        client.awaitLine("start", SOON, "ready"::equals);
        // The kernel keeps two, which are not shown, for the accepts that wait for launchers and
        // for commands.
        Wait.until(
                () -> "end of the descriptors: " + daemon.descriptors().size() + " of " + limit,
                SOON,
                () -> daemon.descriptors().size() >= limit - 2);
        return client;
    }

    /**
     * A waiter has printed the code, or why it is not known just then, and never another code.
     * Which of the two depends on who gets the last descriptors, and that is left to chance.
     */
    private static void assertCodeOrReason(LiveProcess waiting) {
        assertThat(waiting.awaitExit(SOON) + "\n" + waiting.output())
                .matches(
                        "0\n%d\n|[1-9]\\d*\n(?s:.*\\(unavailable\\).*Too many open files.*)"
                                .formatted(Pair.BAD));
    }

    private void bounded(Container container, int code) {
        Instant begin = Instant.now();
        assertThat(container.sh("exit " + code).code()).isEqualTo(code);
        assertThat(Duration.between(begin, Instant.now())).isLessThan(BOUND);
    }

    private Path folder(String name) {
        return lab.scratch().folder(name);
    }
}
