package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.event.TaskExit;
import io.tardis.core.event.Usage;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Published.Begun;
import io.tardis.listener.CtrEvent.TaskProcess;
import io.tardis.testkit.CapturedLog;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.event.Level;

class LivesTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final ContainerKey OTHER = new ContainerKey("default", "other");
    private static final Path BUNDLE = Path.of("/bundle");
    private static final Instant NOW = Instant.parse("2026-11-23T06:51:23.418Z");
    private static final OptionalLong NONE = OptionalLong.empty();
    private static final InitProcess ALIVE = InitProcess.of(ProcessHandle.current().pid());

    /**
     * What is published, a line each: lives have the letters a, b, ... in the order of their
     * begins.
     */
    private static final class Lines implements LifeSink {
        private final List<String> lines = new ArrayList<>();
        private final Map<String, Integer> numbers = new HashMap<>();
        private final List<Fate.End> ends = new ArrayList<>();
        private final List<LifeDetails> details = new ArrayList<>();

        private String letter(LifeRef life) {
            int number = numbers.computeIfAbsent(life.id(), _ -> numbers.size());
            return (char) ('a' + number) + (life.kept() ? "+" : "-");
        }

        @Override
        public void begun(TrackedLife life, OptionalLong endedSeq) {
            String ended = endedSeq.isPresent() ? " ended by " + endedSeq.getAsLong() : "";
            lines.add("begun " + letter(life.ref()) + ended);
        }

        @Override
        public long exit(
                Fate.End end, Optional<LifeRef> life, LifeDetails known, boolean corrects) {
            ends.add(end);
            details.add(known);
            String of = life.map(this::letter).orElse("?");
            String kind = end.exit().isContainerExit() ? "" : "exec ";
            lines.add(
                    "%s%s %d (%s)%s"
                            .formatted(
                                    kind,
                                    of,
                                    end.exit().exitStatus(),
                                    end.source().word(),
                                    end.oomKilled() ? " oom" : ""));
            return ends.size();
        }

        @Override
        public void lost(TrackedLife life) {
            lines.add("lost " + letter(life.ref()));
        }

        private List<String> take() {
            List<String> taken = List.copyOf(lines);
            lines.clear();
            return taken;
        }
    }

    private final Lines lines = new Lines();
    private final KnownLives known = new KnownLives();
    private final FakeNode node = new FakeNode();
    private final Lives lives = lives(false, 1);

    private Lives lives(boolean keepsAll, long startTime) {
        node.startTime = startTime;
        return new Lives(known, lines, keepsAll, node);
    }

    // --- whose end it is

    @Test
    void publishesAnExitWithWhereItComesFrom() {
        exit(TC, 100, 42);

        assertThat(lines.take()).containsExactly("a- 42 (containerd)");
        assertThat(lines.ends.getFirst().exit()).isEqualTo(own(TC, 100, 42));
        assertThat(lines.ends.getFirst().signal()).isEmpty();
    }

    @Test
    void publishesTheSameExitOnce() {
        exit(TC, 100, 0);
        lines.take();

        exit(TC, 100, 0);
        exit(TC, 100, 0);

        assertThat(lines.take()).isEmpty();
    }

    @Test
    void beginsALifeWithItsProcess() {
        begun(life("1", 0));
        assertThat(lines.take()).isEmpty();

        create(100, NOW);
        started(100, NOW.plusMillis(20));
        begun(life("1", 100));
        exit(TC, 100, 3);

        assertThat(lines.take()).containsExactly("begun a+", "a+ 3 (containerd)");
    }

    @Test
    void beginsAPlainContainersLifeWithItsCreate() {
        create(100, NOW);
        started(100, NOW.plusMillis(20));
        exit(TC, 100, 3);

        assertThat(lines.take()).containsExactly("begun a-", "a- 3 (containerd)");
    }

    @Test
    void keepsAllWhereItIsSetTo() {
        Lives all = lives(true, 1);

        all.reported(new TaskProcess(TC, BUNDLE, 100, NOW, false));
        all.exited(own(TC, 100, 3), 0);
        all.exited(own(OTHER, 100, 4), 0);

        assertThat(lines.take())
                .containsExactly("begun a+", "a+ 3 (containerd)", "b+ 4 (containerd)");
    }

    /** An id that was enabled lives again, not enabled. */
    @Test
    void isAnotherLifeWhereTheIdIsNotEnabledAnyMore() {
        begun(life("1", 100));
        exit(TC, 100, 0);
        lives.deleted(life("1", 100), false);
        lines.take();

        create(200, NOW.plusSeconds(5));
        exit(TC, 200, 7);

        assertThat(lines.take()).containsExactly("begun b-", "b- 7 (containerd)");
    }

    /**
     * After a restart the new life has the pid of an exit from before; its start was not reported.
     */
    @Test
    void doesNotTakeTheEndOfANewLifeForTheRememberedOneOfTheSamePid() {
        known.remember(event(7, 100, 3, NOW.minusSeconds(60)));
        known.remember(life("2", 100), new Answer.Running(TC, Optional.empty()));

        exit(TC, 100, 7);
        exit(TC, 100, 7);

        assertThat(lines.take()).containsExactly("a+ 7 (containerd)");
    }

    @Test
    void doesNotTakeALaterExitOfThePidForADoubleWhereNoLifeWasReported() {
        known.remember(event(7, 100, 3, NOW.minusSeconds(60)));

        exit(TC, 100, 7);

        assertThat(lines.take()).containsExactly("begun a-", "a- 7 (containerd)");
    }

    @Test
    void publishesTheEndOfALifeOnceWhoseProcessIsKnownByItsEndAlone() {
        begun(life("1", 0));

        exit(TC, 100, 7);
        witnessed(life("1", 100), 7 << 8, NOW, 0);
        exit(TC, 100, 7);

        assertThat(lines.take()).containsExactly("begun a+", "a+ 7 (containerd)");
    }

    @Test
    void doesNotGiveALifeTheEndOfOneBeforeIt() {
        begun(life("1", 0));

        lives.exited(new TaskExit(TC, "tc", 100, 0, NOW.minusSeconds(5)), 0);
        exit(TC, 200, 7);

        assertThat(lines.take())
                .containsExactly("a- 0 (containerd)", "begun b+", "b+ 7 (containerd)");
    }

    /** Lines may come late: the container was created again before the first create is read. */
    @Test
    void doesNotTakeTheCreateOfTheLifeBeforeForTheNewOnes() {
        begun(Life.of("2", TC, NOW, BUNDLE));

        create(100, NOW.minusMillis(5));
        started(100, NOW.minusMillis(1));
        create(200, NOW.plusMillis(50));

        exit(TC, 200, 7);
        assertThat(lines.take()).containsExactly("begun a+", "a+ 7 (containerd)");
    }

    @Test
    void takesAnExitBesideTheRunningProcessForAnExecOfThatName() {
        begun(life("1", 0).withInit(ALIVE));

        exit(TC, 1, 5);
        exit(TC, 1, 5);
        exit(TC, ALIVE.pid(), 0);

        assertThat(lines.take())
                .containsExactly("begun a+", "exec a+ 5 (containerd)", "a+ 0 (containerd)");
    }

    @Test
    void publishesTheEndOfEachLifeOfAnId() {
        started(100, NOW);
        exit(TC, 100, 1);
        started(200, NOW.plusSeconds(60));
        exit(TC, 200, 2);

        assertThat(lines.take())
                .containsExactly("begun a-", "a- 1 (containerd)", "begun b-", "b- 2 (containerd)");
    }

    @Test
    void publishesTheEndOfALaterLifeWithTheSamePid() {
        exit(TC, 100, 1);
        started(100, NOW.plusSeconds(60));
        exit(TC, 100, 1);

        assertThat(lines.take())
                .containsExactly("a- 1 (containerd)", "begun b-", "b- 1 (containerd)");
    }

    @Test
    void publishesALateEndOfAnEarlierLife() {
        started(100, NOW);
        started(200, NOW.plusSeconds(60));

        exit(TC, 200, 2);
        exit(TC, 100, 1);
        exit(TC, 200, 2);

        assertThat(lines.take())
                .containsExactly("begun a-", "begun b-", "b- 2 (containerd)", "a- 1 (containerd)");
    }

    @Test
    void keepsLivesOfTheSameIdInTwoNamespacesApart() {
        exit(TC, 100, 1);
        exit(new ContainerKey("k8s.io", "tc"), 100, 2);

        assertThat(lines.take()).containsExactly("a- 1 (containerd)", "b- 2 (containerd)");
    }

    @Test
    void keepsAnExecApartFromTheContainerItRanIn() {
        TaskExit exec = new TaskExit(TC, "shell", 101, 1, NOW);
        begun(life("1", 100));

        lives.exited(exec, 0);
        exit(TC, 100, 0);
        lives.exited(exec, 0);

        assertThat(lines.take())
                .containsExactly("begun a+", "exec a+ 1 (containerd)", "a+ 0 (containerd)");
    }

    // --- what the shim does

    @Test
    void leavesNoTraceOfALifeWhoseCreateFailed() {
        begun(life("1", 0));
        lives.deleted(life("1", 0), false);

        assertThat(lines.take()).isEmpty();
        assertThat(known.open()).isEmpty();
        exit(TC, 100, 3);
        assertThat(lines.take()).containsExactly("a- 3 (containerd)");
    }

    /** Its start was missed, and its process is gone. */
    @Test
    void beginsALifeThatWasStartedThoughItsProcessIsNotKnown() {
        begun(life("1", 0));
        lives.started(life("1", 0));
        lives.deleted(life("1", 0), false);

        assertThat(lines.take()).containsExactly("begun a+", "lost a+");
    }

    @Test
    void losesALifeThatIsDeletedWithoutAnEnd() {
        begun(life("1", 100));
        lives.deleted(life("1", 100), false);
        lives.lost(life("1", 100));

        assertThat(lines.take()).containsExactly("begun a+", "lost a+");
    }

    @Test
    void publishesTheLateEndOfALostLife() {
        begun(life("1", 100));
        lives.deleted(life("1", 100), false);
        lines.take();

        exit(TC, 100, 3);

        assertThat(lines.take()).containsExactly("a+ 3 (containerd)");
    }

    @Test
    void waitsForTheKernelWhereALifeIsDeletedWhoseEndItWillReport() {
        begun(life("1", 100));
        lives.deleted(life("1", 100), true);
        witnessed(life("1", 100), 3 << 8, NOW, 0);

        assertThat(lines.take()).containsExactly("begun a+", "a+ 3 (kernel)");
    }

    @Test
    void losesNoLifeThatHasEnded() {
        begun(life("1", 100));
        exit(TC, 100, 3);
        lines.take();

        lives.lost(life("1", 100));
        lives.deleted(life("1", 100), false);

        assertThat(lines.take()).isEmpty();
    }

    @Test
    void namesTheLivesThatAreToBeLookedAt() {
        begun(life("1", 100));
        begun(Life.of("2", OTHER, NOW, BUNDLE));
        create(OTHER, 5, NOW.plusMillis(1));
        create(new ContainerKey("default", "plain"), 6, NOW);
        exit(OTHER, 5, 0);

        assertThat(known.open()).extracting(Life::id).containsExactly("1");
        assertThat(known.undeleted()).extracting(Life::id).containsExactly("2");
    }

    @Test
    void reportsTheProcessOfALifeWhoseStartTheShimHasNotNoted() {
        begun(life("1", 0));

        create(100, NOW);
        assertThat(node.registered).isEmpty();
        started(100, NOW.plusMillis(20));

        assertThat(node.registered)
                .extracting(it -> it.init().orElseThrow().pid())
                .containsExactly(100L);
    }

    /** The launcher left a note, and containerd's report was faster than its replay. */
    @Test
    void keepsALifeAfterAllThatHasBegunAndEnded() {
        create(100, NOW.plusMillis(100));
        exit(TC, 100, 3);
        lines.take();

        Life life = lives.keep(TC, BUNDLE, NOW, Instant.MAX);
        begun(life);

        assertThat(life.init().orElseThrow().pid()).isEqualTo(100);
        assertThat(lines.take()).containsExactly("begun a+ ended by 1");
        assertThat(known.undeleted()).hasSize(1);
    }

    @Test
    void keepsALifeAfterAllThatHasNotEnded() {
        create(100, NOW.plusMillis(100));
        begun(lives.keep(TC, BUNDLE, NOW, Instant.MAX));
        exit(TC, 100, 3);

        assertThat(lines.take()).containsExactly("begun a-", "begun a+", "a+ 3 (containerd)");
    }

    @Test
    void keepsNoLifeOfAnotherTime() {
        create(100, NOW.minusMillis(100));

        Life life = lives.keep(TC, BUNDLE, NOW, Instant.MAX);

        assertThat(life.init()).isEmpty();
        assertThat(lines.take()).containsExactly("begun a-");
    }

    /** Its delete was noted; the container lived again, and nobody reported its first process. */
    @Test
    void givesAMissedLifeNoEndFromAfterItsDelete() {
        Life life = lives.keep(TC, BUNDLE, NOW, NOW.plusSeconds(1));
        begun(life);
        lives.started(life);

        lives.exited(new TaskExit(TC, "tc", 200, 0, NOW.plusSeconds(9)), 0);
        lives.lost(life);
        lives.deleted(life, false);
        lives.exited(new TaskExit(TC, "tc", 300, 0, NOW.plusMillis(500)), 0);

        assertThat(lines.take())
                .containsExactly(
                        "begun a+",
                        "begun b-",
                        "b- 0 (containerd)",
                        "lost a+",
                        "begun c-",
                        "c- 0 (containerd)");
    }

    /** The store takes the life that was begun last for the newest. */
    @Test
    void beginsLaterLivesAgainAfterOneThatIsKeptAfterAll() {
        create(100, NOW.plusMillis(100));
        exit(TC, 100, 0);
        create(200, NOW.plusSeconds(5));
        lines.take();

        Life life = lives.keep(TC, BUNDLE, NOW, NOW.plusSeconds(4));

        assertThat(life.init().orElseThrow().pid()).isEqualTo(100);
        assertThat(lines.take()).containsExactly("begun a+ ended by 1", "begun b-");
    }

    /** The disk was full when the shim began it, and the launcher left a note. */
    @Test
    void knowsALifeThatCouldNotBeRegistered() {
        lives.begun(life("1", 0), false);
        create(100, NOW.plusMillis(1));

        assertThat(lives.keep(TC, BUNDLE, NOW.plusSeconds(5), Instant.MAX).id()).isEqualTo("1");
        exit(TC, 100, 7);
        assertThat(lines.take()).containsSubsequence("begun a+", "a+ 7 (containerd)");
    }

    @Test
    void ordersLivesByTheirBeginsThoughTheClockWasSetBack() {
        create(100, NOW);
        begun(Life.of("2", TC, NOW.minusSeconds(3600), BUNDLE).withInit(process(200)));

        assertThat(known.open())
                .singleElement()
                .satisfies(it -> assertThat(it.createdAt()).isAfter(NOW));
    }

    @Test
    void beginsALifeThoughTheClockWasSetBack() {
        create(100, NOW);
        exit(TC, 100, 0);
        create(200, NOW.minusSeconds(3600));
        lives.exited(new TaskExit(TC, "tc", 200, 5, NOW.minusSeconds(3590)), 0);

        assertThat(lines.take())
                .containsExactly("begun a-", "a- 0 (containerd)", "begun b-", "b- 5 (containerd)");
    }

    /** After a reboot pids begin again. */
    @Test
    void beginsALifeWithThePidOfOneThatIsLost() {
        known.remember(new Answer.Lost(TC, Optional.of(begun("9", 100))));

        create(100, NOW.plusSeconds(60));
        Lives other = lives(false, 7);
        other.reported(new TaskProcess(TC, BUNDLE, 100, NOW.plusSeconds(120), false));
        lives.exited(new TaskExit(TC, "tc", 100, 3, NOW.plusSeconds(180)), 0);

        assertThat(lines.take()).containsExactly("begun a-", "a- 3 (containerd)");
    }

    @Test
    void survivesTimesAtTheirEnd() {
        for (int pid = 1; pid <= 3; pid++) {
            create(pid, Rfc3339.MAX);
        }

        assertThat(lines.take()).containsExactly("begun a-", "begun b-", "begun c-");
    }

    // --- what was there before

    @Test
    void publishesTheBeginsThatTheStoreDoesNotKnow() {
        known.remember(life("1", 100), new Answer.Unknown(TC));
        known.remember(
                Life.of("2", OTHER, NOW, BUNDLE).withInit(process(200)),
                new Answer.Running(OTHER, Optional.empty()));

        lives.announce();

        assertThat(lines.take()).containsExactly("begun a+");
    }

    @Test
    void publishesNothingAgainOfALifeThatTheStoreKnows() {
        known.remember(life("1", 100), new Answer.Exited(event(7, 100, 3, NOW), true));

        lives.announce();
        exit(TC, 100, 3);
        lives.lost(life("1", 100));

        assertThat(lines.take()).isEmpty();
        assertThat(known.undeleted()).hasSize(1);
    }

    @Test
    void resolvesTheLateEndOfALifeThatOnlyTheStoreKnows() {
        known.remember(new Answer.Lost(TC, Optional.of(begun("9", 100))));

        exit(TC, 100, 3);

        assertThat(lines.take()).containsExactly("a+ 3 (containerd)");
    }

    @Test
    void looksAfterALifeThatOnlyTheStoreKnows() {
        known.remember(new Answer.Running(TC, Optional.of(begun("9", 100))));

        assertThat(known.open()).extracting(Life::id).containsExactly("9");
        lives.lost(life("9", 100));
        assertThat(lines.take()).containsExactly("lost a+");
    }

    @Test
    void publishesWhatAVersionBeforeKeptOfLivesThatWereOver() {
        known.lost.add(life("1", 100));
        known.lost.add(life("2", 0));

        lives.announce();

        assertThat(lines.take()).containsExactly("lost a+");
    }

    @Test
    void remembersTheLastTwentyThousandAndNoMore() {
        for (int i = 0; i < 60_000; i++) {
            ContainerKey container = new ContainerKey("default", "c" + i);
            lives.outOfMemory(container, 0);
            exit(container, 100, 0);
        }
        lines.take();

        exit(new ContainerKey("default", "c59999"), 100, 0);
        exit(new ContainerKey("default", "c40001"), 100, 0);
        assertThat(lines.take()).isEmpty();
        exit(new ContainerKey("default", "c0"), 100, 0);
        assertThat(lines.take()).hasSize(1);
    }

    @Test
    void neverForgetsALifeThatIsOpen() {
        begun(life("1", 100));
        for (int i = 0; i < 30_000; i++) {
            exit(new ContainerKey("default", "c" + i), 100, 0);
        }
        for (int i = 0; i < 30; i++) {
            create(1_000 + i, NOW.plusSeconds(i));
        }
        lines.take();

        exit(TC, 100, 3);

        assertThat(lines.take()).containsExactly("a+ 3 (containerd)");
    }

    // --- what containerd assumes, and what sources disagree on

    @Test
    void logsADisagreementOnce() {
        try (CapturedLog log = new CapturedLog(Fate.class)) {
            for (long status : new long[] {3, 3, 0, 0, 3, 7}) {
                exit(TC, 100, status);
            }

            assertThat(lines.take()).containsExactly("a- 3 (containerd)");
            assertThat(log.at(Level.WARN))
                    .singleElement()
                    .asString()
                    .contains("default/tc", "3 (containerd), which stays", "0 (containerd)");
        }
    }

    @Test
    void logsADisagreementOfTheKernelAndContainerdWhoeverWasFirst() {
        begun(life("1", 100));
        begun(Life.of("2", OTHER, NOW, BUNDLE).withInit(process(200)));
        try (CapturedLog log = new CapturedLog(Fate.class)) {
            witnessed(life("1", 100), 3 << 8, NOW, 0);
            exit(TC, 100, 0);
            exit(OTHER, 200, 0);
            witnessed(Life.of("2", OTHER, NOW, BUNDLE).withInit(process(200)), 3 << 8, NOW, 0);

            assertThat(log.at(Level.WARN))
                    .satisfiesExactly(
                            it ->
                                    assertThat(it)
                                            .contains("3 (kernel), which stays", "0 (containerd)"),
                            it ->
                                    assertThat(it)
                                            .contains("0 (containerd), which stays", "3 (kernel)"));
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {137, 255})
    void marksWhatContainerdAssumesAfterAForcedDelete(long status) {
        begun(life("1", 100));
        lives.deleted(life("1", 100).withForceDeleted(), false);

        exit(TC, 100, status);
        exit(OTHER, 200, status);

        assertThat(lines.take())
                .containsExactly(
                        "begun a+",
                        "lost a+",
                        "a+ " + status + " (assumed)",
                        "b- " + status + " (containerd)");
    }

    /** Nobody else reports an end without a pid. */
    @Test
    void marksA255WithoutPidAsAssumedInAnyCase() {
        exit(OTHER, 0, 255);
        begun(life("1", 100));
        witnessed(life("1", 100), 3 << 8, NOW, 0);
        exit(TC, 0, 255);

        assertThat(lines.take()).containsExactly("a- 255 (assumed)", "begun b+", "b+ 3 (kernel)");
    }

    @Test
    void neverDoubtsACodeThatContainerdDoesNotMakeUp() {
        begun(life("1", 100).withForceDeleted());

        exit(TC, 100, 0);
        lives.exited(new TaskExit(TC, "shell", 101, 137, NOW), 0);

        assertThat(lines.take())
                .containsExactly("begun a+", "a+ 0 (containerd)", "exec a+ 137 (containerd)");
    }

    @Test
    void neverLetsAnAssumedCodeFollowARealOne() {
        begun(life("1", 100));
        exit(TC, 100, 3);
        lives.deleted(life("1", 100).withForceDeleted(), false);
        lines.take();

        exit(TC, 100, 137);
        lives.exited(new TaskExit(TC, "tc", 100, 137, NOW.plusSeconds(60)), 0);
        exit(TC, 0, 255);

        assertThat(lines.take()).isEmpty();
    }

    @Test
    void publishesTheAssumedCodeWithoutPidOfEachLife() {
        started(100, NOW.minusSeconds(60));
        exit(TC, 0, 255);
        started(200, NOW.minusSeconds(1));
        exit(TC, 0, 255);
        exit(TC, 0, 255);

        assertThat(lines.take())
                .containsExactly("begun a-", "a- 255 (assumed)", "begun b-", "b- 255 (assumed)");
    }

    @Test
    void publishesARealCodeAfterAnAssumedOne() {
        exit(TC, 0, 255);
        exit(TC, 100, 3);
        begun(Life.of("2", OTHER, NOW, BUNDLE).withInit(process(200)).withForceDeleted());
        exit(OTHER, 200, 137);
        try (CapturedLog log = new CapturedLog(Fate.class)) {
            witnessed(
                    Life.of("2", OTHER, NOW, BUNDLE).withInit(process(200)).withForceDeleted(),
                    0,
                    NOW,
                    0);
            assertThat(log.at(Level.WARN)).isEmpty();
        }

        assertThat(lines.take())
                .containsExactly(
                        "a- 255 (assumed)",
                        "a- 3 (containerd)",
                        "begun b+",
                        "b+ 137 (assumed)",
                        "b+ 0 (kernel)");
    }

    // --- what the kernel reports

    @Test
    void takesContainerdsReportAsARepetitionOfTheKernels() {
        begun(life("1", 100));
        witnessed(life("1", 100), 3 << 8, NOW, 0);
        exit(TC, 100, 3);
        exit(TC, 100, 3);

        assertThat(lines.take()).containsExactly("begun a+", "a+ 3 (kernel)");
    }

    @Test
    void takesTheKernelsReportAsARepetitionOfContainerds() {
        begun(life("1", 100));
        exit(TC, 100, 3);
        witnessed(life("1", 100), 3 << 8, NOW, 0);

        assertThat(lines.take()).containsExactly("begun a+", "a+ 3 (containerd)");
    }

    @Test
    void publishesTheSignalThatTheKernelKnows() {
        witnessed(life("1", 100), 11 | 0x80, NOW, 0);

        assertThat(lines.take()).containsExactly("begun a+", "a+ 139 (kernel)");
        assertThat(lines.ends.getFirst().signal()).isEqualTo(OptionalInt.of(11));
    }

    @Test
    void holdsADeathBySigkillUntilContainerdHasReportedWhetherMemoryRanOut() {
        begun(life("1", 100));
        witnessed(life("1", 100), 9, NOW, 1_000);
        assertThat(lives.nextDeadline()).isPresent();
        lives.outOfMemory(TC, 0);

        exit(TC, 100, 137);

        assertThat(lines.take()).containsExactly("begun a+", "a+ 137 (kernel) oom");
        assertThat(lives.nextDeadline()).isEmpty();
        lives.publishAll();
        exit(TC, 100, 137);
        assertThat(lines.take()).isEmpty();
    }

    @Test
    void publishesThatMemoryRanOutThoughContainerdReportsNoExit() {
        begun(life("1", 100));
        witnessed(life("1", 100), 9, NOW, 1_000);
        lives.outOfMemory(TC, 0);
        lives.publishAll();

        assertThat(lines.take()).containsExactly("begun a+", "a+ 137 (kernel) oom");
    }

    @Test
    void doesNotHoldADeathBySigkillForEver() {
        begun(life("1", 100));
        lines.take();
        witnessed(life("1", 100), 9, NOW, 1_000);
        long deadline = lives.nextDeadline().orElseThrow();

        lives.publishOverdue(deadline - 1);
        assertThat(lines.take()).isEmpty();
        lives.publishOverdue(deadline);
        exit(TC, 100, 137);

        assertThat(lines.take()).containsExactly("a+ 137 (kernel)");
    }

    @ParameterizedTest
    @CsvSource({"9, 0, 137 (kernel)", "9, 1, 137 (kernel) oom", "0, 2, 0 (kernel) oom"})
    void believesTheKernelsCounterAtOnce(int waitStatus, long oomKills, String published) {
        node.usage = oomKills(oomKills);
        begun(life("1", 100));

        witnessed(life("1", 100), waitStatus, NOW, 1_000);

        assertThat(lines.take()).containsExactly("begun a+", "a+ " + published);
        assertThat(lives.nextDeadline()).isEmpty();
    }

    /** On cgroup v1 containerd reports a kill to every container of a pod. */
    @Test
    void doesNotBelieveContainerdWhereTheCounterIsKnown() {
        node.usage = oomKills(0);
        begun(life("1", 100));
        lives.outOfMemory(TC, 0);

        witnessed(life("1", 100), 9, NOW, 1_000);

        assertThat(lines.take()).containsExactly("begun a+", "a+ 137 (kernel)");
        assertThat(node.outOfMemory).extracting(Life::id).containsExactly("1");
    }

    /** The kernel reported a code that is no death by SIGKILL: a child was killed. */
    @Test
    void correctsAnExitThatWasPublishedBeforeContainerdsReport() {
        node.usage = new Usage(OptionalLong.of(7), NONE, NONE, NONE, NONE, NONE);
        Lives all = lives(true, 1);
        all.reported(new TaskProcess(TC, BUNDLE, 100, NOW, false));
        all.exited(own(TC, 100, 3), 1_000);
        all.outOfMemory(TC, 2_000);
        all.outOfMemory(TC, 3_000);
        all.exited(own(TC, 100, 3), 4_000);

        assertThat(lines.take())
                .containsExactly("begun a+", "a+ 3 (containerd)", "a+ 3 (containerd) oom");
        assertThat(lines.details.getLast()).isEqualTo(lines.details.getFirst());
        assertThat(lines.details.getLast().usage()).isEqualTo(node.usage);
        assertThat(lines.details.getLast().about()).isEqualTo(node.about("tc"));
    }

    @Test
    void correctsAnExitForAMinute() {
        exit(TC, 100, 137);
        lives.outOfMemory(TC, Duration.ofMinutes(1).toNanos());
        exit(OTHER, 100, 137);
        lives.outOfMemory(OTHER, Duration.ofMinutes(1).toNanos() + 1);

        assertThat(lines.take())
                .containsExactly(
                        "a- 137 (containerd)", "a- 137 (containerd) oom", "b- 137 (containerd)");
    }

    @Test
    void correctsNoExitOfWhichTheCounterIsKnown() {
        node.usage = oomKills(0);
        begun(life("1", 100));
        witnessed(life("1", 100), 9, NOW, 1_000);

        lives.outOfMemory(TC, 2_000);

        assertThat(lines.take()).containsExactly("begun a+", "a+ 137 (kernel)");
    }

    @Test
    void correctsTheContainersNewestLifeOnly() {
        create(100, NOW);
        exit(TC, 100, 0);
        create(200, NOW.plusSeconds(1));
        lives.outOfMemory(TC, 2_000);
        lives.exited(new TaskExit(TC, "tc", 200, 1, NOW.plusSeconds(2)), 3_000);

        assertThat(lines.take())
                .containsExactly(
                        "begun a-", "a- 0 (containerd)", "begun b-", "b- 1 (containerd) oom");
    }

    /** Two of its processes were killed, and a life follows that nobody reported. */
    @Test
    void blamesNoLaterLifeForAReportThatIsOfTheOneBefore() {
        exit(TC, 100, 137);
        lives.outOfMemory(TC, 1_000);
        lives.outOfMemory(TC, 2_000);
        node.usage = oomKills(0);
        lives(true, 1).reported(new TaskProcess(OTHER, BUNDLE, 100, NOW, true));
        exit(OTHER, 100, 0);
        lives.outOfMemory(OTHER, 1_000);
        exit(TC, 200, 0);
        exit(OTHER, 200, 0);

        assertThat(lines.take())
                .contains("a- 137 (containerd) oom", "c- 0 (containerd)", "d- 0 (containerd)")
                .hasSize(8);
    }

    @Test
    void forgetsAReportOfALifeThatIsNotKnownAfterAMinute() {
        long minute = Duration.ofMinutes(1).toNanos();
        lives.outOfMemory(TC, 0);
        lives.outOfMemory(OTHER, 0);
        lives.exited(own(TC, 100, 137), minute);
        lives.exited(own(OTHER, 100, 137), minute + 1);

        assertThat(lines.take()).containsExactly("a- 137 (containerd) oom", "b- 137 (containerd)");
    }

    @Test
    void forgetsReportsWhereEventsWereMissed() {
        lives.outOfMemory(TC, 0);
        exit(OTHER, 100, 0);
        lives.missed();
        exit(TC, 100, 137);
        lives.outOfMemory(OTHER, 1_000);
        exit(OTHER, 200, 137);

        assertThat(lines.take())
                .containsExactly(
                        "a- 0 (containerd)",
                        "b- 137 (containerd)",
                        "begun c-",
                        "c- 137 (containerd) oom");
    }

    /** containerd made up an exit when its shim was killed. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void carriesThatMemoryRanOutAfterAnAssumedExitToTheRealOne(boolean isCounted) {
        node.usage = isCounted ? oomKills(0) : Usage.NOTHING;
        Lives all = lives(true, 1);
        all.reported(new TaskProcess(TC, BUNDLE, 100, NOW, false));
        all.exited(own(TC, 0, 255), 1_000);
        all.outOfMemory(TC, 2_000);
        all.exited(own(TC, 100, 137), 3_000);
        all.outOfMemory(TC, 4_000);

        assertThat(lines.take())
                .containsExactly("begun a+", "a+ 255 (assumed)", "a+ 137 (containerd) oom");
        assertThat(lines.details.getLast().usage()).isEqualTo(Usage.NOTHING);
        assertThat(lines.details.getLast().about()).isEqualTo(node.about("tc"));
    }

    @Test
    void carriesThatMemoryRanOutToTheEndOfALifeThatWasLost() {
        begun(life("1", 100));
        lives.lost(life("1", 100));
        lives.outOfMemory(TC, 0);
        exit(TC, 100, 137);
        exit(TC, 200, 0);

        assertThat(lines.take())
                .containsExactly(
                        "begun a+",
                        "lost a+",
                        "a+ 137 (containerd) oom",
                        "begun b-",
                        "b- 0 (containerd)");
    }

    // --- containers that are found

    @Test
    void beginsALifeForAContainerThatIsFound() {
        Lives all = lives(true, 1);

        all.found(new TaskProcess(TC, BUNDLE, 100, NOW, true));
        all.found(new TaskProcess(TC, BUNDLE, 100, NOW, true));

        assertThat(lines.take()).containsExactly("begun a+");
        assertThat(node.watched).isNotEmpty();
    }

    /** It was not deleted. Its files may be newer than its end: the clock was set back. */
    @Test
    void beginsNoLifeForOneThatHasEnded() {
        Lives all = lives(true, 1);
        all.reported(new TaskProcess(TC, BUNDLE, 100, NOW, true));
        all.exited(own(TC, 100, 6), 0);
        lines.take();
        node.startTime = 0; // its process is gone

        all.found(new TaskProcess(TC, BUNDLE, 100, NOW.plusSeconds(3600), true));

        assertThat(lines.take()).isEmpty();
    }

    @Test
    void believesNoBundleBesideAProcessThatRuns() {
        Lives all = lives(true, ALIVE.startTime().orElseThrow());
        all.reported(new TaskProcess(TC, BUNDLE, ALIVE.pid(), NOW, true));
        lines.take();

        all.found(new TaskProcess(TC, Path.of("/forged"), 4242, NOW.plusSeconds(1), true));

        assertThat(lines.take()).isEmpty();
        assertThat(known.of(TC)).hasSize(1);
    }

    // --- what else is known

    @Test
    void publishesWhoAKeptContainerWasAndWhatItHadUsed() {
        node.usage = oomKills(0);
        Lives all = lives(true, 1);
        all.reported(new TaskProcess(TC, BUNDLE, 100, NOW.minusMillis(30), false));
        all.reported(new TaskProcess(TC, Path.of(""), 100, NOW.minusMillis(20), true));
        all.exited(own(TC, 100, 3), 0);
        all.exited(own(TC, 100, 3), 0);

        assertThat(lines.take()).containsExactly("begun a+", "a+ 3 (containerd)");
        assertThat(lines.details)
                .containsExactly(
                        new LifeDetails(
                                Optional.of(NOW.minusMillis(20)), node.about("tc"), node.usage));
        assertThat(known.of(TC)).extracting(it -> it.details).containsExactly(LifeDetails.NONE);
    }

    /** The shim is faster than containerd's events: what these said is of the container before. */
    @Test
    void takesTheImageOnceTheLifesOwnCreateHasCome() {
        node.image = "one:1";
        begun(life("1", 0));
        lives.started(life("1", 100));
        assertThat(lines.take()).containsExactly("begun a+");
        assertThat(known.of(TC))
                .extracting(it -> it.details.about())
                .containsOnly(node.about("tc"));

        node.image = "two:1";
        create(100, NOW.plusMillis(5));
        node.image = "";
        create(100, NOW.plusMillis(5));
        started(100, NOW.plusMillis(20));
        exit(TC, 100, 3);

        assertThat(lines.take()).containsExactly("begun a+", "a+ 3 (containerd)");
        assertThat(lines.details)
                .containsExactly(
                        new LifeDetails(
                                Optional.of(NOW.plusMillis(20)),
                                node.about("tc", "two:1"),
                                Usage.NOTHING));
    }

    @Test
    void takesTheImageWithTheCreateThatBeginsALife() {
        node.image = "two:1";
        Lives all = lives(true, 1);
        all.reported(new TaskProcess(TC, BUNDLE, 100, NOW, false));
        all.exited(own(TC, 100, 3), 0);
        all.found(new TaskProcess(OTHER, BUNDLE, 100, NOW, true));
        all.exited(own(OTHER, 100, 3), 0);

        assertThat(lines.take())
                .containsExactly("begun a+", "a+ 3 (containerd)", "begun b+", "b+ 3 (containerd)");
        assertThat(lines.details)
                .extracting(LifeDetails::about)
                .containsExactly(node.about("tc", "two:1"), node.about("other"));
    }

    @Test
    void takesTheCreateForTheStartWhereTheEndComesFirst() {
        begun(life("1", 0));
        create(100, NOW.plusMillis(5));
        exit(TC, 100, 3);

        assertThat(lines.details.getFirst().startedAt()).contains(NOW);
    }

    @Test
    void looksAtNoContainerThatIsNotKept() {
        create(100, NOW);
        started(100, NOW.plusMillis(1));
        exit(TC, 100, 3);

        assertThat(lines.details)
                .containsExactly(LifeDetails.NONE.withStartedAt(NOW.plusMillis(1)));
        assertThat(node.watched).isEmpty();
        assertThat(node.ended).isEmpty();
    }

    @Test
    void watchesEveryContainerFromItsCreateWhereAllAreKept() {
        Lives all = lives(true, 1);

        all.reported(new TaskProcess(TC, BUNDLE, 100, NOW, false));

        assertThat(node.watched).extracting(Life::bundle).containsExactly(BUNDLE);
        assertThat(node.registered).isEmpty();
    }

    @Test
    void goesOnWithWhatIsKnownOfALifeAfterARestart() {
        Begun begun = begun("1", 100);
        LifeDetails before = new LifeDetails(Optional.of(NOW), node.about("tc"), Usage.NOTHING);
        known.remember(
                new Answer.Running(
                        TC,
                        Optional.of(
                                new Begun(
                                        0,
                                        TC,
                                        begun.life(),
                                        begun.pid(),
                                        begun.startTime(),
                                        begun.endedSeq(),
                                        before))));
        Lives all = lives(true, 1);
        all.announce();
        assertThat(node.running).extracting(Life::id).containsExactly("1");

        // As it is found in the bundle of the container that runs.
        all.reported(new TaskProcess(TC, BUNDLE, 100, NOW, true));
        node.usage = oomKills(0);
        all.exited(own(TC, 100, 3), 0);

        assertThat(node.watched).extracting(Life::bundle).containsExactly(BUNDLE);
        assertThat(lines.take()).containsExactly("a+ 3 (containerd)");
        assertThat(lines.details).containsExactly(before.withUsage(node.usage));
    }

    @Test
    void letsGoOfTheCgroupOfALifeThatIsLost() {
        begun(life("1", 100));

        lives.lost(life("1", 100));

        assertThat(node.ended).extracting(Life::id).containsExactly("1");
    }

    /** The monotonic clock begins anywhere, also far below zero. */
    @ParameterizedTest
    @ValueSource(longs = {Long.MIN_VALUE, -1, 0, Long.MAX_VALUE})
    void publishesAllThatItHoldsAtTheEnd(long nanoTime) {
        witnessed(life("1", 100), 9, NOW, nanoTime);

        lives.publishAll();
        lives.publishAll();

        assertThat(lines.take()).containsExactly("begun a+", "a+ 137 (kernel)");
        assertThat(lives.nextDeadline()).isEmpty();
    }

    // --- the order of reports

    /**
     * Taking over, a daemon receives for a while what the one before it publishes. containerd
     * reports the start when {@code runc start} has returned, which may be after the end.
     */
    @ParameterizedTest
    @ValueSource(longs = {-80, -1, 0, 3, 60_000})
    void publishesNothingAgainOfAProcessWhoseStartComesToo(long millisFromStartToExit) {
        Instant start = NOW.minusMillis(millisFromStartToExit);
        known.remember(event(7, 100, 3, NOW));

        create(100, start);
        started(100, start);
        exit(TC, 100, 3);
        exit(TC, 0, 255);

        assertThat(lines.take()).isEmpty();
    }

    @Test
    void publishesTheEndOfALaterLifeWhosePidWasRemembered() {
        known.remember(event(7, 100, 3, NOW));

        started(100, NOW.plusSeconds(5));
        exit(TC, 100, 3);

        assertThat(lines.take()).containsExactly("begun a-", "a- 3 (containerd)");
    }

    /** Found by the soak: the kernel may report the end before containerd reports the start. */
    @Test
    void publishesAnEndOnceWhereALaterLifeOfTheContainerHasTheSamePid() {
        begun(life("1", 100));
        witnessed(life("1", 100), 3 << 8, NOW, 0);
        started(100, NOW.plusMillis(2));
        exit(TC, 100, 3);
        lives.deleted(life("1", 100), false);

        Life second = Life.of("2", TC, NOW.plusSeconds(5), BUNDLE).withInit(process(100));
        begun(second);
        witnessed(second, 0, NOW.plusSeconds(6), 0);
        started(100, NOW.plusSeconds(6));
        lives.exited(new TaskExit(TC, "tc", 100, 0, NOW.plusSeconds(6)), 0);

        assertThat(lines.take())
                .containsExactly("begun a+", "a+ 3 (kernel)", "begun b+", "b+ 0 (kernel)");
    }

    @Test
    void marksTheExitThatFollowsAnOutOfMemoryKill() {
        lives.outOfMemory(TC, 0);
        lives.exited(new TaskExit(TC, "shell", 101, 137, NOW), 0);
        exit(OTHER, 100, 137);
        exit(TC, 200, 137);

        assertThat(lines.take())
                .containsExactly(
                        "exec ? 137 (containerd)",
                        "a- 137 (containerd)",
                        "b- 137 (containerd) oom");
    }

    @Test
    void forgetsTheOutOfMemoryMarkWithTheLife() {
        lives.outOfMemory(TC, 0);
        exit(TC, 100, 137);
        started(200, NOW.plusSeconds(60));
        exit(TC, 200, 137);
        lives.outOfMemory(OTHER, 0);
        create(OTHER, 300, NOW);
        exit(OTHER, 300, 1);

        assertThat(lines.take())
                .containsExactly(
                        "a- 137 (containerd) oom",
                        "begun b-",
                        "b- 137 (containerd)",
                        "begun c-",
                        "c- 1 (containerd)");
    }

    private void begun(Life life) {
        lives.begun(life, true);
    }

    private void create(long pid, Instant at) {
        create(TC, pid, at);
    }

    private void create(ContainerKey container, long pid, Instant at) {
        lives.reported(new TaskProcess(container, BUNDLE, pid, at, false));
    }

    private void started(long pid, Instant at) {
        lives.reported(new TaskProcess(TC, Path.of(""), pid, at, true));
    }

    private void witnessed(Life life, int waitStatus, Instant at, long nanoTime) {
        lives.witnessed(new Witness.Ended(life, waitStatus), at, nanoTime);
    }

    private void exit(ContainerKey container, long pid, long status) {
        lives.exited(own(container, pid, status), 0);
    }

    /** A life of {@link #TC} that was created just now; its pid is not known where it is 0. */
    private static Life life(String id, long pid) {
        Life life = Life.of(id, TC, NOW, BUNDLE);
        return pid == 0 ? life : life.withInit(process(pid));
    }

    private static Usage oomKills(long number) {
        return new Usage(NONE, NONE, OptionalLong.of(number), NONE, NONE, NONE);
    }

    private static InitProcess process(long pid) {
        return new InitProcess(pid, OptionalLong.of(1));
    }

    private static Begun begun(String id, long pid) {
        return new Begun(
                0,
                TC,
                new LifeRef(id, NOW, true),
                OptionalLong.of(pid),
                OptionalLong.of(1),
                OptionalLong.empty());
    }

    private static ExitEvent event(long seq, long pid, long status, Instant at) {
        return new ExitEvent(
                seq,
                new TaskExit(TC, "tc", pid, status, at),
                OptionalInt.empty(),
                false,
                ExitSource.CONTAINERD,
                Optional.empty());
    }

    private static TaskExit own(ContainerKey container, long pid, long status) {
        return new TaskExit(container, container.id(), pid, status, NOW);
    }
}
