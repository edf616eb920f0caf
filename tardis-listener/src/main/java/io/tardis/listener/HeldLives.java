package io.tardis.listener;

import java.util.ArrayDeque;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/**
 * The lives whose death by SIGKILL is held until containerd has reported whether memory ran out, in
 * the order of their deadlines; perhaps some whose end was published since. For one thread.
 */
final class HeldLives {

    private final Queue<TrackedLife> lives = new ArrayDeque<>();

    /** Adds a life whose fate is {@link Fate.Held}. */
    void add(TrackedLife life) {
        lives.add(life);
    }

    /** The first deadline, by the monotonic clock. */
    OptionalLong nextDeadline() {
        for (TrackedLife first = lives.peek(); first != null; first = lives.peek()) {
            if (first.fate instanceof Fate.Held(_, long deadline)) {
                return OptionalLong.of(deadline);
            }
            lives.remove();
        }
        return OptionalLong.empty();
    }

    /** Takes the first life, if its deadline is such a one. */
    @Nullable TrackedLife poll(LongPredicate isDue) {
        return nextDeadline().stream().anyMatch(isDue) ? lives.remove() : null;
    }
}
