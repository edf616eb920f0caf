package io.tardis.it;

import static io.tardis.it.TardisNode.LATE_REPORT;
import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Predicate;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The daemon is started where it cannot run, twice at once, or again and again. */
@RequiresContainers
class StartIT {

    private static final int BAD_SETUP = 2;
    private static final int NOT_KNOWN = 3;

    /**
     * A thread that worked for a launcher, or for a command that looked for the daemon, stays for
     * 60 s.
     */
    private static final Duration IDLE_THREADS_END = Duration.ofSeconds(90);

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    void eventsPortThatIsTakenIsNamed() {
        takenPortIsNamed("TARDIS_EVENTS_ENDPOINT");
    }

    @ContainerTest
    void queryPortThatIsTakenIsNamed() {
        takenPortIsNamed("TARDIS_QUERY_ENDPOINT");
    }

    private void takenPortIsNamed(String key) {
        lab.expectErrors();
        try (LiveProcess foreign = foreignServer(key)) {
            Outcome daemon = lab.tardis().command("daemon").run();

            assertThat(daemon.code()).as("%s", daemon).isEqualTo(BAD_SETUP);
            assertThat(daemon.err()).contains(lab.tardis().setting(key));
            assertThat(lab.container("tc").enabled().sh("exit 3").code()).isEqualTo(3);
            assertThat(foreign.isAlive()).isTrue();
        }
        Container after = lab.container("after").enabled();
        assertThat(after.run("/bin/true").code()).isEqualTo(0);
        assertThat(lab.tardis().isCleaned(after)).isTrue();
    }

    @ContainerTest
    void foreignServerThatAnswersZeroNeverMakesAnythingBeCleanedUp() {
        Container before = lab.container("before").enabled();
        before.startEndingWith(5);
        lab.tardis().killDaemon();
        lab.expectErrors();

        // It answers that every container ended with 0.
        try (LiveProcess _ = foreignServer("TARDIS_QUERY_ENDPOINT")) {
            before.end();
            assertThat(before.remove()).isEqualTo(5);
            Container during = lab.container("during").enabled();
            assertThat(during.sh("exit 3").code()).isEqualTo(3);

            assertThat(lab.tardis().isCleaned(before)).isFalse();
            assertThat(lab.tardis().log()).doesNotContain("is cleaned up");
        }
    }

    @ContainerTest
    @Timeout(600)
    void ofTwoThatStartAtOnceExactlyOneRuns() throws IOException {
        int times = Load.size("starts", 2);
        List<String> first = new ArrayList<>();
        for (int i = 0; i < times; i++) {
            try (LiveProcess one = lab.tardis().launchDaemon();
                    LiveProcess two = lab.tardis().launchDaemon()) {
                Wait.until(
                        () -> "end of one of two: " + one.output() + two.output(),
                        SOON,
                        () -> !one.isAlive() || !two.isAlive());
                LiveProcess loser = one.isAlive() ? two : one;
                LiveProcess winner = one.isAlive() ? one : two;
                assertThat(loser.awaitExit(SOON)).isEqualTo(TardisNode.ANOTHER_RUNS);
                lab.tardis().awaitDaemon();
                assertThat(winner.isAlive()).isTrue();
                assertThat(lab.tardis().runningDaemon().pid()).isEqualTo(winner.pid());
                assertThat(loser.output())
                        .contains("already runs on ", " as process " + winner.pid());
                winner.kill(); // leaves its pid file and socket to the next two
            }
            Wait.until(
                    () -> "end of " + lab.tardis().processes(),
                    SOON,
                    () -> lab.tardis().processes().isEmpty());
            List<String> left = files();
            if (i == 0) {
                first.addAll(left);
            }
            assertThat(left).as("files after %d", i).isEqualTo(first);
        }
    }

    @ContainerTest
    void pidFileOfSomebodyElseIsNotBelieved() throws IOException {
        Outcome _ = lab.tardis().tardis("daemon", "--background").orFail();
        lab.tardis().killDaemon();
        try (LiveProcess foreign = Command.of("sleep", "3600").start(output("foreign"))) {
            Files.writeString(lab.tardis().pidFile(), foreign.pid() + "\n");

            assertThat(lab.tardis().tardis("status").code()).isEqualTo(NOT_KNOWN);
            Outcome _ = lab.tardis().tardis("stop");
            assertThat(foreign.isAlive()).isTrue();
            Outcome _ = lab.tardis().tardis("daemon", "--background").orFail();
            assertThat(lab.tardis().runningDaemon().pid()).isNotEqualTo(foreign.pid());
            assertThat(foreign.isAlive()).isTrue();
        }
    }

    @ContainerTest
    void stateDirectoryThatIsALinkIsRefused() throws IOException {
        Path elsewhere = lab.scratch().folder("elsewhere");
        Files.createSymbolicLink(lab.tardis().stateDir(), elsewhere);

        refused("symbolic link");

        assertThat(elsewhere).isEmptyDirectory();
    }

    @ContainerTest
    void stateDirectoryOfAnotherUserIsRefused() throws IOException {
        Files.createDirectories(lab.tardis().stateDir());
        Outcome _ =
                Command.of("chown", "nobody", lab.tardis().stateDir().toString()).run().orFail();

        refused("nobody");
    }

    @ContainerTest
    void stateDirectoryThatAllUsersCanWriteIsClosed() throws IOException {
        Path state = Files.createDirectories(lab.tardis().stateDir());
        Files.setPosixFilePermissions(state, PosixFilePermissions.fromString("rwxrwxrwx"));

        lab.tardis().bringUpDaemon();

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(state)))
                .isEqualTo("rwx------");
    }

    private void refused(String reason) {
        lab.expectErrors();
        Outcome daemon = lab.tardis().command("daemon").run();

        assertThat(daemon.code()).as("%s", daemon).isEqualTo(BAD_SETUP);
        assertThat(daemon.err()).contains(lab.tardis().stateDir().toString(), reason);
        Outcome run = lab.container("tc").enabled().sh("exit 3");
        assertThat(run.code()).isEqualTo(3);
        assertThat(run.out() + run.err()).isEmpty();
    }

    @ContainerTest
    @Execution(ExecutionMode.CONCURRENT) // threads that are idle take half a minute to end
    @Timeout(600)
    void startsAndStopsLeaveNothingBehind() throws IOException {
        Container container = lab.container("tc").enabled();
        container.startEndingWith(5);
        Taken atFirst = takenAfterAFreshStart("a settled daemon", _ -> true);
        List<String> files = files();

        for (int i = 0; i < Load.size("starts", 2); i++) {
            end(i % 2 == 0);
            awaitNoProcess();
            lab.tardis().bringUpDaemon();
        }

        assertTakesNoMoreThan(atFirst);
        assertThat(files()).isEqualTo(files);
        container.end();
        assertThat(container.remove()).isEqualTo(5);
        assertThat(lab.tardis().code(container)).isEqualTo("5");
        assertThat(lab.tardis().isKept(container)).isTrue();
    }

    @ContainerTest
    @Execution(ExecutionMode.CONCURRENT) // threads that are idle take half a minute to end
    @Timeout(900)
    void startsAndStopsUnderLoadMakeNoCodeWrongAndLeaveNothingBehind() throws Exception {
        Container across = lab.container("tc").enabled();
        across.startEndingWith(5);
        Taken atFirst = takenAfterAFreshStart("a settled daemon", _ -> true);
        List<String> files = files();
        int most = Load.size("starts", 2);
        int starts = 0;

        Load load = Load.of(lab, Load.size("containers", 6));
        for (Container each : load.containers()) {
            // Only a clean-up removes it; one whose create found no daemon has nothing else to
            // show.
            Files.createDirectories(lab.tardis().checkpointDir(each));
        }
        try (ExecutorService pool = Executors.newSingleThreadExecutor()) {
            Future<?> run =
                    pool.submit(() -> {
                        load.run(2);
                        return null;
                    });
            while (starts < most || !run.isDone()) {
                end(starts++ % 2 == 0);
                lab.tardis().bringUpDaemon();
            }
            run.get();
        }

        System.out.printf("%d starts, sources of codes %s%n", starts, load.sources(lab.tardis()));
        assertThat(load.unsafe(lab.tardis())).isEmpty();
        // A start or a delete that was missed, too, is noticed.
        Wait.until(
                () -> "end of " + load.unsettled(lab.tardis()),
                LATE_REPORT.plus(SOON),
                () -> load.unsettled(lab.tardis()).isEmpty());
        assertTakesNoMoreThan(atFirst);
        assertThat(files()).isEqualTo(files);
        across.end();
        assertThat(across.remove()).isEqualTo(5);
        assertThat(lab.tardis().code(across)).isEqualTo("5");
        assertThat(lab.tardis().published(across)).hasSize(1);
    }

    private void end(boolean inOrder) {
        if (inOrder) {
            Outcome _ = lab.tardis().tardis("stop").orFail();
        } else {
            lab.tardis().daemon().ifPresent(lab.tardis()::kill);
        }
    }

    private void awaitNoProcess() {
        Wait.until(
                () -> "end of " + lab.tardis().processes(),
                SOON,
                () -> lab.tardis().processes().isEmpty());
    }

    /** What a daemon takes when ctr runs and no probe of the start is left. */
    private record Taken(int descriptors, int threads) {}

    private void assertTakesNoMoreThan(Taken before) {
        Taken _ =
                takenAfterAFreshStart(
                        "no more than " + before,
                        taken ->
                                taken.descriptors() <= before.descriptors()
                                        && taken.threads() <= before.threads());
    }

    private Taken takenAfterAFreshStart(String what, Predicate<Taken> settled) {
        Outcome _ = lab.tardis().tardis("stop").orFail();
        awaitNoProcess();
        long before = classesLoaded();
        lab.tardis().with("TARDIS_LOG_LEVEL", "DEBUG").bringUpDaemon();
        Proc daemon = lab.tardis().runningDaemon();
        // Each jar that it loads from takes a descriptor.
        Wait.until("all classes", SOON, () -> classesLoaded() > before);
        Wait.until(
                () ->
                        what
                                + ": "
                                + taken(daemon)
                                + ", processes "
                                + lab.tardis().processes()
                                + ", descriptors "
                                + daemon.descriptors(),
                IDLE_THREADS_END,
                () ->
                        lab.tardis().sources().size() == 1
                                && lab.tardis().processes().size() == 2
                                && settled.test(taken(daemon)));
        return taken(daemon);
    }

    private long classesLoaded() {
        return lab.tardis()
                .log()
                .lines()
                .filter(line -> line.contains("all classes are loaded"))
                .count();
    }

    private static Taken taken(Proc daemon) {
        return new Taken(daemon.descriptors().size(), daemon.threads());
    }

    @ContainerTest
    @Timeout(300)
    void whatASubscriberReceivedBeforeSigtermAmidAFloodIsInTheLog() {
        whatASubscriberReceivedBeforeSigtermIsInTheLog("flood100");
    }

    @ContainerTest
    @Timeout(300)
    void whatASubscriberReceivedBeforeSigtermAfterAFloodIsInTheLog() {
        whatASubscriberReceivedBeforeSigtermIsInTheLog("last");
    }

    private void whatASubscriberReceivedBeforeSigtermIsInTheLog(String lastBefore) {
        int exits = 10_000;
        TardisNode flooded = Flood.of(lab.tardis(), exits);
        List<JsonNode> received;
        try (LiveProcess daemon = flooded.startDaemon();
                LiveProcess subscriber = flooded.subscribe("/tasks/exit/")) {
            subscriber.awaitLine("heartbeat", SOON, line -> line.startsWith("/tardis/heartbeat/"));
            lab.scratch().folder("go");
            subscriber.awaitLine("some exits", SOON, line -> line.contains("/" + lastBefore + "/"));

            new Proc(daemon.pid()).signal("TERM");

            assertThat(daemon.awaitExit(SOON)).isEqualTo(0);
            assertThat(lab.tardis().pidFile()).doesNotExist();
            assertThat(lab.tardis().socket()).doesNotExist();
            awaitEndOfSource(flooded);
            received = exits(subscriber);
        }

        // The next one receives from containerd, and not the flood once more.
        lab.tardis().bringUpDaemon();
        Set<JsonNode> replayed = new HashSet<>(lab.tardis().replayAll());
        System.out.printf(
                "%d received until SIGTERM after %s, %d in the log%n",
                received.size(), lastBefore, replayed.size());
        assertThat(received).hasSizeGreaterThan(100);
        assertThat(received.stream().filter(event -> !replayed.contains(event))).isEmpty();
    }

    private static void awaitEndOfSource(TardisNode flooded) {
        Wait.until(
                () -> "end of " + flooded.processes(),
                SOON,
                // The one that is left is the subscriber, which has no settings.
                () -> flooded.processes().isEmpty());
    }

    /** Complete lines alone: the subscriber may be writing the next one. */
    private static List<JsonNode> exits(LiveProcess subscriber) {
        return subscriber.lines().stream()
                .filter(line -> line.startsWith("/tasks/exit/"))
                .map(line -> JsonMapper.shared().readTree(line.substring(line.indexOf('\t') + 1)))
                .toList();
    }

    @ContainerTest
    void endsWithinTwoSecondsOfSigtermUnderLoadAndKeepsWhatItReceived() throws Exception {
        Load load = Load.of(lab, Load.size("containers", 16));
        try (ExecutorService pool = Executors.newSingleThreadExecutor()) {
            Future<?> run =
                    pool.submit(() -> {
                        load.run(4);
                        return null;
                    });
            Wait.until("some ends", SOON, () -> !ended(load).isEmpty());
            Proc daemon = lab.tardis().runningDaemon();
            Proc source = onlySource();
            Map<String, JsonNode> before = ended(load);

            daemon.signal("TERM");

            Wait.until("end of the daemon", Duration.ofSeconds(2), () -> !daemon.isAlive());
            assertThat(source.isAlive()).isFalse();
            run.get();
            lab.tardis().bringUpDaemon(); // where no container came after its end
            assertThat(ended(load)).containsAllEntriesOf(before);
        }
        // What ended while no daemon ran may not be known.
        assertThat(load.unsafe(lab.tardis())).isEmpty();
        assertThat(lab.tardis().log()).contains("stopped");
    }

    /** The answers for those that have ended. */
    private Map<String, JsonNode> ended(Load load) {
        Map<String, JsonNode> answers = new TreeMap<>();
        for (JsonNode answer : lab.tardis().exitCodes(load.containers())) {
            if (answer.path("status").asString().equals("exited")) {
                answers.put(answer.path("container_id").asString(), answer);
            }
        }
        return answers;
    }

    /** containerd reports nothing meanwhile, by which ctr could notice that nothing reads it. */
    @ContainerTest
    void ctrEndsWithADaemonThatIsKilled() {
        lab.tardis().bringUpDaemon();
        lab.tardis().awaitReceiving(lab.container("probe"));
        Proc source = onlySource();
        // Threads of the daemon come and go with these, and none of them takes ctr along.
        for (int i = 0; i < 4; i++) {
            assertThat(lab.container("tc").enabled().run("/bin/true").code()).isEqualTo(0);
        }
        assertThat(onlySource()).isEqualTo(source);

        lab.tardis().killDaemon();

        Wait.until("end of " + source, Duration.ofSeconds(1), () -> !source.isAlive());
    }

    private Proc onlySource() {
        List<Proc> sources = lab.tardis().sources();
        assertThat(sources).hasSize(1);
        return sources.getFirst();
    }

    /** All but the records of containers. */
    private List<String> files() throws IOException {
        List<String> names = new ArrayList<>();
        for (Path folder :
                List.of(
                        lab.tardis().stateDir(),
                        Path.of(lab.tardis().setting("TARDIS_RUN_DIR")),
                        lab.tardis().logFile().getParent())) {
            try (var tree = Files.walk(folder)) {
                tree.filter(path -> !path.startsWith(lab.tardis().stateDir().resolve("containers")))
                        // That of missed calls may have been needed once, and is empty.
                        .filter(path -> !Files.isDirectory(path))
                        .map(Path::toString)
                        .sorted()
                        .forEach(names::add);
            }
        }
        return names;
    }

    /** Binds an endpoint, and answers every question with an exit code of 0. */
    private LiveProcess foreignServer(String key) {
        LiveProcess server =
                Command.of(
                                Machine.PYTHON,
                                TardisNode.script("foreign_server.py").toString(),
                                lab.tardis().setting(key))
                        .start(output("foreign-" + key));
        server.awaitLine("start", SOON, "ready"::equals);
        return server;
    }

    private Path output(String name) {
        return lab.scratch().folder("out").resolve(name);
    }
}
