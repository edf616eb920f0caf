package io.tardis.store;

import static io.tardis.store.Exits.AT;
import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.exec;
import static io.tardis.store.Exits.exit;
import static io.tardis.store.Exits.madeUp;
import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.config.RecordScope;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Lost;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Answer.Unknown;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LifeStatesTest {

    private static final Instant BEFORE = AT.minusSeconds(60);

    @TempDir private Path directory;
    private ContainerRegistry registry;
    private LifeStates enabled;
    private LifeStates all;

    @BeforeEach
    void open() {
        registry = new ContainerRegistry(directory);
        enabled = new LifeStates(registry, RecordScope.ENABLED, _ -> {});
        all = new LifeStates(registry, RecordScope.ALL, _ -> {});
    }

    @Test
    void knowsNothingOfAContainerThatNobodyRegistered() {
        assertThat(state(Optional.empty())).isEqualTo(new Unknown(TC));
    }

    @Test
    void runsFromCreateOn() throws IOException {
        registry.register(TC, directory, BEFORE);
        assertThat(state(Optional.empty())).isEqualTo(new Running(TC));

        start(registry.open(TC).orElseThrow(), 100);
        assertThat(state(Optional.empty())).isEqualTo(new Running(TC));
    }

    @Test
    void hasExitedOnceItsEndIsKnown() throws IOException {
        Life life = start(registry.register(TC, directory, BEFORE), 100);
        ExitEvent event = exit(1, TC, 100, 42);
        Optional<End> end = enabled.endOf(event);
        assertThat(end).contains(new End(life.id(), life.createdAt(), event, true));

        assertThat(state(end)).isEqualTo(new Exited(event, true));
        registry.close(TC);
        assertThat(state(end)).as("and after its delete").isEqualTo(new Exited(event, true));
    }

    @Test
    void saysWhetherTheEndIsOnDisk() {
        ExitEvent event = exit(1, TC, 100, 42);

        Answer answer =
                enabled.stateOf(
                        TC,
                        _ -> Optional.of(new EndCache.Known(Exits.end("life", 0, event), false)));

        assertThat(answer).isEqualTo(new Exited(event, false));
    }

    @Test
    void isLostWhenDeletedWithoutAnEnd() throws IOException {
        start(registry.register(TC, directory, BEFORE), 100);
        registry.close(TC);

        assertThat(state(Optional.empty())).isEqualTo(new Lost(TC));
    }

    @Test
    void neverGivesTheCodeOfAnEarlierLife() throws IOException {
        start(registry.register(TC, directory, BEFORE), 100);
        Optional<End> first = enabled.endOf(exit(1, TC, 100, 0));
        registry.close(TC);

        start(registry.register(TC, directory, BEFORE.plusSeconds(10)), 200);
        assertThat(state(first)).isEqualTo(new Running(TC));

        registry.close(TC);
        assertThat(state(first)).isEqualTo(new Lost(TC));
    }

    /** It was started, but nobody knows as which process. */
    @Test
    void neverGivesTheCodeOfAnEarlierLifeForOneThatIsLost() throws IOException {
        start(registry.register(TC, directory, BEFORE), 100);
        Optional<End> first = enabled.endOf(exit(1, TC, 100, 0));
        registry.close(TC);

        registry.update(registry.register(TC, directory, BEFORE.plusSeconds(10)).withLost());
        registry.close(TC);

        assertThat(state(first)).isEqualTo(new Lost(TC));
    }

    @Test
    void keepsTheAnswerThroughALifeThatWasNeverStarted() throws IOException {
        start(registry.register(TC, directory, BEFORE), 100);
        Optional<End> end = enabled.endOf(exit(1, TC, 100, 42));
        registry.close(TC);

        registry.register(TC, directory, BEFORE.plusSeconds(10));
        registry.close(TC);

        assertThat(state(end)).isEqualTo(new Exited(exit(1, TC, 100, 42), true));
    }

    @Test
    void knowsNothingOfALifeThatWasNeverStartedNorEnded() throws IOException {
        registry.register(TC, directory, BEFORE);
        registry.close(TC);

        assertThat(state(Optional.empty())).isEqualTo(new Unknown(TC));
    }

    @Test
    void isUnknownAfterTheRecordOfItsEndWasRemoved() throws IOException {
        Life life = start(registry.register(TC, directory, BEFORE), 100);
        registry.close(TC);

        assertThat(enabled.forget(TC, "another")).isTrue();
        assertThat(state(Optional.empty())).isEqualTo(new Lost(TC));
        assertThat(enabled.forget(TC, life.id())).isTrue();
        assertThat(state(Optional.empty())).isEqualTo(new Unknown(TC));
        assertThat(all.forget(TC, "exit-7")).isTrue();
    }

    @Test
    void keepsTheEndOfALifeThatIsNotDeletedYet() throws IOException {
        Life life = start(registry.register(TC, directory, BEFORE), 100);

        assertThat(enabled.forget(TC, life.id())).isFalse();
        assertThat(registry.open(TC)).isPresent();
    }

    /** With all recorded: the container lived on without being enabled. */
    @Test
    void givesTheEndOfALaterLifeThatWasNotEnabled() throws IOException {
        start(registry.register(TC, directory, BEFORE), 100);
        registry.close(TC);
        ExitEvent later = exit(9, TC, 200, 5);

        assertThat(state(all.endOf(later))).isEqualTo(new Exited(later, true));
    }

    /** Looked up in the other order, its end could be recorded in between, and be overlooked. */
    @Test
    void looksForTheEndAfterItLookedAtTheLives() throws IOException {
        start(registry.register(TC, directory, BEFORE), 100);

        Answer answer =
                enabled.stateOf(
                        TC,
                        _ -> {
                            delete();
                            return Optional.empty();
                        });

        assertThat(answer).isEqualTo(new Running(TC));
    }

    @Test
    void givesAnExitToTheLifeWithItsPid() throws IOException {
        Life first = start(registry.register(TC, directory, BEFORE), 100);
        registry.close(TC);
        Life second = start(registry.register(TC, directory, BEFORE.plusSeconds(1)), 200);

        assertThat(enabled.endOf(exit(1, TC, 200, 2)).map(End::lifeId)).contains(second.id());
        assertThat(enabled.endOf(exit(2, TC, 100, 1)).map(End::lifeId)).contains(first.id());
        assertThat(enabled.endOf(exit(3, TC, 300, 1))).isEmpty();
    }

    @Test
    void givesALateExitToTheLifeWithItsPidAlsoAfterTheNextCreate() throws IOException {
        Life first = start(registry.register(TC, directory, BEFORE), 100);
        registry.close(TC);
        registry.register(TC, directory, BEFORE.plusSeconds(1)); // not started yet

        assertThat(enabled.endOf(exit(1, TC, 100, 1)))
                .contains(new End(first.id(), first.createdAt(), exit(1, TC, 100, 1), false));
    }

    @Test
    void givesAnExitToTheOpenLifeWhoseStartWasNotSeen() throws IOException {
        start(registry.register(TC, directory, BEFORE), 100);
        registry.close(TC);
        Life second = registry.register(TC, directory, BEFORE.plusSeconds(1));

        assertThat(enabled.endOf(exit(1, TC, 200, 1)).map(End::lifeId)).contains(second.id());
    }

    @Test
    void givesAnExitWithAPidToNoDeletedLifeThatHadNone() throws IOException {
        Life failed = registry.register(TC, directory, BEFORE);
        registry.close(TC);

        assertThat(enabled.endOf(exit(1, TC, 100, 1))).isEmpty();
        assertThat(all.endOf(exit(1, TC, 100, 1)).map(End::lifeId)).contains("exit-1");
        assertThat(enabled.endOf(madeUp(2, TC, 0, 137)).map(End::lifeId)).contains(failed.id());
    }

    @Test
    void givesAnExitBeforeALifesBeginningToNoLife() throws IOException {
        registry.register(TC, directory, AT.plusSeconds(1));

        assertThat(enabled.endOf(exit(1, TC, 100, 0))).isEmpty();
    }

    @Test
    void takesNoExecForAnEnd() throws IOException {
        start(registry.register(TC, directory, BEFORE), 100);

        assertThat(enabled.endOf(exec(1, TC, 100, 0))).isEmpty();
        assertThat(all.endOf(exec(1, TC, 100, 0))).isEmpty();
    }

    @Test
    void keepsCodesOfOtherContainersOnlyIfAllAreWanted() {
        ExitEvent event = exit(7, TC, 100, 1);

        assertThat(enabled.endOf(event)).isEmpty();
        assertThat(all.endOf(event)).contains(new End("exit-7", AT, event, true));
    }

    private Answer state(Optional<End> latest) {
        return enabled.stateOf(TC, _ -> latest.map(it -> new EndCache.Known(it, true)));
    }

    private Life start(Life life, long pid) throws IOException {
        registry.update(life.withInit(InitProcess.of(pid)));
        return life.withInit(InitProcess.of(pid));
    }

    private void delete() {
        try {
            registry.close(TC);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
