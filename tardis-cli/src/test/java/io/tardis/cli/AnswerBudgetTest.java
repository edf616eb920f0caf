package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.TardisException;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class AnswerBudgetTest {

    private static final int MIB = 1 << 20;

    private final AnswerBudget budget = new AnswerBudget(Duration.ofMillis(20));

    @Test
    void whatIsTakenIsGivenBackAtTheEnd() {
        try (AnswerBudget.Share share = budget.share(true)) {
            share.take(5 * MIB);
            share.take(6 * MIB);

            assertBusy(budget.share(true), 2 * MIB);
            share.give(5 * MIB);
            budget.share(true).take(2 * MIB);
        }
        budget.share(true).take(9 * MIB);
    }

    @Test
    void othersHaveHalfOfItAndRootTheRest() {
        budget.share(false).take(5 * MIB);

        assertBusy(budget.share(false), 2 * MIB);
        assertThatCode(() -> budget.share(true).take(6 * MIB)).doesNotThrowAnyException();
    }

    private static void assertBusy(AnswerBudget.Share share, int bytes) {
        assertThatThrownBy(() -> share.take(bytes))
                .isInstanceOf(TardisException.class)
                .hasMessageContaining("busy");
        share.close();
    }
}
