package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Answer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** Finds a time in the daemon's log of exits, without reading all of it. */
final class PastExits {

    /**
     * Exits of so many numbers are read sooner than searched. So many exits in a row that are older
     * end a search: the clock may have been wrong for a while, as after a boot without one.
     */
    private static final long MANY = 10_000;

    private static final int BLOCK = 5_000;
    private static final int PAGE = 1_000;

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

    /**
     * A number that comes before those of the exits since {@code time}. Only the numbers grow: the
     * times of the exits are those of a clock that may have been set, forward or back.
     */
    static long before(Instant time, QueryClient client) {
        Answer.Events oldest = client.replay(0, 1);
        long begin = Math.max(0, oldest.firstSeq() - 1);
        long high = oldest.lastSeq();
        if (high - begin <= MANY) {
            return begin;
        }
        long found = high;
        long older = 0;
        while (high > begin && older < MANY) {
            long low = Math.max(begin, high - BLOCK);
            List<ExitEvent> block = block(low, high, client);
            Optional<ExitEvent> first =
                    block.stream().filter(it -> !it.exit().exitedAt().isBefore(time)).findFirst();
            found = first.map(it -> it.seq() - 1).orElse(found);
            older = first.isPresent() ? 0 : older + block.size();
            high = block.isEmpty() ? lastUpTo(low, begin, client) : low;
        }
        return found;
    }

    /** The exits after {@code low}, up to {@code high}. */
    private static List<ExitEvent> block(long low, long high, QueryClient client) {
        List<ExitEvent> block = new ArrayList<>();
        List<ExitEvent> page;
        do {
            long after = block.isEmpty() ? low : block.getLast().seq();
            page = client.replay(after, BLOCK).events();
            page.stream().filter(it -> it.seq() <= high).forEach(block::add);
        } while (!page.isEmpty() && page.getLast().seq() < high);
        return block;
    }

    /** Numbers may be missing, also many. Returns the last one that is not, else {@code begin}. */
    private static long lastUpTo(long high, long begin, QueryClient client) {
        long low = begin;
        long end = high;
        while (low < end) {
            long middle = low + (end - low) / 2;
            List<ExitEvent> next = client.replay(middle, 1).events();
            if (next.isEmpty() || next.getFirst().seq() > end) {
                end = middle;
            } else {
                low = next.getFirst().seq();
            }
        }
        return low;
    }
}
