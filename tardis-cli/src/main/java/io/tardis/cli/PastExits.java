package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Answer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.function.Consumer;

/** Finds a time in the daemon's log of exits, without reading all of it. */
final class PastExits {

    /** So many are read sooner than searched. */
    private static final long FEW = 500;

    private static final int PAGE = 1_000;

    /** Exits are numbered as they are reported, which may be a while after the end. */
    private static final Duration DELAY = Duration.ofMinutes(1);

    private PastExits() {}

    /** Hands on all exits after {@code seq}, oldest first. */
    static void forEach(long seq, QueryClient client, Consumer<ExitEvent> action) {
        long after = seq;
        Answer.Events page;
        do {
            page = client.replay(after, PAGE);
            page.events().forEach(action);
            after = page.events().isEmpty() ? page.lastSeq() : page.events().getLast().seq();
            // An answer may hold less than what was asked for.
        } while (after < page.lastSeq());
    }

    /** A number that comes before those of the exits since {@code time}, and not long before. */
    static long before(Instant time, QueryClient client) {
        Instant begin = time.minus(DELAY);
        Answer.Events oldest = client.replay(0, 1);
        long low = Math.max(0, oldest.firstSeq() - 1);
        long high = oldest.lastSeq();
        while (high - low > FEW) {
            long middle = low + (high - low) / 2;
            List<ExitEvent> next = client.replay(middle, 1).events();
            // Numbers may be missing: the next exit can have a much greater one.
            if (next.isEmpty() || !next.getFirst().exit().exitedAt().isBefore(begin)) {
                high = middle;
            } else {
                low = next.getFirst().seq();
            }
        }
        return low;
    }
}
