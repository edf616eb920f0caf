package io.tardis.store;

import static io.tardis.store.Exits.AT;
import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.exec;
import static io.tardis.store.Exits.exit;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.config.RecordScope;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.wire.Answer.Backlog;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.wire.Topic;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.core.zmq.ZmqSubscriber;
import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.ChildJvm;
import io.tardis.testkit.HandClock;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.event.Level;

@Timeout(60)
class ExitRecorderTest {

    @TempDir private Path directory;
    private final HandClock clock = new HandClock();
    private final InMemoryExitLog log = new InMemoryExitLog();
    private final EndCache ends = new EndCache(log);
    private final Unwritten unwritten =
            new Unwritten(TestSettings.LIMITS.maxUnwritten(), Long.MAX_VALUE);
    private final List<Set<ContainerKey>> told = new CopyOnWriteArrayList<>();

    /** Whose lives cannot be read from the registry. */
    private volatile @Nullable ContainerKey unreadable;

    private ZmqContext context;
    private ZmqPublisher publisher;
    private ContainerRegistry registry;
    private ExitRecorder recorder;

    @BeforeEach
    void subscribe() {
        context = new ZmqContext(_ -> {});
        publisher = context.publisher(List.of("inproc://events"));
        registry = new ContainerRegistry(directory);
        recorder = recorder(RecordScope.ALL);
    }

    @AfterEach
    void close() {
        log.disk.release(1_000);
        recorder.close();
        publisher.close();
        context.close();
    }

    @Test
    void writesWhatIsPublishedInOrder() {
        recorder.start();
        for (long seq = 1; seq <= 100; seq++) {
            publish(exit(seq, TC, seq, 0));
        }

        awaitThat(() -> log.numbers().size() == 100);
        assertThat(log.numbers())
                .containsExactlyElementsOf(LongStream.rangeClosed(1, 100).boxed().toList());
    }

    @Test
    void writesInOneGroupWhatArrivesDuringACommit() {
        log.stopTheDisk();
        recorder.start();
        publish(exit(1, TC, 1, 0));
        awaitThat(() -> log.attempts.get() == 1);
        for (long seq = 2; seq <= 501; seq++) {
            publish(exit(seq, TC, seq, 0));
        }

        log.disk.release(1_000);

        awaitThat(() -> log.numbers().size() == 501);
        assertThat(log.groups).startsWith(1).hasSizeLessThan(10);
    }

    @Test
    void tellsOfAnEndAfterItsCommitAndNotBefore() {
        log.stopTheDisk();
        recorder.start();
        publish(exit(1, TC, 1, 3));
        awaitThat(() -> log.attempts.get() == 1);
        assertThat(told).isEmpty();

        log.disk.release();

        awaitThat(() -> !told.isEmpty());
        assertThat(told).containsExactly(Set.of(TC));
        assertThat(ends.latest(TC).orElseThrow().durable()).isTrue();
    }

    /** Or who waits is told that it is lost, while its code is about to be on disk. */
    @Test
    void tellsThatALifeIsLostAfterTheExitsBeforeItAreRecorded() {
        log.stopTheDisk();
        recorder.start();
        publish(exec(1, TC, 1, 0));
        awaitThat(() -> log.attempts.get() == 1);
        publish(exit(2, TC, 2, 3));
        Published lost = new Published.Lost(2, TC, "5f0c");
        publisher.send(PublishedCodec.topic(lost), PublishedCodec.encode(lost));

        log.disk.release();
        awaitThat(() -> log.attempts.get() == 2);
        assertThat(told).isEmpty();
        log.disk.release();

        awaitThat(() -> told.size() == 2);
        assertThat(log.numbers()).containsExactly(1L, 2L);
    }

    @Test
    void recordsWhatCameBeforeAnExitThatWaitsForTheRegistry() throws IOException {
        recorder.close();
        recorder = recorder(RecordScope.ENABLED);
        registry.update(
                registry.register(TC, directory, AT.minusSeconds(1)).withInit(InitProcess.of(100)));
        unreadable = container("unreadable");
        try (CapturedLog messages = new CapturedLog(ExitRecorder.class)) {
            publish(exit(1, TC, 100, 3));
            publish(exit(2, container("unreadable"), 200, 4));
            recorder.start();

            awaitThat(() -> isToldOf(TC));
            assertThat(log.numbers()).containsExactly(1L);
            assertThat(messages.at(Level.ERROR)).hasSize(1);
            unreadable = null;
            awaitThat(() -> log.numbers().equals(List.of(1L, 2L)));
        }
    }

    @Test
    void tellsOfNoEndWhereThereIsNone() {
        recorder.start();
        publish(exec(1, TC, 1, 3));
        publish(exit(2, container("end"), 1, 3));

        awaitThat(() -> !told.isEmpty());
        assertThat(told).containsExactly(Set.of(container("end")));
        assertThat(log.numbers()).containsExactly(1L, 2L);
    }

    @Test
    void keepsCodesOfEnabledLivesOnly() throws IOException {
        recorder.close();
        recorder = recorder(RecordScope.ENABLED);
        registry.update(
                registry.register(TC, directory, AT.minusSeconds(1)).withInit(InitProcess.of(100)));
        recorder.start();
        publish(exit(1, container("other"), 50, 1));
        publish(exit(2, TC, 100, 2));

        awaitThat(() -> log.numbers().size() == 2);
        awaitThat(() -> !told.isEmpty());
        assertThat(told).containsExactly(Set.of(TC));
        assertThat(ends.latest(container("other"))).isEmpty();
    }

    @Test
    void keepsInMemoryWhatTheDiskDoesNotTakeAndWritesItLater() {
        log.failsToWrite = true;
        try (CapturedLog messages = new CapturedLog(ExitRecorder.class)) {
            recorder.start();
            publish(exit(1, TC, 1, 3));
            awaitThat(() -> isToldOf(TC));
            assertThat(ends.latest(TC).orElseThrow().durable()).isFalse();
            publish(exec(2, TC, 2, 0));
            publish(exit(3, container("b"), 3, 0));
            awaitThat(() -> isToldOf(container("b")));
            awaitThat(() -> log.attempts.get() >= 3);
            assertThat(messages.at(Level.ERROR)).as("told once").hasSize(1);
            assertThat(log.numbers()).isEmpty();
            awaitThat(() -> unwritten.backlog().equals(new Backlog(false, 3, 0)));

            log.failsToWrite = false;

            awaitThat(() -> log.numbers().equals(List.of(1L, 2L, 3L)));
            awaitThat(() -> ends.notRecorded().isEmpty());
            assertThat(ends.latest(TC).orElseThrow().durable()).isTrue();
            assertThat(unwritten.backlog()).isEqualTo(Backlog.NONE);
        }
    }

    @Test
    void givesUpWhatEndsNoLifeFirstWhenTooManyWaitForTheDisk() {
        int max = TestSettings.LIMITS.maxUnwritten();
        log.failsToWrite = true;
        try (CapturedLog messages = new CapturedLog(ExitRecorder.class)) {
            recorder.start();
            publish(exit(1, TC, 1, 3));
            publish(exec(2, TC, 2, 0));
            publish(exec(3, TC, 3, 0));
            for (long seq = 4; seq <= max + 2; seq++) {
                publish(exit(seq, container("c" + seq), seq, 0));
            }
            awaitThat(() -> unwritten.backlog().equals(new Backlog(false, max, 2)));
            assertThat(ends.latest(TC)).isPresent();

            publish(exit(max + 3, container("last"), 4, 0));
            awaitThat(() -> unwritten.backlog().equals(new Backlog(false, max, 3)));

            assertThat(ends.latest(TC)).as("the oldest end").isEmpty();
            assertThat(messages.at(Level.ERROR))
                    .filteredOn(it -> it.contains("TARDIS_MAX_UNWRITTEN"))
                    .as("told once")
                    .hasSize(1);
            log.failsToWrite = false;
            awaitThat(() -> log.numbers().size() == max);
            assertThat(log.numbers())
                    .containsExactlyElementsOf(LongStream.rangeClosed(4, max + 3).boxed().toList());
            awaitThat(() -> unwritten.backlog().equals(new Backlog(true, 0, 3)));
            assertThat(ends.notRecorded()).isEmpty();
        }
    }

    /** As many as can be set, with names as long as they can be, do not fit the heap. */
    @Test
    void livesWithAsManyUnwrittenExitsAsCanBeSet() throws Exception {
        int count = 200_000;
        try (ChildJvm child =
                ChildJvm.start(
                        FloodedRecorder.class, directory.toString(), String.valueOf(count))) {
            String line = child.line();
            while (line != null && !line.matches("(kept|died).*")) {
                line = child.line(); // the log
            }
            Matcher told =
                    Pattern.compile(
                                    "kept (\\d+), given up (\\d+), the first given up, the last kept")
                            .matcher(String.valueOf(line));

            assertThat(told.matches()).as(line).isTrue();
            long kept = Long.parseLong(told.group(1));
            assertThat(kept).isGreaterThan(30_000);
            assertThat(kept + Long.parseLong(told.group(2))).isEqualTo(count);
        }
    }

    /** Each attempt writes all that is pending: one for each exit would be ever more work. */
    @Test
    void triesAFailingDiskEverySecondAndNotForEveryExit() {
        log.failsToWrite = true;
        try (CapturedLog messages = new CapturedLog(ExitRecorder.class)) {
            recorder.start();
            for (int i = 1; i <= 200; i++) {
                ContainerKey container = container("c" + i);
                publish(exit(i, container, i, 0));
                awaitThat(() -> isToldOf(container));
            }

            assertThat(log.attempts.get()).isLessThan(100);
            assertThat(messages.at(Level.ERROR)).hasSize(1);
            log.failsToWrite = false;
            awaitThat(() -> log.numbers().size() == 200);
        }
    }

    @Test
    void passesOverWhatItCannotRead() {
        try (CapturedLog messages = new CapturedLog(ExitRecorder.class)) {
            recorder.start();
            publisher.send(Topic.exitOf(TC), "no JSON".getBytes(StandardCharsets.UTF_8));
            publisher.send(Topic.exitOf(TC), new byte[0]);
            publisher.send(Topic.exitOf(TC), "{\"v\":2}".getBytes(StandardCharsets.UTF_8));
            publish(exit(1, TC, 1, 0));

            awaitThat(() -> log.numbers().equals(List.of(1L)));
            assertThat(messages.at(Level.ERROR)).hasSize(3);
        }
    }

    @Test
    void writesAllThatHasArrivedBeforeItEnds() {
        int backlog = 5_000;
        for (long seq = 1; seq <= backlog; seq++) {
            publish(exec(seq, TC, seq, 0));
        }
        recorder.start();

        recorder.close();

        assertThat(log.numbers()).hasSize(backlog);
    }

    @Test
    void tellsWhatItCouldNotWriteBeforeItEnds() {
        log.failsToWrite = true;
        try (CapturedLog messages = new CapturedLog(ExitRecorder.class)) {
            recorder.start();
            publish(exit(1, TC, 1, 0));
            awaitThat(() -> isToldOf(TC));

            recorder.close();

            assertThat(messages.at(Level.ERROR)).anyMatch(it -> it.startsWith("1 exits"));
        }
    }

    @Test
    void removesWhatIsOlderThanTheSettingsSay() {
        recorder.start();

        awaitThat(() -> !log.pruned.isEmpty());
        assertThat(log.pruned)
                .containsExactly(
                        new InMemoryExitLog.Pruned(
                                clock.instant().minus(TestSettings.REPLAY),
                                clock.instant().minus(TestSettings.RETENTION)));
    }

    @Test
    void answersNoMoreWithAnEndThatWasRemoved() {
        End end = Exits.end("life", 0, exit(1, TC, 1, 3));
        log.append(List.of(new Recorded(end.event(), Optional.of(end))));
        assertThat(ends.latest(TC)).isPresent();
        log.old.add(end);

        recorder.start();

        awaitThat(() -> ends.latest(TC).isEmpty());
    }

    @Test
    void mayBeClosedTwiceAndWithoutAStart() {
        recorder.close();
        recorder = recorder(RecordScope.ALL);
        recorder.start();
        recorder.close();
        recorder.close();
    }

    private ExitRecorder recorder(RecordScope scope) {
        ZmqSubscriber subscriber =
                context.subscriber(
                        "inproc://events", List.of(Topic.EXIT, Topic.EXEC_EXIT, Topic.LOST));
        return new ExitRecorder(
                subscriber,
                log,
                lives(new LifeStates(registry, scope, _ -> {})),
                ends,
                unwritten,
                told::add,
                TestSettings.of(directory, "tcp://127.0.0.1:1", scope),
                clock);
    }

    private ExitRecorder.Lives lives(LifeStates states) {
        return new ExitRecorder.Lives() {
            @Override
            public Optional<End> endOf(ExitEvent event) {
                if (event.exit().container().equals(unreadable)) {
                    throw new UncheckedIOException(new IOException("too many open files"));
                }
                return states.endOf(event);
            }

            @Override
            public boolean forget(ContainerKey container, String lifeId) {
                return states.forget(container, lifeId);
            }
        };
    }

    private boolean isToldOf(ContainerKey container) {
        return told.stream().anyMatch(it -> it.contains(container));
    }

    private void publish(ExitEvent event) {
        Published message = new Published.Exit(event);
        publisher.send(PublishedCodec.topic(message), PublishedCodec.encode(message));
    }

    private static void awaitThat(Callable<Boolean> condition) {
        await().pollInterval(Duration.ofMillis(2)).atMost(Duration.ofSeconds(30)).until(condition);
    }
}
