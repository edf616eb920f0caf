package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.wire.Health;
import io.tardis.testkit.CapturedLog;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.event.Level;

/** Small shell scripts stand in for {@code ctr events}. */
@Timeout(60)
class EventSourceTest {

    @TempDir private Path directory;
    private final RecordingInbox sink = new RecordingInbox();
    private Optional<EventSource> started = Optional.empty();

    @AfterEach
    void endTheSource() {
        started.ifPresent(EventSource::close);
    }

    @Test
    void deliversEveryLineInOrder() throws IOException {
        int count = 100_000;
        Path lines = directory.resolve("lines");
        Files.write(
                lines,
                IntStream.rangeClosed(1, count)
                        .mapToObj(i -> CtrLines.exit("c" + i, i, 0))
                        .toList());

        start(script("cat " + lines + "; exec sleep 60"));

        assertThat(sink.awaitExits(count).stream().mapToLong(it -> it.exit().pid()).toArray())
                .isEqualTo(LongStream.rangeClosed(1, count).toArray());
        assertThat(sink.gaps()).isEmpty();
    }

    @Test
    void deliversALineWhenItIsThereAndNotLater() {
        start(script(echo(CtrLines.exit("tc", 100, 42)) + "; exec sleep 60"));

        assertThat(sink.awaitExits(1).getFirst().exit().exitStatus()).isEqualTo(42);
    }

    @Test
    void givesCtrOneProcessor() {
        Path processors = directory.resolve("processors");
        start(
                script(
                        "echo $GOMAXPROCS > %s; %s; exec sleep 60"
                                .formatted(processors, echo(CtrLines.exit("tc", 100, 0)))));

        sink.awaitExits(1);
        assertThat(processors).hasContent("1");
    }

    @Test
    void passesLinesOfOtherTopicsOver() {
        String other = "2026-11-23 02:54:57.8 +0000 UTC default /images/create {}";
        start(script(echo(other) + "; " + echo(CtrLines.exit("tc", 100, 0)) + "; exec sleep 60"));

        sink.awaitExits(1);
        assertThat(sink.received()).hasSize(1);
    }

    @Test
    void startsAgainWhateverTheSourceEndsWith() {
        Path life = directory.resolve("life");
        start(
                script(
                        """
                        echo x >> LIFE; n=$(wc -l < LIFE)
                        EXIT
                        case $n in 1) exit 0;; 2) exit 7;; 3) kill -9 $$;; *) exec sleep 60;; esac
                        """
                                .replace("LIFE", life.toString())
                                .replace("EXIT", echo(CtrLines.exit("tc", 100, 0)))));

        sink.awaitExits(4);
        assertThat(sink.gaps())
                .extracting(Inbox.Signal.Missed::reason)
                .satisfiesExactly(
                        first -> assertThat(first).endsWith("ended with 0"),
                        second -> assertThat(second).endsWith("ended with 7"),
                        third -> assertThat(third).endsWith("ended with 137"));
        assertThat(started.orElseThrow().health().starts()).isEqualTo(4);
    }

    @Test
    void isWellWhileItsSourceRunsAlsoWithoutALine() {
        start(script("exec sleep 60"));
        await().until(() -> started.orElseThrow().health().running());

        Health.Source health = started.orElseThrow().health();

        assertThat(health.ok()).isTrue();
        assertThat(health.startedAt()).isPresent();
        assertThat(health.lines()).isZero();
        assertThat(health.lastLineAt()).isEmpty();
        assertThat(health.lastEnd()).isEmpty();
    }

    @Test
    void countsTheLinesOfItsSource() {
        start(script("echo x; " + echo(CtrLines.exit("tc", 100, 0)) + "; exec sleep 60"));
        sink.awaitExits(1);

        Health.Source health = started.orElseThrow().health();

        assertThat(health.lines()).isEqualTo(2);
        assertThat(health.lastLineAt()).isPresent();
    }

    /** As where TARDIS_CTR_CMD names another program. */
    @Test
    void isNotWellWhileNothingThatItsSourceSaysIsAnEvent() {
        Path there = directory.resolve("there");
        start(
                script(
                        "echo hello; while ! [ -e %s ]; do sleep 0.01; done; %s; exec sleep 60"
                                .formatted(there, echo(CtrLines.exit("tc", 100, 0)))));
        await().until(() ->
                started.orElseThrow()
                        .health()
                        .lastEnd()
                        .contains("has printed no event of containerd"));
        assertThat(started.orElseThrow().health().ok()).isFalse();

        assertThat(there.toFile().mkdir()).isTrue();

        await().until(() -> started.orElseThrow().health().ok());
        assertThat(started.orElseThrow().health().lastEnd()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "/no/such/ctr|events, /no/such/ctr",
        "sh|-c|echo no such address >&2; exit 1, no such address",
        "true, ended with 0"
    })
    void isNotWellWhileItsSourceEndsSoonAfterEachStart(String command, String reason) {
        start(List.of(command.split("\\|")));
        await().until(() -> !started.orElseThrow().health().lastEnd().isEmpty());

        // Also at a moment when it has just been started once more.
        for (int i = 0; i < 1_000; i++) {
            Health.Source health = started.orElseThrow().health();
            assertThat(health.ok()).isFalse();
            assertThat(health.lastEnd()).contains(reason).doesNotContain("\n");
        }
    }

    @Test
    void isWellAgainWhenItsSourceReportsSomething() {
        Path there = directory.resolve("there");
        start(
                script(
                        "[ -e %s ] || exit 1; %s; exec sleep 60"
                                .formatted(there, echo(CtrLines.exit("tc", 100, 0)))));
        await().until(() -> started.orElseThrow().health().starts() > 2);
        assertThat(started.orElseThrow().health().ok()).isFalse();

        assertThat(there.toFile().mkdir()).isTrue();

        await().until(() -> started.orElseThrow().health().ok());
    }

    @Test
    void reportsEachEndAfterTheLinesBeforeIt() {
        Path life = directory.resolve("life");
        start(
                script(
                        "echo x >> %1$s; [ $(wc -l < %1$s) -gt 2 ] && exec sleep 60; %2$s"
                                .formatted(life, echo(CtrLines.exit("tc", 100, 0)))));

        sink.awaitGaps(2);
        assertThat(sink.received())
                .satisfiesExactly(
                        it -> assertThat(it).isInstanceOf(CtrEvent.Exit.class),
                        it -> assertThat(it).isInstanceOf(Inbox.Signal.Missed.class),
                        it -> assertThat(it).isInstanceOf(CtrEvent.Exit.class),
                        it -> assertThat(it).isInstanceOf(Inbox.Signal.Missed.class));
    }

    /** What was missed began when the source was last read, not at the last failed start. */
    @Test
    void reportsTheSameBeginningOfAGapUntilALineIsReadAgain() {
        Path life = directory.resolve("life");
        start(
                script(
                        "echo x >> %1$s; [ $(wc -l < %1$s) = 3 ] && %2$s"
                                .formatted(life, echo(CtrLines.exit("tc", 100, 0)))));

        List<Inbox.Signal.Missed> gaps = sink.awaitGaps(5);
        Instant begin = gaps.get(0).from();
        assertThat(gaps.get(1).from()).isEqualTo(begin);
        assertThat(gaps.get(2).from()).isAfter(begin);
        assertThat(gaps.get(3).from()).isEqualTo(gaps.get(2).from());
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "1, 0",
        "2, 50",
        "3, 100",
        "4, 200",
        "5, 200",
        "100, 200",
        "101, 1000",
        "2147483647, 1000"
    })
    void startsAgainAtOnceAndThenEverMoreSlowly(int endsInARow, long millis) {
        assertThat(EventSource.delayAfter(endsInARow)).isEqualTo(Duration.ofMillis(millis));
    }

    /** A command that prints something and ends must not be started a thousand times a second. */
    @ParameterizedTest
    @ValueSource(strings = {"exit 1", "echo usage: ctr [command]; exit 0"})
    void slowsDownForASourceThatEndsAtOnce(String command) {
        long begin = System.nanoTime();

        start(script(command));

        sink.awaitGaps(5);
        assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isGreaterThanOrEqualTo(Duration.ofMillis(50 + 100 + 200));
    }

    @Test
    void drainsStandardError() {
        start(
                script(
                        "i=0; while [ $i -lt 5000 ]; do echo %s >&2; i=$((i+1)); done; %s; exec sleep 60"
                                .formatted(
                                        "noise".repeat(100), echo(CtrLines.exit("tc", 100, 0)))));

        sink.awaitExits(1);
    }

    /** The reason is on standard error; it must not be lost in the rush of the end. */
    @Test
    void reportsTheLastLineOfStandardErrorEachTime() {
        start(script("echo first >&2; echo connection refused >&2; exit 1"));

        assertThat(sink.awaitGaps(6))
                .allSatisfy(
                        it -> assertThat(it.reason()).endsWith("ended with 1: connection refused"));
    }

    @Test
    void reportsThatALineBrokeOff() {
        String half = CtrLines.exit("tc", 100, 0);
        start(script("printf '%s' '" + half.substring(0, half.length() - 20) + "'"));

        sink.awaitGaps(1);
        assertThat(sink.exits()).isEmpty();
        assertThat(sink.received().getFirst()).isInstanceOf(CtrEvent.Malformed.class);
    }

    /** Whole as it looks, nobody knows what would have followed. */
    @Test
    void takesALineWithoutItsNewlineForBroken() {
        start(script("printf '%s' '" + CtrLines.exit("tc", 100, 0) + "'"));

        sink.awaitGaps(1);
        assertThat(sink.exits()).isEmpty();
        assertThat(sink.received().getFirst())
                .isInstanceOfSatisfying(
                        CtrEvent.Malformed.class,
                        it -> assertThat(it.reason()).contains("in the middle of the line"));
    }

    @Test
    void reportsACommandThatIsNotThereAndGoesOnTrying() throws IOException {
        Path command = directory.resolve("late-ctr");
        start(List.of(command.toString()));
        assertThat(sink.awaitGaps(3))
                .extracting(Inbox.Signal.Missed::reason)
                .allSatisfy(it -> assertThat(it).contains(command.toString(), "not found"));

        Path beside = directory.resolve("beside");
        Files.writeString(
                beside, "#!/bin/sh\n" + echo(CtrLines.exit("tc", 100, 0)) + "\nexec sleep 60\n");
        Files.setPosixFilePermissions(beside, PosixFilePermissions.fromString("rwx------"));
        Files.move(beside, command);

        sink.awaitExits(1);
    }

    @Test
    void logsARepeatedFailureOnce() {
        try (CapturedLog log = new CapturedLog(EventSource.class)) {
            start(script("exit 1"));
            sink.awaitGaps(4);

            assertThat(log.at(Level.WARN)).singleElement().asString().endsWith("ended with 1");
        }
    }

    @Test
    void endsASourceThatClosesItsOutputAndLivesOn() {
        start(script(echo(CtrLines.exit("tc", 4, 0)) + "; exec >&-; exec sleep 60"));

        assertThat(sink.awaitGaps(1)).isNotEmpty();
    }

    @Test
    void saysThatASourceCannotBeEnded() throws IOException, InterruptedException {
        Process process = new ProcessBuilder("sleep", "60").start();
        try {
            assertThat(CtrProcess.howItEnded(process)).contains("cannot be ended");
        } finally {
            process.destroyForcibly().waitFor();
        }
        assertThat(CtrProcess.howItEnded(process)).isEqualTo("ended with 137");
    }

    @Test
    void givesTheSourceNoInput() {
        start(script("read line || " + echo(CtrLines.exit("tc", 100, 0)) + "; exec sleep 60"));

        sink.awaitExits(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "exec sleep 60",
                "trap '' TERM; while :; do sleep 0.1; done",
            })
    void endsTheSourceWhenClosed(String waiting) {
        EventSource source = start(script(echoOwnPid() + "; " + waiting));
        long pid = sink.awaitExits(1).getFirst().exit().pid();

        source.close();

        assertThat(isAlive(pid)).isFalse();
        assertThat(sink.gaps()).as("an end that was wanted is no gap").isEmpty();
    }

    @Test
    void endsWhatTheSourceItselfStartedWhenClosed() {
        // The helper holds the pipe: were it left, the reader would never see the end.
        EventSource source =
                start(
                        script(
                                "sleep 60 & "
                                        + echo(CtrLines.exit("tc", 7777777, 0))
                                                .replace("7777777", "'$!'")
                                        + "; wait"));
        long helper = sink.awaitExits(1).getFirst().exit().pid();

        source.close();

        await().atMost(Duration.ofSeconds(10)).until(() -> !isAlive(helper));
        assertThat(threadNames()).doesNotContain("tardis-listener-events");
    }

    /** The kernel would end the source with the thread that forked it. */
    @Test
    void endsNoProcessWithTheThreadThatStartedTheSource() throws IOException, InterruptedException {
        Path go = directory.resolve("go");
        CompletableFuture<Path> task = new CompletableFuture<>();
        Thread starter =
                new Thread(() -> {
                    start(
                            script(
                                    echo(CtrLines.exit("tc", 1, 0))
                                            + "; while [ ! -e "
                                            + go
                                            + " ]; do sleep 0.05; done; "
                                            + echo(CtrLines.exit("tc", 2, 0))
                                            + "; exec sleep 60"));
                    sink.awaitExits(1);
                    task.complete(ownTask());
                });

        starter.start();
        starter.join();
        Path ended = task.join();
        await().until(() -> !Files.exists(ended));
        Files.writeString(go, "");

        sink.awaitExits(2);
        assertThat(sink.gaps()).isEmpty();
        assertThat(started.orElseThrow().health().starts()).isEqualTo(1);
    }

    @Test
    void leavesNoThreadBehind() {
        EventSource source = start(script(echo(CtrLines.exit("tc", 1, 0)) + "; exec sleep 60"));
        sink.awaitExits(1);

        source.close();
        source.close();

        assertThat(threadNames()).doesNotContain("tardis-listener-events");
    }

    @Test
    void startsNothingAfterItWasClosed() {
        EventSource source =
                new EventSource(script("exec sleep 60"), sink.inbox(), InstantSource.system());
        source.close();

        source.start();
        source.close();

        assertThat(source.health().starts()).isZero();
    }

    private EventSource start(List<String> command) {
        EventSource source = new EventSource(command, sink.inbox(), InstantSource.system());
        started = Optional.of(source);
        source.start();
        return source;
    }

    private static List<String> script(String text) {
        return List.of("/bin/sh", "-c", text);
    }

    private static String echo(String line) {
        return "echo '" + line + "'";
    }

    /** An exit line whose pid is the script's own. */
    private static String echoOwnPid() {
        return echo(CtrLines.exit("tc", 7777777, 0)).replace("7777777", "'$$'");
    }

    /** The calling thread, as the kernel shows it while it lives. */
    private static Path ownTask() {
        try {
            return Path.of("/proc").resolve(Files.readSymbolicLink(Path.of("/proc/thread-self")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean isAlive(long pid) {
        return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
    }

    private static String threadNames() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .collect(Collectors.joining("\n"));
    }
}
