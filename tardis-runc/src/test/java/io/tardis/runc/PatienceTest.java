package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class PatienceTest {

    private static final Duration SECOND = Duration.ofSeconds(1);
    private final Patience patience = new Patience();

    @Test
    void waitsAsLongAsIsWantedWhileAnswersCome() {
        assertThat(patience.of(SECOND)).isEqualTo(SECOND);
        patience.learn(SECOND, true);
        assertThat(patience.of(SECOND)).isEqualTo(SECOND);
    }

    @Test
    void waitsForAMomentAfterAWaitInVain() {
        patience.learn(SECOND, false);

        Duration next = patience.of(SECOND);
        assertThat(next).isPositive().isLessThan(Duration.ofMillis(20));
        assertThat(patience.of(Duration.ZERO)).isZero();
        patience.learn(next, false);
        assertThat(patience.of(SECOND)).isEqualTo(next);
    }

    @Test
    void waitsAgainAfterAnAnswer() {
        patience.learn(SECOND, false);
        patience.learn(patience.of(SECOND), true);

        assertThat(patience.of(SECOND)).isEqualTo(SECOND);
    }

    /** A call that asks for no wait shows nothing. */
    @Test
    void learnsNothingFromACallThatDoesNotWait() {
        patience.learn(Duration.ZERO, false);

        assertThat(patience.of(SECOND)).isEqualTo(SECOND);
    }
}
