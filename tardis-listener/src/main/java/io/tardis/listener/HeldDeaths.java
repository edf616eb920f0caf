package io.tardis.listener;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.OptionalLong;

/**
 * Lives whose death by SIGKILL is held until containerd has reported whether memory ran out, in the
 * order of their deadlines. For the thread of {@link Lives}.
 */
final class HeldDeaths {

    private final Deque<TrackedLife> lives = new ArrayDeque<>();

    /** Adds a life whose fate is held. */
    void add(TrackedLife life) {
        lives.add(life);
    }

    /** The monotonic time at which the first one is due, if anything is held. */
    OptionalLong nextDeadline() {
        while (!lives.isEmpty() && !(lives.peek().fate instanceof Fate.Held)) {
            lives.remove();
        }
        return lives.isEmpty()
                ? OptionalLong.empty()
                : OptionalLong.of(((Fate.Held) lives.peek().fate).deadline());
    }

    /** Takes the first one out; {@link #nextDeadline} has named its time. */
    TrackedLife remove() {
        return lives.remove();
    }
}
