package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.assumed;
import static io.tardis.store.Exits.begun;
import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.end;
import static io.tardis.store.Exits.exit;
import static io.tardis.store.Exits.life;
import static io.tardis.store.Exits.lost;
import static io.tardis.store.Exits.notKept;
import static io.tardis.store.Exits.state;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Answer.Unknown;
import io.tardis.core.wire.Published;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class LifeCacheTest {

    private final InMemoryExitLog log = new InMemoryExitLog();
    private final LifeCache lives = new LifeCache(log);

    @Test
    void asksTheLogOnceForEachContainer() {
        log.append(List.of(Exits.ending("a", 0, exit(1, TC, 10, 0))));

        assertThat(newest(TC)).isEqualTo(newest(TC)).matches(LifeCacheTest::isDurable);
        assertThat(newest(container("none")))
                .isEqualTo(newest(container("none")))
                .isEqualTo(new Unknown(container("none")));
        assertThat(ofLife("a")).as("the newest one").isEqualTo(newest(TC));

        assertThat(log.lookups).hasValue(2);
    }

    @Test
    void seesAnEndThatIsRecordedAfterItWasAskedFor() {
        assertThat(newest(TC)).isEqualTo(new Unknown(TC));

        record(end("a", 0, exit(1, TC, 10, 3)));
        assertThat(newest(TC)).isEqualTo(end("a", 0, exit(1, TC, 10, 3)).answer(true));

        record(end("b", 1, exit(2, TC, 20, 4)));
        assertThat(newest(TC)).isEqualTo(end("b", 1, exit(2, TC, 20, 4)).answer(true));
        assertThat(ofLife("a")).isEqualTo(end("a", 0, exit(1, TC, 10, 3)).answer(true));
        assertThat(ofLife("c")).isEqualTo(new Unknown(TC));
    }

    @Test
    void answersFromMemoryUntilTheLogHasTheEnd() {
        LifeState end = end("a", 0, exit(1, TC, 10, 3));
        lives.notRecorded(end);
        assertThat(newest(TC)).isEqualTo(end.answer(false));
        assertThat(ofLife("a")).isEqualTo(end.answer(false));
        assertThat(lives.notRecorded()).containsExactly(end);
        assertThat(lives.hasNotRecorded(TC)).isTrue();

        record(end);

        assertThat(newest(TC)).isEqualTo(end.answer(true));
        assertThat(ofLife("a")).isEqualTo(end.answer(true));
        assertThat(lives.notRecorded()).isEmpty();
        assertThat(lives.hasNotRecorded(TC)).isFalse();
    }

    @Test
    void isDurableWhereTheLogHasTheSameAlready() {
        LifeState end = end("a", 0, exit(1, TC, 10, 3));
        record(end);
        lives.notRecorded(end);

        assertThat(newest(TC)).isEqualTo(end.answer(true));
        log.isRemoved = true;
        assertThat(newest(TC)).isEqualTo(end.answer(false));
    }

    @Test
    void keepsTheNewerLifeInMemoryWhenAnOlderOneIsRecorded() {
        LifeState first = end("first", 1, exit(1, TC, 10, 1));
        LifeState second = end("second", 2, exit(2, TC, 20, 2));
        lives.notRecorded(first);
        lives.notRecorded(second);

        record(first);

        assertThat(newest(TC)).isEqualTo(second.answer(false));
        assertThat(ofLife("first")).isEqualTo(first.answer(true));
    }

    @Test
    void answersEachLifeFromMemory() {
        LifeState first = end("first", 1, exit(1, TC, 10, 1));
        Published.Begun second = begun(life("second", 2), TC, 20);
        lives.notRecorded(first);
        lives.notRecorded(state(second));

        assertThat(newest(TC)).isEqualTo(new Running(TC, Optional.of(second)));
        assertThat(ofLife("second")).isEqualTo(new Running(TC, Optional.of(second)));
        assertThat(ofLife("first")).isEqualTo(first.answer(false));
        assertThat(lives.answer(container("other"), Optional.of("first")))
                .isEqualTo(new Unknown(container("other")));
    }

    @Test
    void prefersTheNewerLifeWhateverTheOrderOfTheEnds() {
        LifeState newer = end("second", 2, exit(1, TC, 20, 2));
        lives.notRecorded(newer);
        lives.notRecorded(end("first", 1, exit(2, TC, 10, 1)));
        assertThat(newest(TC)).isEqualTo(newer.answer(false));

        LifeState newest = end("third", 3, exit(3, TC, 30, 3));
        record(newest);
        assertThat(newest(TC)).isEqualTo(newest.answer(true));
    }

    @Test
    void neverLetsAnAssumedCodeHideARealOne() {
        LifeState real = end("life", 0, exit(1, TC, 10, 3));
        lives.notRecorded(real);
        lives.notRecorded(end("life", 0, assumed(2, TC, 0, 255)));
        assertThat(newest(TC)).isEqualTo(real.answer(false));

        record(real);
        lives.notRecorded(end("life", 0, assumed(2, TC, 0, 255)));
        assertThat(newest(TC)).isEqualTo(real.answer(true));
    }

    @Test
    void prefersARealCodeToAnAssumedOne() {
        record(end("life", 0, assumed(1, TC, 0, 255)));
        LifeState real = end("life", 0, exit(2, TC, 10, 3));
        lives.notRecorded(real);

        assertThat(newest(TC)).isEqualTo(real.answer(false));
        assertThat(ofLife("life")).isEqualTo(real.answer(false));
    }

    @Test
    void knowsThatALifeInTheLogHasEnded() {
        Published.Begun begun = begun(life("life", 0), TC, 10);
        record(state(begun));
        assertThat(newest(TC)).isEqualTo(new Running(TC, Optional.of(begun)));

        lives.notRecorded(state(lost(life("life", 0), TC)));

        assertThat(newest(TC)).isEqualTo(new Answer.Lost(TC, Optional.of(begun)));
    }

    @Test
    void answersNothingOfALifeThatIsNotKept() {
        record(end("first", 0, exit(1, TC, 10, 0)));
        lives.notRecorded(state(begun(notKept("second", 1), TC, 20)));

        assertThat(newest(TC)).isEqualTo(new Unknown(TC));
        assertThat(ofLife("first")).isInstanceOf(Exited.class);
    }

    /** The begins of lives are given up before their ends are. */
    @Test
    void forgetsWhatWasGivenUpAndKeepsALaterStateOfTheLife() {
        LifeState begin = state(begun(life("life", 0), TC, 10));
        LifeState end = end("life", 0, exit(1, TC, 10, 3));
        lives.notRecorded(begin);
        lives.notRecorded(end);

        lives.forget(begin);
        assertThat(newest(TC)).isEqualTo(end.answer(false));
        assertThat(ofLife("life")).isEqualTo(end.answer(false));

        lives.forget(end);
        assertThat(newest(TC)).isEqualTo(new Unknown(TC));
        assertThat(ofLife("life")).isEqualTo(new Unknown(TC));
        assertThat(lives.notRecorded()).isEmpty();
    }

    @Test
    void answersFromMemoryWhileTheLogCannotBeRead() {
        LifeState end = end("a", 0, exit(1, TC, 10, 3));
        lives.notRecorded(end);
        log.failsToRead = true;

        assertThat(newest(TC)).isEqualTo(end.answer(false));
        assertThat(ofLife("a")).isEqualTo(end.answer(false));
        assertThatThrownBy(() -> newest(container("other"))).isInstanceOf(ExitLogException.class);
        assertThatThrownBy(() -> ofLife("b")).isInstanceOf(ExitLogException.class);
    }

    @Test
    void remembersNoFailure() {
        log.failsToRead = true;
        assertThatThrownBy(() -> newest(TC)).isInstanceOf(ExitLogException.class);
        log.failsToRead = false;

        assertThat(newest(TC)).isEqualTo(new Unknown(TC));
    }

    private void record(LifeState state) {
        Published message = state.end().<Published>map(Published.Exit::new).orElse(state.begun());
        log.append(List.of(Exits.recorded(message)));
        lives.recorded(state);
    }

    private Answer.OfContainer newest(ContainerKey container) {
        return lives.answer(container, Optional.empty());
    }

    private Answer.OfContainer ofLife(String life) {
        return lives.answer(TC, Optional.of(life));
    }

    private static boolean isDurable(Answer.OfContainer answer) {
        return answer instanceof Exited exited && exited.durable();
    }
}
