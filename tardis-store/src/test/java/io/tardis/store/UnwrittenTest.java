package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.begun;
import static io.tardis.store.Exits.ending;
import static io.tardis.store.Exits.exec;
import static io.tardis.store.Exits.exit;
import static io.tardis.store.Exits.life;
import static io.tardis.store.Exits.lost;
import static io.tardis.store.Exits.passing;
import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.wire.Answer.Backlog;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class UnwrittenTest {

    @Test
    void givesWhatItWasGivenInOrder() {
        long seed = 20_261_123;
        Random random = new Random(seed);
        Unwritten unwritten = new Unwritten(1_000, Long.MAX_VALUE);
        List<Recorded> all = new ArrayList<>();
        for (int seq = 1; seq <= 500; seq++) {
            all.add(random.nextBoolean() ? end(seq) : other(seq));
        }
        all.forEach(unwritten::add);

        List<Recorded> first = unwritten.oldest(123);
        unwritten.written(first);
        List<Recorded> rest = unwritten.oldest(1_000);

        assertThat(first).as("seed %d", seed).isEqualTo(all.subList(0, 123));
        assertThat(rest).as("seed %d", seed).isEqualTo(all.subList(123, 500));
        assertThat(unwritten.exits()).isEqualTo(rest.size());
    }

    @Test
    void givesUpTheOldestThatEndsNoLifeAndThenTheOldestEnd() {
        Unwritten unwritten = new Unwritten(2, Long.MAX_VALUE);
        List.of(end(1), other(2), end(3), other(4), end(5)).forEach(unwritten::add);

        assertThat(unwritten.dropOverLimit()).containsExactly(other(2), other(4), end(1));

        assertThat(unwritten.oldest(10)).containsExactly(end(3), end(5));
    }

    @Test
    void countsExitsAndLetsTheOldestLifesBeginGoWithItsEnd() {
        Unwritten unwritten = new Unwritten(1, Long.MAX_VALUE);
        Recorded begin = new Recorded(1, begun(life("life3", 3), TC, 3));
        Recorded loss = new Recorded(2, lost(life("life2", 2), TC));
        List.of(begin, loss, end(3)).forEach(unwritten::add);
        assertThat(unwritten.exits()).isEqualTo(1);
        assertThat(unwritten.dropOverLimit()).isEmpty();

        unwritten.add(end(4));

        assertThat(unwritten.dropOverLimit()).containsExactly(begin, loss, end(3));
        unwritten.notWritten();
        assertThat(unwritten.backlog()).isEqualTo(new Backlog(false, 1, 1));
    }

    @Test
    void givesUpWhatTakesMoreMemoryThanItMay() {
        Unwritten unwritten = new Unwritten(1_000, 2_000);
        List.of(end(1), end(2), end(3), end(4)).forEach(unwritten::add);

        assertThat(unwritten.dropOverLimit()).containsExactly(end(1));

        unwritten.written(unwritten.oldest(2));
        List.of(end(5), end(6)).forEach(unwritten::add);
        assertThat(unwritten.dropOverLimit()).as("what is written takes none").isEmpty();
    }

    @Test
    void countsWhatIsNotOnDiskOnlyWhileItCannotBeWritten() {
        Unwritten unwritten = new Unwritten(1, Long.MAX_VALUE);
        unwritten.add(end(1));
        unwritten.add(end(2));
        assertThat(unwritten.backlog()).isEqualTo(Backlog.NONE);

        assertThat(unwritten.dropOverLimit()).hasSize(1);
        unwritten.notWritten();
        assertThat(unwritten.backlog()).isEqualTo(new Backlog(false, 1, 1));

        unwritten.written(unwritten.oldest(10));
        assertThat(unwritten.backlog()).isEqualTo(new Backlog(true, 0, 1));
    }

    private static Recorded end(long seq) {
        return ending("life" + seq, seq, exit(seq, TC, seq, 0));
    }

    private static Recorded other(long seq) {
        return passing(exec(seq, TC, seq, 0));
    }
}
