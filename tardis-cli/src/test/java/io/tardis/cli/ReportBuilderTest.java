package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.tardis.cli.Report.Code;
import io.tardis.cli.Report.Group;
import io.tardis.cli.Report.Memory;
import io.tardis.cli.Report.Tally;
import io.tardis.cli.Report.Top;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeRef;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class ReportBuilderTest {

    private final ReportBuilder builder = new ReportBuilder(Deaths.YESTERDAY, Deaths.NOW);
    private final Deaths web = Deaths.of("nginx:1", "web");
    private final Deaths db = Deaths.of("mysql:8", "db");

    @Test
    void countsExitsByImageAndByName() {
        add(web.after(Duration.ofSeconds(4)));
        add(web.after(Duration.ofSeconds(1)).code(3).ago(Duration.ofMinutes(5)));
        add(web.after(Duration.ofSeconds(30)).outOfMemory().memory(63, 64));
        add(Deaths.of("nginx:1", "proxy").code(3).memory(900, 0));
        add(db.memory(128, 256));

        Report report = build();

        assertThat(report.total())
                .isEqualTo(tally(5, 3, 1, new Code(0, 2), new Code(3, 2), new Code(137, 1)));
        assertThat(report.images().more()).isZero();
        assertThat(report.images().first())
                .containsExactly(
                        new Group(
                                "nginx:1",
                                tally(4, 3, 1, new Code(3, 2), new Code(0, 1), new Code(137, 1)),
                                1,
                                Optional.of(Duration.ofSeconds(7)),
                                Optional.of(memory(63, 64)),
                                Deaths.NOW.minus(Duration.ofMinutes(5)),
                                3),
                        new Group(
                                "mysql:8",
                                tally(1, 0, 0, new Code(0, 1)),
                                0,
                                Optional.of(Duration.ofSeconds(10)),
                                Optional.of(memory(128, 256)),
                                db.end(),
                                0));
        assertThat(report.names().first())
                .extracting(Group::name, it -> it.tally().exits(), it -> it.tally().failed())
                .containsExactly(tuple("web", 3L, 2L), tuple("proxy", 1L, 1L), tuple("db", 1L, 0L));
        assertThat(names(report.restarts())).containsExactly("web");
        assertThat(names(report.memory())).containsExactly("web");
    }

    @Test
    void countsAnExitOnceThatWasPublishedAgain() {
        LifeRef life = new LifeRef("life", Deaths.YESTERDAY, true);
        builder.add(web.code(137).event(1).ofLife(life));
        add(db);
        builder.add(web.outOfMemory().event(2).ofLife(life));

        assertThat(build().total()).isEqualTo(tally(2, 1, 1, new Code(0, 1), new Code(137, 1)));
    }

    @Test
    void countsItOnceWhateverEndedBeforeItWasPublishedAgain() {
        LifeRef killed = new LifeRef("killed", Deaths.YESTERDAY, true);
        LifeRef made = new LifeRef("assumed", Deaths.YESTERDAY, true);
        builder.add(web.code(137).event(1).ofLife(killed));
        builder.add(assumed(web.code(255).event(2)).ofLife(made));
        for (int i = 0; i < 30_000; i++) {
            builder.add(db.event(3 + i).ofLife(new LifeRef("life" + i, Deaths.YESTERDAY, true)));
        }
        builder.add(web.outOfMemory().event(40_000).ofLife(killed));
        builder.add(web.code(3).event(40_001).ofLife(made));
        Report report = build();

        assertThat(report.total())
                .isEqualTo(
                        tally(30_002, 2, 1, new Code(0, 30_000), new Code(3, 1), new Code(137, 1)));
        assertThat(report.names().first().getFirst().tally())
                .isEqualTo(tally(2, 2, 1, new Code(3, 1), new Code(137, 1)));
        assertThat(report.buckets().getFirst().tally()).isEqualTo(report.total());
    }

    @Test
    void countsACodeThatWasMadeUpIfNoOtherFollows() {
        LifeRef life = new LifeRef("life", Deaths.YESTERDAY, true);
        builder.add(assumed(web.code(137).event(1)).ofLife(life));
        builder.add(assumed(web.outOfMemory().event(2)).ofLife(life));

        assertThat(build().total()).isEqualTo(tally(1, 1, 1, new Code(137, 1)));
    }

    private static ExitEvent assumed(ExitEvent event) {
        return new ExitEvent(
                event.seq(),
                event.exit(),
                event.signal(),
                event.oomKilled(),
                ExitSource.ASSUMED,
                event.life(),
                event.details());
    }

    @Test
    void leavesOutARunThatTheClockContradicts() {
        add(web.after(Duration.ofHours(-1)));
        add(web.after(Duration.ofSeconds(3)));

        assertThat(build().names().first().getFirst().median()).contains(Duration.ofSeconds(3));
    }

    @Test
    void countsTheExitsOfMoreLivesThanItWaitsFor() {
        for (int i = 0; i < 3_000; i++) {
            builder.add(web.event(i).ofLife(new LifeRef("life" + i, Deaths.YESTERDAY, true)));
        }

        assertThat(build().total().exits()).isEqualTo(3_000);
    }

    @Test
    void leavesOutExecsSandboxesAndWhatIsTooOld() {
        builder.add(web.ofExec(1));
        builder.add(web.ofSandbox(2));
        builder.add(web.ago(Duration.ofDays(1).plusNanos(1)).event(3));
        builder.add(web.ago(Duration.ofDays(1)).event(4));

        assertThat(build().total().exits()).isEqualTo(1);
    }

    @Test
    void findsWhatCameNearItsLimit() {
        add(Deaths.of("i", "below").memory(89, 100));
        add(Deaths.of("i", "near").memory(90, 100));
        add(Deaths.of("i", "unlimited").memory(1000, 0));
        add(Deaths.of("i", "killed").outOfMemory());

        assertThat(build().memory().first())
                .extracting(Group::name, Group::nearLimit)
                .containsExactly(tuple("killed", 0L), tuple("near", 1L));
    }

    @Test
    void saysWhichNamespaceOnlyWhereNamesAreEqual() {
        add(web.in("one"));
        add(web.in("two").code(1));
        add(db);

        assertThat(names(build().names())).containsExactly("web (two)", "db", "web (one)");
    }

    @Test
    void takesTheIdOfAContainerWithoutName() {
        add(Deaths.of("", ""));

        Report report = build();

        assertThat(names(report.names())).containsExactly("c1");
        assertThat(names(report.images())).containsExactly("(no image known)");
    }

    @Test
    void showsTheFirstTenOfEachList() {
        for (int i = 10; i < 35; i++) {
            add(Deaths.of("image" + i, "name" + i).outOfMemory());
            add(Deaths.of("image" + i, "name" + i).code(i));
        }
        Report report = build();

        for (Top<?> top :
                List.of(report.images(), report.names(), report.restarts(), report.memory())) {
            assertThat(top.first()).hasSize(10);
            assertThat(top.more()).isEqualTo(15);
        }
        assertThat(report.total().codes().first()).hasSize(10).startsWith(new Code(137, 25));
        assertThat(report.total().codes().more()).isEqualTo(16);
        assertThat(names(report.images())).startsWith("image10", "image11");
    }

    @Test
    void countsABoundedNumberOfNames() {
        LongStream.range(0, 20_010).forEach(i -> add(Deaths.of("image", "name" + i)));
        Report report = build();

        assertThat(report.names().more()).isEqualTo(20_001 - 10);
        assertThat(names(report.names())).startsWith("(others)");
        assertThat(report.names().first().getFirst().tally().exits()).isEqualTo(10);
        assertThat(report.restarts().first()).isEmpty();
    }

    @Test
    void countsEachHourFromTheFirstExitOn() {
        add(web.ago(Duration.ofHours(3)));
        add(web.ago(Duration.ofHours(3)).code(1));
        add(web.ago(Duration.ofMinutes(31)));
        add(web.ago(Duration.ofMinutes(1)));

        Report report = build();

        assertThat(report.step()).isEqualTo(Duration.ofHours(1));
        assertThat(report.buckets())
                .extracting(Report.Bucket::begin, it -> it.tally().exits())
                .containsExactly(
                        tuple(time("09:00"), 2L),
                        tuple(time("10:00"), 0L),
                        tuple(time("11:00"), 1L),
                        tuple(time("12:00"), 1L));
    }

    @Test
    void takesLongerStepsForALongerTime() {
        ReportBuilder all = new ReportBuilder(Instant.MIN, Deaths.NOW);
        all.add(web.event(1));
        all.add(web.ago(Duration.ofDays(40)).event(2));
        all.add(web.ago(Duration.ofDays(40)).code(1).event(3));
        Report report = all.build(Optional.empty());

        assertThat(report.step()).isEqualTo(Duration.ofDays(1));
        assertThat(report.buckets()).hasSize(41);
        assertThat(report.buckets().getFirst().tally())
                .isEqualTo(tally(2, 1, 0, new Code(0, 1), new Code(1, 1)));
    }

    @Test
    void staysSmallWhateverTheClockWas() {
        ReportBuilder all = new ReportBuilder(Instant.MIN, Deaths.NOW);
        all.add(web.event(1));
        all.add(web.ago(Duration.ofDays(365 * 2000)).event(2));

        assertThat(all.build(Optional.empty()).buckets()).hasSizeBetween(40, 48);
    }

    private void add(Deaths death) {
        builder.add(death.event(1));
    }

    private Report build() {
        return builder.build(Optional.empty());
    }

    private static Tally tally(long exits, long failed, long oomKilled, Code... codes) {
        return new Tally(exits, failed, oomKilled, new Top<>(List.of(codes), 0));
    }

    private static Memory memory(long peak, long limit) {
        return new Memory(peak * Lives.MIB, OptionalLong.of(limit * Lives.MIB));
    }

    private static Instant time(String minute) {
        return Instant.parse("2025-04-05T" + minute + ":00Z");
    }

    private static List<String> names(Top<Group> groups) {
        return groups.first().stream().map(Group::name).toList();
    }
}
