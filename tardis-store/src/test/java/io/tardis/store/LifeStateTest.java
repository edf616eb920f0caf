package io.tardis.store;

import static io.tardis.store.Exits.AT;
import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.assumed;
import static io.tardis.store.Exits.begun;
import static io.tardis.store.Exits.end;
import static io.tardis.store.Exits.exec;
import static io.tardis.store.Exits.exit;
import static io.tardis.store.Exits.life;
import static io.tardis.store.Exits.lost;
import static io.tardis.store.Exits.notKept;
import static io.tardis.store.Exits.ofLife;
import static io.tardis.store.Exits.outOfMemory;
import static io.tardis.store.Exits.state;
import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeRef;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Lost;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Answer.Unknown;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.Published.Begun;
import io.tardis.store.LifeState.Stage;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class LifeStateTest {

    private static final LifeRef LIFE = life("life", 0);
    private static final Begun BEGUN = begun(LIFE, TC, 100);

    @Test
    void runsFromItsBeginOn() {
        assertThat(state(BEGUN).answer(true)).isEqualTo(new Running(TC, Optional.of(BEGUN)));
    }

    @Test
    void hasExitedOnceItsEndIsKnown() {
        ExitEvent event = ofLife(LIFE, exit(1, TC, 100, 42));
        LifeState ended = state(BEGUN).or(state(new Published.Exit(event)));

        assertThat(ended.answer(true)).isEqualTo(new Exited(event, true));
        assertThat(ended.answer(false)).as("not on disk").isEqualTo(new Exited(event, false));
    }

    @Test
    void isLostUntilItsExitComesAfterAll() {
        LifeState lost = state(BEGUN).or(state(lost(LIFE, TC)));
        assertThat(lost.answer(true)).isEqualTo(new Lost(TC, Optional.of(BEGUN)));

        LifeState ended = lost.or(end("life", 0, exit(1, TC, 100, 42)));
        assertThat(ended.answer(true)).isInstanceOf(Exited.class);
        assertThat(ended.or(state(lost(LIFE, TC))).answer(true)).isInstanceOf(Exited.class);
        assertThat(ended.or(state(BEGUN)).answer(true)).isInstanceOf(Exited.class);
    }

    @Test
    void saysNothingOfALifeThatIsNotKept() {
        LifeState state = state(begun(notKept("life", 0), TC, 100));

        assertThat(state.stage()).isEqualTo(Stage.NOT_KEPT);
        assertThat(state.answer(true)).isEqualTo(new Unknown(TC));
        assertThat(state.or(state(BEGUN)).answer(true))
                .as("kept after all")
                .isInstanceOf(Running.class);
    }

    @Test
    void prefersTheFirstRealCode() {
        LifeState real = end("life", 0, exit(1, TC, 100, 42));
        LifeState assumed = end("life", 0, assumed(2, TC, 100, 137));

        assertThat(assumed.stage()).isEqualTo(Stage.ASSUMED);
        assertThat(assumed.or(real).end()).isEqualTo(real.end());
        assertThat(real.or(assumed).end()).isEqualTo(real.end());
        assertThat(real.or(end("life", 0, exit(3, TC, 100, 43))).end()).isEqualTo(real.end());
        assertThat(assumed.or(end("life", 0, assumed(3, TC, 100, 255))).end())
                .isEqualTo(assumed.end());
    }

    /** containerd's event comes after the shim's call. */
    @Test
    void takesTheImageThatIsPublishedWithASecondBegin() {
        LifeState first = state(BEGUN);
        LifeState named = state(Exits.ofImage("nginx:1", BEGUN));

        assertThat(first.or(named).begun()).isEqualTo(named.begun());
        assertThat(named.or(first).begun()).isEqualTo(named.begun());
        assertThat(named.isNoFurther(first)).as("is on disk").isFalse();
        assertThat(named.or(state(Exits.ofImage("nginx:2", BEGUN))).begun())
                .isEqualTo(named.begun());
        LifeState ended = end("life", 0, exit(1, TC, 100, 42));
        assertThat(ended.or(named).stage()).isEqualTo(Stage.ENDED);
    }

    @Test
    void isCorrectedOnceItIsKnownThatMemoryRanOut() {
        ExitEvent event = exit(1, TC, 100, 137);
        LifeState first = end("life", 0, event);
        LifeState corrected = end("life", 0, outOfMemory(2, event));

        assertThat(first.or(corrected).end()).isEqualTo(corrected.end());
        assertThat(corrected.or(first).end()).isEqualTo(corrected.end());
        assertThat(corrected.isNoFurther(first)).as("is on disk").isFalse();
        assertThat(first.isNoFurther(corrected)).isTrue();
        assertThat(first.or(end("life", 0, outOfMemory(3, exit(3, TC, 100, 1)))).end())
                .as("another code")
                .isEqualTo(first.end());
        assertThat(first.or(end("other", -1, outOfMemory(2, event)))).isEqualTo(first);
    }

    @Test
    void isOfTheNewerLife() {
        LifeState first = end("first", 0, exit(1, TC, 100, 1));
        LifeState second = end("second", 1, exit(2, TC, 200, 2));

        assertThat(first.or(second)).isEqualTo(second);
        assertThat(second.or(first)).isEqualTo(second);
    }

    @Test
    void isOfTheLifeThatBeganLaterAlsoIfTheClockWasSetBack() {
        LifeState first = end("first", 1_000, exit(1, TC, 100, 1));
        LifeState second = state(begun(life("second", 0), TC, 200));

        assertThat(first.or(second)).isEqualTo(second);
        LifeState ended = second.or(end("second", 0, exit(2, TC, 200, 2)));
        assertThat(first.or(ended)).as("after its end, too").isEqualTo(ended);
    }

    /** Where there are lives before it, none of theirs is to be taken for its end. */
    @Test
    void saysThatNothingIsKeptOfALifeThatEnds() {
        LifeState state =
                state(new Published.Exit(ofLife(notKept("life", 0), exit(1, TC, 100, 0))));

        assertThat(state.stage()).isEqualTo(LifeState.Stage.NOT_KEPT);
        assertThat(state.end()).isEmpty();
    }

    /** It could not be answered, or is not about a life that is kept. */
    @Test
    void comesFromNoOtherMessage() {
        assertThat(
                        List.of(
                                new Published.Exit(exit(1, TC, 100, 0)),
                                new Published.Exit(ofLife(LIFE, exec(1, TC, 101, 0))),
                                lost(notKept("life", 0), TC),
                                new Published.Heartbeat(1, AT),
                                new Published.Gap(1, AT, AT, "ctr ended")))
                .allMatch(it -> LifeState.of(it).isEmpty());
        ExitEvent exec = exit(1, TC, 101, 0);
        ExitEvent named =
                new ExitEvent(
                        1,
                        exec.exit().asExec(),
                        exec.signal(),
                        false,
                        exec.source(),
                        Optional.of(LIFE));
        assertThat(LifeState.of(new Published.Exit(named)))
                .as("an exec with the container's id")
                .isEmpty();
    }
}
