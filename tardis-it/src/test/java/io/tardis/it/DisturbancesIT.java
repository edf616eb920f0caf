package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A process is killed, stopped or hangs. Containers never suffer, and no end is ever wrongly
 * answered with 0.
 */
@RequiresContainers
class DisturbancesIT {

    /**
     * containerd gives up on a runtime call of its clean-up after 5 s; a container has four calls.
     */
    private static final Duration BOUND = Duration.ofSeconds(20);

    /** Half a second for a daemon that does not answer, once for all calls; and processes. */
    private static final Duration CALL = Duration.ofSeconds(3);

    private static final int AT_ONCE = 8;

    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_CTR_CMD", Valve::command);

    @ContainerTest
    void receivesFromContainerdAgainAfterItsRestart() {
        Container before = lab.container("before").enabled();
        Container good = lab.container("good").enabled();
        Container bad = lab.container("bad").enabled();
        Outcome _ = before.sh("exit 3");
        Proc daemon = lab.tardis().runningDaemon();

        lab.containerd().kill();
        lab.containerd().start();
        lab.tardis().awaitReceiving(lab.container("probe"));
        assertThat(good.run("/bin/true").code()).isEqualTo(0);
        assertThat(bad.sh("exit 4").code()).isEqualTo(4);

        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        assertThat(lab.tardis().code(before)).isEqualTo("3");
        assertThat(lab.tardis().code(good)).isEqualTo("0");
        assertThat(lab.tardis().isCleaned(good)).isTrue();
        assertThat(lab.tardis().code(bad)).isEqualTo("4");
        assertThat(lab.tardis().isKept(bad)).isTrue();
    }

    @ContainerTest
    void recordsContainerThatRunsAcrossARestartOfContainerd() {
        Container container = lab.container("tc").enabled();
        container.startEndingWith(5);

        lab.containerd().stop();
        lab.containerd().start();
        lab.tardis().awaitReceiving(lab.container("probe"));
        container.end();

        assertThat(container.remove()).isEqualTo(5);
        assertThat(lab.tardis().code(container)).isEqualTo("5");
        assertThat(lab.tardis().isKept(container)).isTrue();
    }

    @ContainerTest
    void containersSurviveTheDaemonAndNoOtherCodeIsAnsweredForWhatItMissed() {
        Container earlier = lab.container("earlier").enabled();
        Outcome _ = earlier.sh("exit 7");
        Pair pair = Pair.start(lab);
        Valve valve = new Valve(lab.tardis());

        // The deletes start another daemon, which misses them: what ctr reports is held back.
        valve.close();
        lab.tardis().killDaemon();
        pair.end();
        pair.remove();
        // On a busy machine they did not wait for it.
        lab.tardis().awaitDaemon();
        valve.open();
        lab.tardis().awaitReceiving(lab.container("probe"));

        Container next = lab.container("next").enabled();
        assertThat(next.run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.tardis().code(next)).isEqualTo("0");
        assertThat(lab.tardis().isCleaned(next)).isTrue();
        // What was on disk is still answered.
        assertThat(lab.tardis().code(earlier)).isEqualTo("7");
        // A shim that is asked before it has deleted its task has the code.
        lab.tardis().awaitCodeOrLoss(pair.good(), 0);
        lab.tardis().awaitCodeOrLoss(pair.bad(), Pair.BAD);
    }

    @ContainerTest
    void codeOfAnEndWithoutADaemonIsTheOneThatTheShimKnows() {
        Pair pair = Pair.start(lab);

        lab.tardis().killDaemon();
        pair.end();
        lab.tardis().bringUpDaemon();
        pair.awaitCodes();
        pair.remove();

        assertThat(lab.tardis().exitCode(pair.bad()).path("source").asString()).isEqualTo("shim");
        pair.assertCleanedAndKept();
    }

    @ContainerTest
    void daemonThatWasKilledIsReplacedByTheNextContainer() {
        Outcome _ = lab.container("one").enabled().run("/bin/true").orFail();
        Proc killed = lab.tardis().runningDaemon();
        lab.tardis().killDaemon();
        // Its socket is still there, and dead.
        assertThat(lab.tardis().socket()).exists();

        Container next = lab.container("two").enabled();
        assertThat(next.sh("exit 3").code()).isEqualTo(3);

        assertThat(lab.tardis().runningDaemon()).isNotEqualTo(killed);
        assertThat(lab.tardis().code(next)).isEqualTo("3");
    }

    /** As tmpfiles or a cleaning script does it: the socket, or all of its directory. */
    @ContainerTest
    void daemonWhoseSocketIsRemovedIsReachedAgain() throws IOException {
        lab.tardis().bringUpDaemon();
        Path socket = lab.tardis().socket();
        Proc daemon = lab.tardis().runningDaemon();
        for (boolean withItsDirectory : List.of(false, true)) {
            Files.delete(socket);
            if (withItsDirectory) {
                Scratch.delete(Path.of(lab.tardis().setting("TARDIS_RUN_DIR")));
            }
            Wait.until(
                    () -> "socket; log:\n" + lab.tardis().log(), SOON, () -> Files.exists(socket));

            Container good = lab.container("good-" + withItsDirectory).enabled();
            Container bad = lab.container("bad-" + withItsDirectory).enabled();
            assertThat(good.run("/bin/true").code()).isEqualTo(0);
            assertThat(bad.sh("exit 4").code()).isEqualTo(4);

            assertThat(lab.tardis().isCleaned(good)).isTrue();
            assertThat(lab.tardis().code(bad)).isEqualTo("4");
        }
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
    }

    @ContainerTest
    void deadSocketDoesNotHoldContainersThatAreNotEnabled() {
        Outcome _ = lab.container("one").enabled().run("/bin/true").orFail();
        lab.tardis().killDaemon();

        Outcome run = bounded(lab.container("two"), "exit 3");

        assertThat(run.code()).isEqualTo(3);
        assertThat(lab.tardis().daemon()).isEmpty();
    }

    @ContainerTest
    void containersStartAndStopWhileTheDaemonHangs() {
        Container before = lab.container("before").enabled();
        before.startEndingWith(6);
        Proc daemon = lab.tardis().runningDaemon();

        daemon.signal("STOP");
        Outcome enabled = bounded(lab.container("enabled").enabled(), "exit 3");
        Outcome plain = bounded(lab.container("plain"), "exit 4");
        before.end();
        Instant begin = Instant.now();
        int code = before.remove();
        Duration taken = Duration.between(begin, Instant.now());
        daemon.signal("CONT");

        assertThat(enabled.code()).isEqualTo(3);
        assertThat(plain.code()).isEqualTo(4);
        assertThat(code).isEqualTo(6);
        assertThat(taken).isLessThan(BOUND);
        assertThat(lab.tardis().isCleaned(before)).isFalse();
        // It receives everything when it goes on: containerd waited for a reader that stayed
        // connected.
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        Wait.until("answer", SOON, () -> status(before).equals("exited"));
        assertThat(lab.tardis().code(before)).isEqualTo("6");
        Container next = lab.container("next").enabled();
        assertThat(next.run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.tardis().isCleaned(next)).isTrue();
    }

    /** Each call by itself, without containerd, which would kill one that takes too long. */
    @ContainerTest
    @Timeout(300)
    void noCallTakesLongWhileTheDaemonHangs() throws Exception {
        Path bundle = lab.scratch().folder("bundle");
        Files.writeString(
                bundle.resolve("config.json"), "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");
        Files.writeString(bundle.resolve("init.pid"), Long.toString(ProcessHandle.current().pid()));
        try (LiveProcess _ = lab.tardis().startDaemon()) {
            Proc daemon = lab.tardis().runningDaemon();
            daemon.signal("STOP");
            try {
                for (int atOnce : List.of(1, AT_ONCE)) {
                    List<String> ids =
                            IntStream.range(0, atOnce).mapToObj(i -> atOnce + "-" + i).toList();
                    Duration create = longest(ids, "create", "--bundle", bundle.toString());
                    Duration start = longest(ids, "start");
                    Duration delete = longest(ids, "delete");
                    Duration again = longest(ids, "delete", "--force");
                    System.out.printf(
                            "%d at once, and the daemon hangs: create %d ms, start %d, delete %d, again %d%n",
                            atOnce,
                            create.toMillis(),
                            start.toMillis(),
                            delete.toMillis(),
                            again.toMillis());
                    assertThat(List.of(create, start, delete, again))
                            .allMatch(it -> it.compareTo(CALL) < 0);
                }
                // It is the process that has the ports, and no other.
                Outcome doctor = lab.tardis().tardis("doctor");
                assertThat(doctor.code()).isEqualTo(1);
                assertThat(doctor.out())
                        .contains("FAIL  daemon", ", the daemon's\n")
                        .doesNotContain("FAIL  events", "FAIL  queries");
            } finally {
                daemon.signal("CONT");
            }
            assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        }
    }

    /** The time of the slowest of calls that begin at the same time. */
    private Duration longest(List<String> ids, String... command) throws Exception {
        TardisNode node =
                lab.tardis().with("TARDIS_REAL_RUNC_CMD", Programs.find("true").toString());
        try (ExecutorService pool = Executors.newFixedThreadPool(ids.size())) {
            List<Callable<Duration>> calls = new ArrayList<>();
            for (String id : ids) {
                List<String> arguments = new ArrayList<>(List.of("--root", "/run/default"));
                arguments.addAll(List.of(command));
                arguments.add(id);
                Command call = node.runcCommand(arguments.toArray(String[]::new));
                calls.add(() -> {
                    Instant begin = Instant.now();
                    Outcome _ = call.run().orFail();
                    return Duration.between(begin, Instant.now());
                });
            }
            Duration longest = Duration.ZERO;
            for (Future<Duration> call : pool.invokeAll(calls)) {
                longest = call.get().compareTo(longest) > 0 ? call.get() : longest;
            }
            return longest;
        }
    }

    @ContainerTest
    void socketThatNeverAnswersDoesNotHoldContainers() throws IOException {
        Files.createDirectories(lab.tardis().socket().getParent());
        try (ServerSocketChannel silent = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            // Connections succeed, since the kernel queues them, but nobody takes them.
            silent.bind(UnixDomainSocketAddress.of(lab.tardis().socket()));

            Outcome plain = bounded(lab.container("plain"), "exit 3");
            Outcome enabled = bounded(lab.container("enabled").enabled(), "exit 4");

            assertThat(plain.code()).isEqualTo(3);
            assertThat(enabled.code()).isEqualTo(4);
        }
        lab.expectErrors();
    }

    @ContainerTest
    void stateDirThatCannotBeWrittenDoesNotHoldContainers() throws IOException {
        // Root writes everywhere, but not into a file.
        Files.writeString(lab.tardis().stateDir(), "in the way");

        Outcome run = bounded(lab.container("tc").enabled(), "exit 3");

        assertThat(run.code()).isEqualTo(3);
        assertThat(run.out() + run.err()).isEmpty();
        lab.expectErrors();
    }

    private static Outcome bounded(Container container, String script) {
        Instant begin = Instant.now();
        Outcome run = container.sh(script);
        assertThat(Duration.between(begin, Instant.now())).as("time of %s", run).isLessThan(BOUND);
        return run;
    }

    private String status(Container container) {
        return lab.tardis().exitCode(container).path("status").asString();
    }
}
