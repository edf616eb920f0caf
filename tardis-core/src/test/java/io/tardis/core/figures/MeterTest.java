package io.tardis.core.figures;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.core.figures.Figures.Distribution;
import io.tardis.core.figures.Figures.Exits;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class MeterTest {

    private static final Instant AT = Instant.parse("2025-04-04T19:10:59Z");

    private final Meter meter = new Meter();

    @Test
    void countsExitsByWhatTheyHaveInCommon() {
        published(1, "a", 0, false, ExitSource.KERNEL);
        published(2, "a", 0, false, ExitSource.KERNEL);
        published(3, "a", 137, true, ExitSource.SHIM);
        published(4, "b", 3, false, ExitSource.ASSUMED);

        assertThat(read().exits())
                .containsExactly(
                        new Exits("a", CodeClass.ZERO, false, ExitSource.KERNEL, 2),
                        new Exits("a", CodeClass.SIGNAL, true, ExitSource.SHIM, 1),
                        new Exits("b", CodeClass.ERROR, false, ExitSource.ASSUMED, 1));
    }

    @Test
    void countsExecsApart() {
        ExitEvent exit = exit(1, "a", 0, false, ExitSource.CONTAINERD);
        meter.published(
                new ExitEvent(
                        1,
                        exit.exit().asExec(),
                        OptionalInt.empty(),
                        false,
                        ExitSource.CONTAINERD,
                        Optional.empty()),
                System.nanoTime());

        assertThat(read().exits()).isEmpty();
        assertThat(read().execExits()).isEqualTo(1);
    }

    /** Whoever may create containers may name a namespace for each. */
    @Test
    void givesNoMoreNamespacesAFigureOfTheirOwnThanFifty() {
        for (int i = 1; i <= 1_000; i++) {
            published(i, "ns" + i, 0, false, ExitSource.KERNEL);
        }
        published(1_001, "ns7", 0, false, ExitSource.KERNEL);

        List<Exits> exits = read().exits();

        assertThat(exits).hasSize(Figures.MAX_NAMESPACES + 1);
        assertThat(exits)
                .contains(
                        new Exits("ns7", CodeClass.ZERO, false, ExitSource.KERNEL, 2),
                        new Exits("other", CodeClass.ZERO, false, ExitSource.KERNEL, 950));
    }

    @Test
    void addsANamespaceThatIsNamedLikeTheRestToTheRest() {
        published(1, Figures.OTHER_NAMESPACES, 0, false, ExitSource.KERNEL);
        for (int i = 2; i <= 100; i++) {
            published(i, "ns" + i, 0, false, ExitSource.KERNEL);
        }

        assertThat(read().exits()).filteredOn(it -> it.namespace().equals("other")).hasSize(1);
    }

    @Test
    void measuresOnlyReportsOfTheKernelAndOfShimsUntilTheirPublication() {
        long reported = System.nanoTime() - Duration.ofMillis(30).toNanos();
        for (ExitSource source : ExitSource.values()) {
            meter.published(exit(1, "a", 0, false, source), reported);
        }

        Distribution measured = read().witnessToPublish();

        assertThat(measured.count()).isEqualTo(2);
        assertThat(measured.sumSeconds()).isBetween(0.06, 2.0);
        assertThat(measured.counts().subList(0, 6)).containsOnly(0L); // at most 25 ms
    }

    /** A report of 20 s later does not say that the disk is slow. */
    @Test
    void countsACorrectionApartAndDoesNotMeasureIt() {
        published(1, "a", 137, false, ExitSource.SHIM);
        meter.corrected(exit(2, "a", 137, true, ExitSource.SHIM));
        meter.recorded(meter.reportOf(1));
        meter.recorded(meter.reportOf(2));

        assertThat(read().exits())
                .containsExactly(new Exits("a", CodeClass.SIGNAL, false, ExitSource.SHIM, 1));
        assertThat(read().corrections()).isEqualTo(1);
        assertThat(read().witnessToPublish().count()).isEqualTo(1);
        assertThat(read().eventToDisk().count()).isEqualTo(1);
    }

    @Test
    void knowsWhenAnExitWasReportedUntilManyOthersWere() {
        long reported = System.nanoTime() - Duration.ofHours(1).toNanos();
        meter.published(exit(10, "a", 0, false, ExitSource.CONTAINERD), reported);

        assertThat(meter.reportOf(10)).isEqualTo(reported);

        meter.published(exit(10 + 4_096, "a", 0, false, ExitSource.CONTAINERD), reported);

        assertThat(meter.reportOf(10)).isGreaterThan(reported);
        assertThat(meter.reportOf(11)).isGreaterThan(reported);
    }

    @Test
    void countsEachTimeInTheFirstBucketThatIsLongEnough() {
        meter.recorded(System.nanoTime());
        meter.recorded(System.nanoTime() - Duration.ofSeconds(30).toNanos());
        meter.recorded(System.nanoTime() - Duration.ofHours(2).toNanos());

        Distribution measured = read().eventToDisk();

        assertThat(measured.counts()).hasSize(Distribution.bounds().size() + 1);
        assertThat(measured.counts().get(14)).isEqualTo(1); // 10 to 60 s
        assertThat(measured.counts().getLast()).isEqualTo(1);
        assertThat(measured.count()).isEqualTo(3);
        assertThat(measured.sumSeconds()).isBetween(7_230.0, 7_240.0);
    }

    @Test
    void readsWhatTheStoreSays() {
        meter.openLives(7);
        meter.lost();
        meter.gap();
        meter.gap();

        Figures figures = meter.read(1, 2, 3);

        assertThat(figures)
                .isEqualTo(
                        new Figures(
                                List.of(),
                                0,
                                0,
                                1,
                                2,
                                Distribution.NONE,
                                Distribution.NONE,
                                7,
                                1,
                                2,
                                3));
    }

    private Figures read() {
        return meter.read(0, 0, 0);
    }

    private void published(long seq, String namespace, int code, boolean oom, ExitSource source) {
        meter.published(exit(seq, namespace, code, oom, source), System.nanoTime());
    }

    static ExitEvent exit(long seq, String namespace, int code, boolean oom, ExitSource source) {
        ContainerKey container = new ContainerKey(namespace, "tc");
        return new ExitEvent(
                seq,
                new TaskExit(container, "tc", 1, code, AT),
                OptionalInt.empty(),
                oom,
                source,
                Optional.empty());
    }
}
