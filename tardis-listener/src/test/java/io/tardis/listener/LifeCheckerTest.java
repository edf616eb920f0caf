package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tardis.core.UnavailableException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.listener.CtrEvent.TaskStart;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class LifeCheckerTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final InitProcess ALIVE = InitProcess.of(ProcessHandle.current().pid());
    private static final InitProcess GONE = new InitProcess(ALIVE.pid(), OptionalLong.of(1));

    @TempDir private Path folder;
    private final List<Life> lost = new CopyOnWriteArrayList<>();
    private final AtomicInteger questions = new AtomicInteger();
    private volatile Function<ContainerKey, Answer.OfContainer> store = Answer.Running::new;
    private ContainerRegistry registry;

    @SuppressWarnings("NullAway.Init") // each test starts its own
    private LifeChecker checker;

    @BeforeEach
    void makeRegistry() {
        registry = new ContainerRegistry(folder);
    }

    @AfterEach
    void close() {
        checker.close();
    }

    @Test
    void tellsThatALifeIsLostWhenNobodyHasToldItsEnd() throws IOException {
        Life life = register(GONE);

        start(Duration.ofMillis(10));

        await().untilAsserted(() -> assertThat(lost).containsExactly(life));
        assertThat(registry.open(TC)).hasValue(life.withLost());
        checker.check();
        checkAgainAndWait();
        assertThat(lost).hasSize(1);
    }

    @Test
    void leavesLivesAloneWhoseProcessIsThereOrWasNeverStarted() throws IOException {
        Life alive = register(ALIVE);
        Life created =
                registry.register(new ContainerKey("default", "created"), folder, Instant.EPOCH);

        start(Duration.ZERO);
        checkAgainAndWait();

        assertThat(lost).hasSize(1); // the life that checkAgainAndWait waits for
        assertThat(registry.open(alive.container())).hasValue(alive);
        assertThat(registry.open(created.container())).hasValue(created);
    }

    @Test
    void tellsThatALifeIsLostWhoseStartWasNotSeenAndWhoseBundleIsGone() throws IOException {
        Life life = registry.register(TC, folder.resolve("removed"), Instant.EPOCH);

        start(Duration.ofMillis(10));

        await().untilAsserted(() -> assertThat(lost).containsExactly(life));
        assertThat(registry.open(TC)).hasValue(life.withLost());
    }

    @Test
    void waitsForALateWord() throws IOException {
        register(GONE);
        start(Duration.ofHours(1));
        await().until(() -> questions.get() >= 2);

        store = container -> new Answer.Exited(exit(container), true);

        // Once it knows, it asks no more.
        await().during(Duration.ofMillis(2500))
                .atMost(Duration.ofSeconds(20))
                .until(this::questionsAreOver);
        assertThat(lost).isEmpty();
    }

    @Test
    void forgetsALifeThatIsDeletedMeanwhile() throws IOException {
        register(GONE);
        start(Duration.ofHours(1));
        await().until(() -> questions.get() >= 1);

        registry.close(TC);

        await().during(Duration.ofMillis(2500))
                .atMost(Duration.ofSeconds(20))
                .until(this::questionsAreOver);
        assertThat(lost).isEmpty();
        assertThat(registry.open(TC)).isEmpty();
    }

    @Test
    void goesOnWhenTheStoreDoesNotAnswer() throws IOException {
        Life life = register(GONE);
        store =
                _ -> {
                    throw new UnavailableException("not now");
                };
        start(Duration.ZERO);
        await().until(() -> questions.get() >= 1);

        store = Answer.Running::new;

        await().untilAsserted(() -> assertThat(lost).containsExactly(life));
    }

    @Test
    void notesTheProcessOfALifeWhoseStartWasNotSeen() throws IOException {
        Life life = registry.register(TC, folder, Instant.EPOCH);
        start(Duration.ofHours(1));

        checker.started(new TaskStart(TC, ALIVE.pid(), Instant.EPOCH.plusMillis(1)));

        assertThat(registry.open(TC)).hasValue(life.withInit(ALIVE));
    }

    @Test
    void notesNoProcessOfAnEarlierLifeAndNoneOverAnother() throws IOException {
        Life life = registry.register(TC, folder, Instant.EPOCH);
        start(Duration.ofHours(1));

        checker.started(new TaskStart(TC, ALIVE.pid(), Instant.EPOCH.minusMillis(1)));
        checker.started(new TaskStart(TC, 0, Instant.EPOCH));
        assertThat(registry.open(TC)).hasValue(life);

        registry.update(life.withInit(ALIVE));
        checker.started(new TaskStart(TC, 1, Instant.EPOCH));
        assertThat(registry.open(TC)).hasValue(life.withInit(ALIVE));

        registry.close(TC);
        checker.started(new TaskStart(TC, 1, Instant.EPOCH));
        assertThat(registry.open(TC)).isEmpty();
    }

    @Test
    void tellsOfTheOthersWhereOneCannotBeWritten() throws Exception {
        ContainerKey bad = new ContainerKey("default", "bad");
        Life unwritable = registry.register(bad, folder, Instant.EPOCH).withInit(GONE);
        registry.update(unwritable);
        Path file = folder.resolve("default/bad/life.json");
        // Permissions would not keep root from it.
        assumeTrue(chattr("+i", file), "the file system has no immutable files");
        List<Life> others = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            Life other =
                    registry.register(new ContainerKey("default", "c" + i), folder, Instant.EPOCH)
                            .withInit(GONE);
            registry.update(other);
            others.add(other);
        }

        start(Duration.ofMillis(10));

        try {
            await().untilAsserted(
                            () -> assertThat(lost).containsExactlyInAnyOrderElementsOf(others));
        } finally {
            assertThat(chattr("-i", file)).isTrue();
        }
        await().untilAsserted(() -> assertThat(lost).contains(unwritable));
    }

    private static boolean chattr(String change, Path file) throws Exception {
        return new ProcessBuilder("chattr", change, file.toString()).start().waitFor() == 0;
    }

    private int questionsBefore = -1;

    private boolean questionsAreOver() {
        int now = questions.get();
        boolean over = now == questionsBefore;
        questionsBefore = now;
        return over;
    }

    private Life register(InitProcess init) throws IOException {
        Life life = registry.register(TC, folder, Instant.EPOCH).withInit(init);
        registry.update(life);
        return life;
    }

    private void start(Duration lateWord) {
        checker =
                new LifeChecker(
                        registry,
                        Optional.empty(),
                        () ->
                                new LifeChecker.Ends() {
                                    @Override
                                    public Answer.OfContainer of(ContainerKey container) {
                                        questions.incrementAndGet();
                                        return store.apply(container);
                                    }

                                    @Override
                                    public void close() {}
                                },
                        lost::add,
                        lateWord);
        checker.start();
        checker.check();
    }

    /** Another life is lost, and with it one round of checks is over. */
    private void checkAgainAndWait() throws IOException {
        int before = lost.size();
        ContainerKey marker = new ContainerKey("default", "marker");
        registry.update(registry.register(marker, folder, Instant.EPOCH).withInit(GONE));
        checker.check();
        await().until(() -> lost.size() > before);
        registry.remove(marker);
        lost.removeIf(it -> before > 0 && it.container().equals(marker));
    }

    private static ExitEvent exit(ContainerKey container) {
        return new ExitEvent(
                1,
                new TaskExit(container, container.id(), GONE.pid(), 3, Instant.EPOCH),
                OptionalInt.empty(),
                false,
                ExitSource.CONTAINERD);
    }
}
