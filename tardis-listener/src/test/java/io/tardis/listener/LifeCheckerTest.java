package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class LifeCheckerTest {

    private static final InitProcess ALIVE = InitProcess.of(ProcessHandle.current().pid());
    private static final InitProcess GONE = new InitProcess(ALIVE.pid(), OptionalLong.of(1));

    @TempDir private Path folder;
    private final List<Life> lost = new CopyOnWriteArrayList<>();
    private final List<Life> deleted = new CopyOnWriteArrayList<>();
    private final List<Life> watched = new CopyOnWriteArrayList<>();
    private final AtomicInteger found = new AtomicInteger();
    private final AtomicInteger tidied = new AtomicInteger();

    @SuppressWarnings("NullAway.Init") // each test starts its own
    private LifeChecker checker;

    @AfterEach
    void close() {
        checker.close();
    }

    @Test
    void losesALifeWhoseEndNobodyHasReported() {
        Life life = life("gone", folder).withInit(GONE);
        start(Duration.ofMillis(10));

        check(life);

        await().untilAsserted(() -> assertThat(lost).containsExactly(life));
    }

    @Test
    void leavesLivesAloneWhoseProcessIsThereOrWasNeverStarted() {
        start(Duration.ZERO);

        check(life("alive", folder).withInit(ALIVE), life("created", folder), gone("marker"));

        await().untilAsserted(() -> assertThat(lost).isNotEmpty());
        assertThat(lost).extracting(Life::id).containsExactly("marker");
    }

    /** containerd's shim knows the end of a process that is gone. */
    @Test
    void leavesALifeAloneWhoseEndWillBeReported() {
        Life life = life("asked", folder).withInit(GONE);
        watched.add(life);
        start(Duration.ZERO);

        check(life, gone("marker"));

        await().untilAsserted(() -> assertThat(lost).isNotEmpty());
        assertThat(lost).extracting(Life::id).containsExactly("marker");
    }

    @Test
    void looksAtOneLifeAlone() {
        start(Duration.ZERO);

        checker.check(gone("one"));
        await().until(() -> !lost.isEmpty());
        assertThat(found).hasValue(0);

        check(gone("all"));
        await().untilAsserted(() -> assertThat(found).hasValue(1));
    }

    @Test
    void losesALifeWhoseStartWasNotReportedAndWhoseBundleIsGone() {
        Life life = life("created", folder.resolve("removed"));
        start(Duration.ofMillis(10));

        check(life);

        await().untilAsserted(() -> assertThat(lost).containsExactly(life));
    }

    @Test
    void waitsForALateReport() {
        start(Duration.ofSeconds(2));
        long begin = System.nanoTime();

        check(gone("tc"));

        await().until(() -> !lost.isEmpty());
        assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isGreaterThanOrEqualTo(Duration.ofSeconds(2));
    }

    @Test
    void waitsOnceForALifeThatIsLookedAtAgain() {
        start(Duration.ofSeconds(2));

        for (int i = 0; i < 3; i++) {
            check(gone("tc"));
        }

        await().until(() -> !lost.isEmpty());
        assertThat(lost).hasSize(1);
    }

    @Test
    void findsTheLivesThatWereDeletedUnseen() {
        Life kept = life("kept", folder);
        Life removed = life("removed", folder.resolve("removed"));
        start(Duration.ZERO);

        checker.check(List.of(), List.of(kept, removed));

        await().untilAsserted(() -> assertThat(deleted).containsExactly(removed));
        assertThat(lost).isEmpty();
    }

    @Test
    void hasLookedAtAllThatWasAskedForFirst() throws InterruptedException {
        start(Duration.ZERO);
        checker.check(List.of(), List.of(life("removed", folder.resolve("removed"))));

        assertThat(checker.awaitFirstLook(Duration.ofSeconds(20))).isTrue();

        assertThat(deleted).hasSize(1);
    }

    @Test
    void tidiesUpAtTheBeginAndNotEachTime() {
        start(Duration.ZERO);

        check(gone("one"));
        await().until(() -> lost.size() == 1);
        check(gone("two"));
        await().until(() -> lost.size() == 2);

        assertThat(tidied).hasValue(1);
    }

    private void check(Life... lives) {
        checker.check(List.of(lives), List.of());
    }

    private static Life life(String id, Path bundle) {
        return Life.of(id, new ContainerKey("default", id), Instant.EPOCH, bundle);
    }

    private Life gone(String id) {
        return life(id, folder).withInit(GONE);
    }

    private void start(Duration lateReport) {
        checker =
                new LifeChecker(
                        watched::contains,
                        found::incrementAndGet,
                        lost::add,
                        deleted::add,
                        tidied::incrementAndGet,
                        lateReport);
        checker.start();
    }
}
