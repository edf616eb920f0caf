package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.listener.CtrEvent.TaskDelete;
import io.tardis.listener.CtrEvent.TaskStart;
import io.tardis.testkit.CapturedLog;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashSet;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.event.Level;

class ExitJoinerTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final ContainerKey OTHER = new ContainerKey("default", "other");
    private static final Instant NOW = Instant.parse("2026-11-23T06:51:23.418Z");
    private static final Instant LATER = NOW.plusSeconds(60);

    private final Set<ContainerKey> shimWasGone = new HashSet<>();
    private final ExitJoiner joiner =
            new ExitJoiner(exit -> shimWasGone.contains(exit.container()));

    @Test
    void passesAnExitOnWithWhereItComesFrom() {
        TaskExit exit = own(TC, 100, 42);

        ExitJoiner.Joined joined = joiner.exited(exit).orElseThrow();

        assertThat(joined.exit()).isEqualTo(exit);
        assertThat(joined.source()).isEqualTo(ExitSource.CONTAINERD);
        assertThat(joined.signal()).isEmpty();
        assertThat(joined.oomKilled()).isFalse();
    }

    @Test
    void passesTheSameExitOnOnce() {
        assertThat(joiner.exited(own(TC, 100, 0))).isPresent();

        assertThat(joiner.exited(own(TC, 100, 0))).isEmpty();
        assertThat(joiner.exited(own(TC, 100, 0))).isEmpty();
    }

    @Test
    void logsADisagreementOnce() {
        try (CapturedLog log = new CapturedLog(ExitJoiner.class)) {
            assertThat(joiner.exited(own(TC, 100, 3))).isPresent();
            for (long status : new long[] {3, 0, 0, 3, 7}) {
                assertThat(joiner.exited(own(TC, 100, status))).isEmpty();
            }

            assertThat(log.at(Level.WARN))
                    .singleElement()
                    .asString()
                    .contains("default/tc", "3 (containerd), which stays", "0 (containerd)");
        }
    }

    @Test
    void logsADisagreementOfTheKernelAndContainerdWhoeverWasFirst() {
        try (CapturedLog log = new CapturedLog(ExitJoiner.class)) {
            joiner.witnessed(life("1", 100), 3 << 8, NOW, 0);
            assertThat(joiner.exited(own(TC, 100, 0))).isEmpty();
            joiner.exited(own(TC, 200, 0));
            assertThat(joiner.witnessed(life("2", 200), 3 << 8, NOW, 0)).isEmpty();

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

    @Test
    void doesNotDefendACodeThatWasMadeUp() {
        shimWasGone.add(TC);
        try (CapturedLog log = new CapturedLog(ExitJoiner.class)) {
            assertThat(joiner.exited(own(TC, 200, 255))).isPresent();
            assertThat(joiner.witnessed(life("2", 200), 3 << 8, NOW, 0)).isPresent();

            assertThat(log.at(Level.WARN)).isEmpty();
        }
    }

    @Test
    void tellsAnExecFromTheContainerItRanIn() {
        TaskExit exec = new TaskExit(TC, "shell", 101, 1, NOW);

        assertThat(joiner.exited(exec).map(ExitJoiner.Joined::exit)).contains(exec);
        assertThat(code(joiner.exited(own(TC, 100, 0)))).isZero();
        assertThat(joiner.exited(exec)).isEmpty();
    }

    @Test
    void tellsContainersOfTheSameIdInTwoNamespacesApart() {
        ContainerKey elsewhere = new ContainerKey("k8s.io", "tc");

        assertThat(code(joiner.exited(own(TC, 100, 1)))).isEqualTo(1);
        assertThat(code(joiner.exited(own(elsewhere, 100, 2)))).isEqualTo(2);
    }

    @Test
    void passesOnTheEndOfEachLifeOfAnId() {
        joiner.started(new TaskStart(TC, 100, LATER));
        assertThat(code(joiner.exited(own(TC, 100, 1)))).isEqualTo(1);

        joiner.started(new TaskStart(TC, 200, LATER));
        assertThat(code(joiner.exited(own(TC, 200, 2)))).isEqualTo(2);
    }

    @Test
    void passesOnTheEndOfALaterLifeWithTheSamePid() {
        joiner.exited(own(TC, 100, 1));

        joiner.started(new TaskStart(TC, 100, LATER));

        assertThat(code(joiner.exited(own(TC, 100, 1)))).isEqualTo(1);
    }

    @Test
    void passesOnALateEndOfAnEarlierLife() {
        joiner.started(new TaskStart(TC, 100, LATER));
        joiner.started(new TaskStart(TC, 200, LATER));

        assertThat(code(joiner.exited(own(TC, 200, 2)))).isEqualTo(2);
        assertThat(code(joiner.exited(own(TC, 100, 1)))).isEqualTo(1);
        assertThat(joiner.exited(own(TC, 200, 2))).isEmpty();
    }

    @Test
    void takesTheCodeOfAMissedExitFromTheDelete() {
        Optional<ExitJoiner.Joined> joined = joiner.deleted(new TaskDelete(TC, 100, 42, NOW));

        assertThat(joined.map(ExitJoiner.Joined::exit)).contains(own(TC, 100, 42));
        assertThat(joiner.exited(own(TC, 100, 42))).isEmpty();
    }

    @Test
    void passesOnNothingForADeleteAfterItsExit() {
        joiner.exited(own(TC, 100, 42));

        assertThat(joiner.deleted(new TaskDelete(TC, 100, 42, NOW))).isEmpty();
    }

    @Test
    void marksTheExitThatFollowsAnOutOfMemoryKill() {
        joiner.outOfMemory(TC);

        assertThat(joiner.exited(own(OTHER, 100, 137)).orElseThrow().oomKilled()).isFalse();
        assertThat(joiner.exited(own(TC, 200, 137)).orElseThrow().oomKilled()).isTrue();
    }

    /** The kernel names a container, not a process: the mark is for the container's own end. */
    @Test
    void keepsTheOutOfMemoryMarkThroughTheExitOfAnExec() {
        joiner.outOfMemory(TC);

        assertThat(
                        joiner.exited(new TaskExit(TC, "shell", 101, 137, NOW))
                                .orElseThrow()
                                .oomKilled())
                .isFalse();
        assertThat(joiner.exited(own(TC, 100, 137)).orElseThrow().oomKilled()).isTrue();
    }

    @Test
    void forgetsTheOutOfMemoryMarkWithTheLife() {
        joiner.outOfMemory(TC);
        joiner.exited(own(TC, 100, 137));
        joiner.started(new TaskStart(TC, 200, LATER));
        assertThat(joiner.exited(own(TC, 200, 137)).orElseThrow().oomKilled()).isFalse();

        joiner.outOfMemory(OTHER);
        joiner.started(new TaskStart(OTHER, 300, LATER));
        assertThat(joiner.exited(own(OTHER, 300, 1)).orElseThrow().oomKilled()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(longs = {137, 255})
    void marksWhatContainerdMadeUp(long status) {
        shimWasGone.add(TC);

        assertThat(source(joiner.exited(own(TC, 100, status)))).contains(ExitSource.ASSUMED);
        assertThat(source(joiner.exited(own(OTHER, 200, status)))).contains(ExitSource.CONTAINERD);
    }

    /** Whatever the registry knows of the shim: nobody else tells an end without a pid. */
    @Test
    void marksA255WithoutPidAsMadeUpInAnyCase() {
        assertThat(source(joiner.exited(own(TC, 0, 255)))).contains(ExitSource.ASSUMED);

        assertThat(joiner.witnessed(life("1", 100), 3 << 8, NOW, 0)).isPresent();
        assertThat(joiner.exited(own(TC, 0, 255))).isEmpty();
    }

    @Test
    void neverDoubtsACodeThatContainerdDoesNotMakeUp() {
        shimWasGone.add(TC);

        assertThat(source(joiner.exited(own(TC, 100, 0)))).contains(ExitSource.CONTAINERD);
        assertThat(source(joiner.exited(new TaskExit(TC, "shell", 101, 137, NOW))))
                .contains(ExitSource.CONTAINERD);
    }

    @Test
    void neverLetsAMadeUpCodeFollowARealOne() {
        joiner.exited(own(TC, 100, 3));
        shimWasGone.add(TC);

        assertThat(joiner.exited(own(TC, 100, 137))).isEmpty();
        assertThat(joiner.deleted(new TaskDelete(TC, 100, 137, NOW))).isEmpty();
    }

    /** If even its clean-up failed, containerd knows no pid, and tells 0. */
    @Test
    void neverLetsAMadeUpCodeWithoutPidFollowARealOne() {
        joiner.started(new TaskStart(TC, 100, LATER));
        joiner.exited(own(TC, 100, 3));

        assertThat(joiner.exited(own(TC, 0, 255))).isEmpty();
    }

    @Test
    void passesOnTheMadeUpCodeWithoutPidOfEachLife() {
        shimWasGone.add(TC);
        joiner.started(new TaskStart(TC, 100, LATER));
        assertThat(source(joiner.exited(own(TC, 0, 255)))).contains(ExitSource.ASSUMED);

        joiner.started(new TaskStart(TC, 200, LATER));

        assertThat(source(joiner.exited(own(TC, 0, 255)))).contains(ExitSource.ASSUMED);
        assertThat(joiner.exited(own(TC, 0, 255))).isEmpty();
    }

    @Test
    void passesOnARealCodeAfterAMadeUpOneWithoutPid() {
        shimWasGone.add(TC);
        joiner.exited(own(TC, 0, 255));

        assertThat(source(joiner.exited(own(TC, 100, 3)))).contains(ExitSource.CONTAINERD);
    }

    @Test
    void remembersTheLastTwentyThousandAndNoMore() {
        for (int i = 0; i < 60_000; i++) {
            ContainerKey container = new ContainerKey("default", "c" + i);
            joiner.outOfMemory(container);
            assertThat(joiner.exited(own(container, 100, 0))).isPresent();
        }

        assertThat(joiner.exited(own(new ContainerKey("default", "c59999"), 100, 0))).isEmpty();
        assertThat(joiner.exited(own(new ContainerKey("default", "c40001"), 100, 0))).isEmpty();
        assertThat(joiner.exited(own(new ContainerKey("default", "c0"), 100, 0))).isPresent();
    }

    // --- what the kernel tells

    @Test
    void takesTheKernelsWordFirstAndContainerdsAsARepetition() {
        ExitJoiner.Joined joined = joiner.witnessed(life("1", 100), 3 << 8, NOW, 0).orElseThrow();

        assertThat(joined.exit()).isEqualTo(own(TC, 100, 3));
        assertThat(joined.source()).isEqualTo(ExitSource.KERNEL);
        assertThat(joined.signal()).isEmpty();
        assertThat(joiner.exited(own(TC, 100, 3))).isEmpty();
        assertThat(joiner.deleted(new TaskDelete(TC, 100, 3, NOW))).isEmpty();
    }

    @Test
    void takesTheKernelsWordAsARepetitionAfterContainerds() {
        assertThat(joiner.exited(own(TC, 100, 3))).isPresent();

        assertThat(joiner.witnessed(life("1", 100), 3 << 8, NOW, 0)).isEmpty();
    }

    @Test
    void keepsTheKernelsCodeAndTellsOfAnotherOne() {
        joiner.witnessed(life("1", 100), 3 << 8, NOW, 0);
        try (CapturedLog log = new CapturedLog(ExitJoiner.class)) {
            shimWasGone.add(TC);

            assertThat(joiner.exited(own(TC, 100, 137))).isEmpty();

            assertThat(log.at(Level.WARN))
                    .singleElement()
                    .asString()
                    .contains("ended with 3 (kernel), which stays", "137 (assumed)");
        }
    }

    @Test
    void replacesAMadeUpCodeByTheKernelsRealOne() {
        shimWasGone.add(TC);
        assertThat(joiner.exited(own(TC, 100, 137)).orElseThrow().source())
                .isEqualTo(ExitSource.ASSUMED);

        ExitJoiner.Joined joined = joiner.witnessed(life("1", 100), 0, NOW, 0).orElseThrow();

        assertThat(joined.exit().exitStatus()).isZero();
        assertThat(joined.source()).isEqualTo(ExitSource.KERNEL);
    }

    @Test
    void tellsTheSignalThatTheKernelKnows() {
        ExitJoiner.Joined joined =
                joiner.witnessed(life("1", 100), 11 | 0x80, NOW, 0).orElseThrow();

        assertThat(joined.exit().exitStatus()).isEqualTo(139);
        assertThat(joined.signal()).hasValue(11);
    }

    @Test
    void holdsADeathBySigkillUntilContainerdHasToldWhetherMemoryRanOut() {
        assertThat(joiner.witnessed(life("1", 100), 9, NOW, 1_000)).isEmpty();
        assertThat(joiner.nextDeadline()).isPresent();
        joiner.outOfMemory(TC);

        ExitJoiner.Joined joined = joiner.exited(own(TC, 100, 137)).orElseThrow();

        assertThat(joined.oomKilled()).isTrue();
        assertThat(joined.signal()).hasValue(9);
        assertThat(joined.source()).isEqualTo(ExitSource.KERNEL);
        assertThat(joiner.nextDeadline()).isEmpty();
        assertThat(joiner.drain()).isEmpty();
        assertThat(joiner.exited(own(TC, 100, 137))).isEmpty();
    }

    @Test
    void doesNotHoldADeathBySigkillForEver() {
        joiner.witnessed(life("1", 100), 9, NOW, 1_000);
        long deadline = joiner.nextDeadline().orElseThrow();

        assertThat(joiner.overdue(deadline - 1)).isEmpty();
        assertThat(joiner.overdue(deadline))
                .singleElement()
                .satisfies(joined -> {
                    assertThat(joined.exit().exitStatus()).isEqualTo(137);
                    assertThat(joined.oomKilled()).isFalse();
                });
        assertThat(joiner.exited(own(TC, 100, 137))).isEmpty();
    }

    /** The monotonic clock begins anywhere, also far below zero. */
    @ParameterizedTest
    @ValueSource(longs = {Long.MIN_VALUE, -1, 0, Long.MAX_VALUE})
    void givesAllThatItHoldsAtTheEnd(long nanoTime) {
        joiner.witnessed(life("1", 100), 9, NOW, nanoTime);

        assertThat(joiner.drain()).hasSize(1);
        assertThat(joiner.drain()).isEmpty();
        assertThat(joiner.nextDeadline()).isEmpty();
    }

    @Test
    void isNotConfusedByAStartThatComesAfterTheKernelsWordOfItsEnd() {
        joiner.witnessed(life("1", 100), 3 << 8, NOW, 0);
        joiner.started(new TaskStart(TC, 100, LATER));

        assertThat(joiner.exited(own(TC, 100, 3))).isEmpty();
        assertThat(joiner.exited(own(TC, 0, 255))).isEmpty();
    }

    @Test
    void takesTheSamePidInALaterLifeForAnotherProcess() {
        joiner.witnessed(life("1", 100), 3 << 8, NOW, 0);
        joiner.exited(own(TC, 100, 3));
        joiner.started(new TaskStart(TC, 100, LATER));

        assertThat(code(joiner.witnessed(life("2", 100), 4 << 8, NOW, 0))).isEqualTo(4);
        assertThat(code(joiner.witnessed(life("3", 100), 5 << 8, NOW, 0))).isEqualTo(5);
    }

    @Test
    void remembersWhatWasPublishedBeforeItWasThere() {
        joiner.remember(
                new ExitEvent(
                        7, own(TC, 100, 3), OptionalInt.empty(), false, ExitSource.CONTAINERD));

        assertThat(joiner.exited(own(TC, 100, 3))).isEmpty();
        assertThat(joiner.witnessed(life("1", 100), 3 << 8, NOW, 0)).isEmpty();
        assertThat(joiner.exited(own(TC, 101, 3))).isPresent();
    }

    /**
     * Taking over, a daemon hears for a while what the one before it publishes. containerd tells
     * the start when {@code runc start} has returned, which may be after the end.
     */
    @ParameterizedTest
    @ValueSource(longs = {-80, -1, 0, 3, 60_000})
    void publishesNothingAgainOfAProcessWhoseStartItHearsToo(long millisFromStartToExit) {
        Instant start = NOW.minusMillis(millisFromStartToExit);
        joiner.remember(
                new ExitEvent(7, own(TC, 100, 3), OptionalInt.empty(), false, ExitSource.KERNEL));

        joiner.started(new TaskStart(TC, 100, start));

        assertThat(joiner.exited(own(TC, 100, 3))).isEmpty();
        assertThat(joiner.exited(own(TC, 0, 255))).isEmpty();
        assertThat(joiner.deleted(new TaskDelete(TC, 100, 3, NOW))).isEmpty();
    }

    @Test
    void publishesTheEndOfALaterLifeWhosePidWasRemembered() {
        joiner.remember(
                new ExitEvent(7, own(TC, 100, 3), OptionalInt.empty(), false, ExitSource.KERNEL));

        joiner.started(new TaskStart(TC, 100, NOW.plusSeconds(5)));

        assertThat(code(joiner.exited(own(TC, 100, 3)))).isEqualTo(3);
    }

    /** Found by the soak: the kernel may tell the end before containerd tells the start. */
    @Test
    void tellsAnEndOnceWhereALaterLifeOfTheContainerHasTheSamePid() {
        joiner.started(new TaskStart(TC, 100, LATER));
        assertThat(joiner.witnessed(life("1", 100), 3 << 8, NOW, 0)).isPresent();
        assertThat(joiner.exited(own(TC, 100, 3))).isEmpty();

        assertThat(joiner.witnessed(life("2", 100), 0, NOW, 0)).isPresent();
        joiner.started(new TaskStart(TC, 100, LATER));
        assertThat(joiner.exited(own(TC, 100, 0))).isEmpty();
    }

    private static Life life(String id, long pid) {
        return new Life(
                id,
                TC,
                NOW,
                Path.of("/bundle"),
                Optional.of(new InitProcess(pid, OptionalLong.of(1))),
                false,
                false);
    }

    private static TaskExit own(ContainerKey container, long pid, long status) {
        return new TaskExit(container, container.id(), pid, status, NOW);
    }

    private static long code(Optional<ExitJoiner.Joined> joined) {
        return joined.orElseThrow().exit().exitStatus();
    }

    private static Optional<ExitSource> source(Optional<ExitJoiner.Joined> joined) {
        return joined.map(ExitJoiner.Joined::source);
    }
}
