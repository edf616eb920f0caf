package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.container;
import static io.tardis.store.Exits.end;
import static io.tardis.store.Exits.exit;
import static io.tardis.store.Exits.madeUp;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class EndCacheTest {

    private final InMemoryExitLog log = new InMemoryExitLog();
    private final EndCache ends = new EndCache(log);

    @Test
    void asksTheLogOnceForEachContainer() {
        log.append(
                List.of(
                        new Recorded(
                                exit(1, TC, 10, 0), Optional.of(end("a", 0, exit(1, TC, 10, 0))))));

        assertThat(ends.latest(TC)).isEqualTo(ends.latest(TC));
        assertThat(ends.latest(TC).orElseThrow().durable()).isTrue();
        assertThat(ends.latest(container("none")))
                .isEqualTo(ends.latest(container("none")))
                .isEmpty();

        assertThat(log.lookups).hasValue(2);
    }

    @Test
    void seesAnEndThatIsRecordedAfterItWasAskedFor() {
        assertThat(ends.latest(TC)).isEmpty();

        record(end("a", 0, exit(1, TC, 10, 3)));
        assertThat(latest()).isEqualTo(end("a", 0, exit(1, TC, 10, 3)));

        record(end("b", 1, exit(2, TC, 20, 4)));
        assertThat(latest()).isEqualTo(end("b", 1, exit(2, TC, 20, 4)));
    }

    @Test
    void answersFromMemoryUntilTheLogHasTheEnd() {
        End end = end("a", 0, exit(1, TC, 10, 3));
        ends.notRecorded(end);
        assertThat(ends.latest(TC)).contains(new EndCache.Known(end, false));
        assertThat(ends.notRecorded()).containsExactly(end);

        record(end);

        assertThat(ends.latest(TC)).contains(new EndCache.Known(end, true));
        assertThat(ends.notRecorded()).isEmpty();
    }

    @Test
    void keepsTheNewerLifeInMemoryWhenAnOlderOneIsRecorded() {
        End first = end("first", 1, exit(1, TC, 10, 1));
        End second = end("second", 2, exit(2, TC, 20, 2));
        ends.notRecorded(first);
        ends.notRecorded(second);

        record(first);

        assertThat(ends.latest(TC)).contains(new EndCache.Known(second, false));
    }

    @Test
    void prefersTheNewerLifeWhateverTheOrderOfTheEnds() {
        End newer = end("second", 2, exit(1, TC, 20, 2));
        ends.notRecorded(newer);
        ends.notRecorded(end("first", 1, exit(2, TC, 10, 1)));
        assertThat(latest()).isEqualTo(newer);

        End newest = end("third", 3, exit(3, TC, 30, 3));
        record(newest);
        assertThat(ends.latest(TC)).contains(new EndCache.Known(newest, true));
    }

    @Test
    void neverLetsAMadeUpCodeHideARealOne() {
        End real = end("life", 0, exit(1, TC, 10, 3));
        ends.notRecorded(real);
        ends.notRecorded(end("life", 0, madeUp(2, TC, 0, 255)));
        assertThat(latest()).isEqualTo(real);

        record(real);
        ends.notRecorded(end("life", 0, madeUp(2, TC, 0, 255)));
        assertThat(ends.latest(TC)).contains(new EndCache.Known(real, true));
    }

    @Test
    void prefersARealCodeToAMadeUpOne() {
        record(end("life", 0, madeUp(1, TC, 0, 255)));
        End real = end("life", 0, exit(2, TC, 10, 3));
        ends.notRecorded(real);

        assertThat(ends.latest(TC)).contains(new EndCache.Known(real, false));
    }

    @Test
    void answersFromMemoryWhileTheLogCannotBeRead() {
        End end = end("a", 0, exit(1, TC, 10, 3));
        ends.notRecorded(end);
        log.failsToRead = true;

        assertThat(ends.latest(TC)).contains(new EndCache.Known(end, false));
        assertThatThrownBy(() -> ends.latest(container("other")))
                .isInstanceOf(ExitLogException.class);
    }

    @Test
    void remembersNoFailure() {
        log.failsToRead = true;
        assertThatThrownBy(() -> ends.latest(TC)).isInstanceOf(ExitLogException.class);
        log.failsToRead = false;

        assertThat(ends.latest(TC)).isEmpty();
    }

    private void record(End end) {
        log.append(List.of(new Recorded(end.event(), Optional.of(end))));
        ends.recorded(end);
    }

    private End latest() {
        return ends.latest(TC).orElseThrow().end();
    }
}
