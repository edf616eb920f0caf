package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.begun;
import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.exec;
import static io.tardis.store.Exits.exit;
import static io.tardis.store.Exits.keptAfter;
import static io.tardis.store.Exits.life;
import static io.tardis.store.Exits.lost;
import static io.tardis.store.Exits.notKept;
import static io.tardis.store.Exits.ofLife;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.figures.Meter;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Backlog;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Lost;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Answer.Unknown;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.wire.Topic;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.core.zmq.ZmqSubscriber;
import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.ChildJvm;
import io.tardis.testkit.HandClock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
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
    private final LifeCache lives = new LifeCache(log);
    private final Unwritten unwritten =
            new Unwritten(TestSettings.LIMITS.maxUnwritten(), Long.MAX_VALUE);
    private final List<List<String>> notified = new CopyOnWriteArrayList<>();

    private ZmqContext context;
    private ZmqPublisher publisher;
    private ExitRecorder recorder;

    @BeforeEach
    void subscribe() {
        context = new ZmqContext(_ -> {});
        publisher = context.publisher(List.of("inproc://events"));
        recorder = recorder();
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
    void notifiesOfAnEndAfterItsCommitAndNotBefore() {
        log.stopTheDisk();
        recorder.start();
        publish(end(1, TC, 3));
        awaitThat(() -> log.attempts.get() == 1);
        assertThat(notified).isEmpty();

        log.disk.release();

        awaitThat(() -> !notified.isEmpty());
        assertThat(notified).containsExactly(List.of("life-1"));
        assertThat(newest(TC)).matches(ExitRecorderTest::isDurable);
    }

    /** Or a waiter would be answered that it is lost, while its code is about to be on disk. */
    @Test
    void notifiesThatALifeIsLostAfterTheExitsBeforeItAreRecorded() {
        log.stopTheDisk();
        recorder.start();
        publish(exec(1, TC, 1, 0));
        awaitThat(() -> log.attempts.get() == 1);
        publish(end(2, TC, 3));
        publish(lost(life("gone", 0), container("gone")));

        log.disk.release();
        awaitThat(() -> log.attempts.get() == 2);
        assertThat(notified).isEmpty();
        log.disk.release();

        awaitThat(() -> notified.equals(List.of(List.of("life-2", "gone"))));
        assertThat(log.numbers()).containsExactly(1L, 2L);
        assertThat(newest(container("gone"))).isInstanceOf(Lost.class);
    }

    @Test
    void recordsALifeFromItsBeginToItsEnd() {
        Published.Begun begun = begun(life("life-2", 2), TC, 2);
        recorder.start();
        publish(begun);
        awaitThat(() -> newest(TC).equals(new Running(TC, Optional.of(begun))));
        assertThat(notified).isEmpty();

        publish(lost(life("life-2", 2), TC));
        awaitThat(() -> newest(TC).equals(new Lost(TC, Optional.of(begun))));
        publish(end(2, TC, 3));
        awaitThat(() -> newest(TC) instanceof Exited);

        awaitThat(() -> notified.equals(List.of(List.of("life-2"), List.of("life-2"))));
    }

    @Test
    void notifiesOfNoEndWhereThereIsNone() {
        recorder.start();
        publish(exec(1, TC, 1, 3));
        publish(exit(2, TC, 2, 3));
        publish(begun(life("open", 0), container("open"), 3));
        publish(new Published.Exit(ofLife(life("open", 0), exec(3, container("open"), 4, 3))));
        publish(end(4, container("end"), 3));

        awaitThat(() -> !notified.isEmpty());
        assertThat(notified).containsExactly(List.of("life-4"));
        assertThat(log.numbers()).containsExactly(1L, 2L, 3L, 4L);
    }

    @Test
    void keepsCodesOfKeptLivesOnly() {
        recorder.start();
        publish(ofLife(notKept("other", 0), exit(1, container("other"), 50, 1)));
        publish(lost(notKept("gone", 0), container("gone")));
        publish(end(2, TC, 2));

        awaitThat(() -> log.numbers().size() == 2);
        awaitThat(() -> !notified.isEmpty());
        assertThat(notified).containsExactly(List.of("life-2"));
        assertThat(newest(container("other"))).isEqualTo(new Unknown(container("other")));
        assertThat(newest(container("gone"))).isEqualTo(new Unknown(container("gone")));
    }

    /** A life that is not kept says something only where another one would be answered. */
    @Test
    void recordsTheBeginOfALifeThatIsNotKeptOnlyAfterOthers() {
        recorder.start();
        publish(begun(notKept("alone", 0), container("alone"), 1));
        publish(end(1, TC, 2));
        publish(begun(notKept("in-one-group", 5), TC, 2));
        awaitThat(() -> !notified.isEmpty());
        awaitThat(() -> newest(TC).equals(new Unknown(TC)));
        publish(end(6, TC, 3));
        awaitThat(() -> newest(TC) instanceof Exited);
        publish(begun(notKept("after", 7), TC, 3));
        awaitThat(() -> newest(TC).equals(new Unknown(TC)));

        assertThat(log.knows(TC)).isTrue();
        assertThat(log.knows(container("alone"))).isFalse();
    }

    @Test
    void recordsTheBeginOfALifeThatIsNotKeptAfterOneThatIsInMemoryOnly() {
        log.failsToWrite = true;
        try (CapturedLog _ = new CapturedLog(ExitRecorder.class)) {
            recorder.start();
            publish(end(1, TC, 0));
            awaitThat(() -> isNotifiedOf("life-1"));
            publish(begun(notKept("second", 2), TC, 2));
            publish(begun(notKept("alone", 0), container("alone"), 1));

            awaitThat(() -> newest(TC).equals(new Unknown(TC)));
            log.failsToWrite = false;
            awaitThat(() -> log.numbers().equals(List.of(1L)));
            assertThat(newest(TC)).isEqualTo(new Unknown(TC));
            assertThat(log.knows(container("alone"))).isFalse();
        }
    }

    /** Its end was published before, and can be answered from now on. */
    @Test
    void notifiesOfALifeThatIsKeptAfterItHasEnded() {
        recorder.start();
        publish(ofLife(notKept("life", 0), exit(1, TC, 100, 3)));
        publish(keptAfter(1, life("life", 0), TC));

        awaitThat(() -> notified.equals(List.of(List.of("life"))));
    }

    @Test
    void keepsInMemoryWhatTheDiskDoesNotTakeAndWritesItLater() {
        log.failsToWrite = true;
        try (CapturedLog messages = new CapturedLog(ExitRecorder.class)) {
            recorder.start();
            publish(end(1, TC, 3));
            awaitThat(() -> isNotifiedOf("life-1"));
            assertThat(newest(TC)).isEqualTo(new Exited(end(1, TC, 3), false));
            publish(exec(2, TC, 2, 0));
            publish(end(3, container("b"), 0));
            awaitThat(() -> isNotifiedOf("life-3"));
            awaitThat(() -> log.attempts.get() >= 3);
            assertThat(messages.at(Level.ERROR)).as("logged once").hasSize(1);
            assertThat(log.numbers()).isEmpty();
            awaitThat(() -> unwritten.backlog().equals(new Backlog(false, 3, 0)));

            log.failsToWrite = false;

            awaitThat(() -> log.numbers().equals(List.of(1L, 2L, 3L)));
            awaitThat(() -> lives.notRecorded().isEmpty());
            assertThat(newest(TC)).matches(ExitRecorderTest::isDurable);
            assertThat(unwritten.backlog()).isEqualTo(Backlog.NONE);
        }
    }

    @Test
    void givesUpWhatEndsNoLifeFirstWhenTooManyWaitForTheDisk() {
        int max = TestSettings.LIMITS.maxUnwritten();
        log.failsToWrite = true;
        try (CapturedLog messages = new CapturedLog(ExitRecorder.class)) {
            recorder.start();
            publish(begun(life("life-1", 1), TC, 1));
            publish(begun(life("life-4", 4), container("c4"), 4));
            publish(end(1, TC, 3));
            publish(exec(2, TC, 2, 0));
            publish(exec(3, TC, 3, 0));
            for (long seq = 4; seq <= max + 2; seq++) {
                publish(end(seq, container("c" + seq), 0));
            }
            awaitThat(() -> unwritten.backlog().equals(new Backlog(false, max, 2)));
            assertThat(newest(TC)).isInstanceOf(Exited.class);

            publish(end(max + 3, container("last"), 0));
            awaitThat(() -> unwritten.backlog().equals(new Backlog(false, max, 3)));

            assertThat(newest(TC)).as("the oldest end").isEqualTo(new Unknown(TC));
            assertThat(newest(container("c4")))
                    .as("its begin alone is given up")
                    .isInstanceOf(Exited.class);
            assertThat(messages.at(Level.ERROR))
                    .filteredOn(it -> it.contains("TARDIS_MAX_UNWRITTEN"))
                    .as("logged once")
                    .hasSize(1);
            log.failsToWrite = false;
            awaitThat(() -> log.numbers().size() == max);
            assertThat(log.numbers())
                    .containsExactlyElementsOf(LongStream.rangeClosed(4, max + 3).boxed().toList());
            awaitThat(() -> unwritten.backlog().equals(new Backlog(true, 0, 3)));
            assertThat(lives.notRecorded()).isEmpty();
        }
    }

    /** As many as can be set, with names as long as they can be, do not fit the heap. */
    @Test
    void livesWithAsManyUnwrittenExitsAsCanBeSet() throws Exception {
        recorder.start(); // or nothing would end it
        int count = 200_000;
        try (ChildJvm child =
                ChildJvm.start(
                        FloodedRecorder.class, directory.toString(), String.valueOf(count))) {
            String line = child.line();
            while (line != null && !line.matches("(kept|died).*")) {
                line = child.line(); // the log
            }
            Matcher summary =
                    Pattern.compile(
                                    "kept (\\d+), given up (\\d+), the first given up, the last kept")
                            .matcher(String.valueOf(line));

            assertThat(summary.matches()).as(line).isTrue();
            long kept = Long.parseLong(summary.group(1));
            assertThat(kept).isGreaterThan(30_000);
            assertThat(kept + Long.parseLong(summary.group(2))).isEqualTo(count);
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
                String life = "life-" + i;
                publish(end(i, container, 0));
                awaitThat(() -> isNotifiedOf(life));
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
            publisher.send(
                    Topic.BEGUN + "default/tc/", "{\"v\":1}".getBytes(StandardCharsets.UTF_8));
            publish(exit(1, TC, 1, 0));

            awaitThat(() -> log.numbers().equals(List.of(1L)));
            assertThat(messages.at(Level.ERROR)).hasSize(4);
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
    void logsWhatItCouldNotWriteBeforeItEnds() {
        log.failsToWrite = true;
        try (CapturedLog messages = new CapturedLog(ExitRecorder.class)) {
            recorder.start();
            publish(end(1, TC, 0));
            awaitThat(() -> isNotifiedOf("life-1"));

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
        log.append(List.of(Exits.ending("life", 0, exit(1, TC, 1, 3))));
        assertThat(newest(TC)).isInstanceOf(Exited.class);
        log.old.add(Exits.end("life", 0, exit(1, TC, 1, 3)));

        recorder.start();

        awaitThat(() -> newest(TC).equals(new Unknown(TC)));
    }

    @Test
    void mayBeClosedTwice() {
        recorder.start();
        recorder.close();
        recorder.close();
    }

    private ExitRecorder recorder() {
        ZmqSubscriber subscriber =
                context.subscriber(
                        "inproc://events",
                        List.of(Topic.EXIT, Topic.EXEC_EXIT, Topic.BEGUN, Topic.LOST));
        return new ExitRecorder(
                subscriber,
                log,
                lives,
                unwritten,
                it -> notified.add(it.stream().map(LifeState::lifeId).toList()),
                TestSettings.of(directory, "tcp://127.0.0.1:1"),
                clock,
                new Meter());
    }

    /** Each ends a life of its own, {@code life-SEQ}. */
    private static ExitEvent end(long seq, ContainerKey container, long status) {
        return ofLife(life("life-" + seq, seq), exit(seq, container, seq, status));
    }

    private boolean isNotifiedOf(String life) {
        return notified.stream().anyMatch(it -> it.contains(life));
    }

    private Answer.OfContainer newest(ContainerKey container) {
        return lives.answer(container, Optional.empty());
    }

    private static boolean isDurable(Answer.OfContainer answer) {
        return answer instanceof Exited exited && exited.durable();
    }

    private void publish(ExitEvent event) {
        publish(new Published.Exit(event));
    }

    private void publish(Published message) {
        publisher.send(PublishedCodec.topic(message), PublishedCodec.encode(message));
    }

    private static void awaitThat(Callable<Boolean> condition) {
        await().pollInterval(Duration.ofMillis(2)).atMost(Duration.ofSeconds(30)).until(condition);
    }
}
