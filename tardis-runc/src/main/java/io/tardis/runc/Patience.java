package io.tardis.runc;

import java.time.Duration;

/**
 * How long a {@code delete} waits for an answer. One that waited in vain shows that something is
 * wrong for all: the disk does not take a commit, or nobody hears containerd. So the next ones wait
 * for a moment only, until an answer comes in time, or it is worth another try: after 1 s, 2 s, and
 * so on up to a minute. From any thread.
 */
final class Patience {

    /** A commit takes some milliseconds. */
    private static final Duration SHORT = Duration.ofMillis(10);

    private static final int MOST_SECONDS = 60;

    private int inVain;
    private long shortUntil;

    /** The longest wait now, at most {@code wanted}. */
    synchronized Duration of(Duration wanted) {
        boolean isShort = inVain > 0 && System.nanoTime() - shortUntil < 0;
        return isShort && wanted.compareTo(SHORT) > 0 ? SHORT : wanted;
    }

    /** What came of a wait of at most this length. */
    synchronized void learn(Duration wait, boolean answered) {
        if (answered) {
            inVain = 0;
        } else if (wait.compareTo(SHORT) > 0) {
            int seconds = Math.min(MOST_SECONDS, 1 << Math.min(inVain, 6));
            inVain++;
            shortUntil = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
        }
    }
}
