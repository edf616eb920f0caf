package io.tardis.store;

import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Query;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * The last few long answers: many users may ask the same at once, and most of a list's time goes
 * into its JSON on disk. An answer is used again while nothing was written into the log. For one
 * thread at a time.
 */
final class RecentAnswers {

    private static final int MOST = 4;

    /** In memory such an answer takes some times as much. */
    private static final long MOST_BYTES = 256 << 10;

    /**
     * An answer.
     *
     * @param state of the log, before the answer was made
     */
    private record Recent(Query query, Object state, Answer answer) {}

    /** The newest is the last. */
    private final List<Recent> recent = new ArrayList<>();

    /**
     * The answer to {@code query}.
     *
     * @param state equal to what it was as long as the answer is the same
     */
    Answer answer(Query query, Object state, Supplier<Answer> maker) {
        for (Recent each : recent) {
            if (each.query().equals(query) && each.state().equals(state)) {
                return each.answer();
            }
        }
        Answer answer = maker.get();
        recent.removeIf(it -> it.query().equals(query) || !it.state().equals(state));
        if (AnswerMaker.bytesOf(answer) <= MOST_BYTES) {
            if (recent.size() == MOST) {
                recent.removeFirst();
            }
            recent.add(new Recent(query, state, answer));
        }
        return answer;
    }

    /** Gives the memory back. */
    void forget() {
        recent.clear();
    }
}
