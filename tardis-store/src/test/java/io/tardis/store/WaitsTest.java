package io.tardis.store;

import static io.tardis.store.Exits.TC;
import static io.tardis.store.Exits.container;
import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class WaitsTest {

    private static final ContainerKey OTHER = container("other");

    private final Waits<String> waits = new Waits<>();

    /** As nanoTime may: what comes after it is negative. */
    private final long now = Long.MAX_VALUE;

    @Test
    void givesTheFirstDeadlineFirstAndOfTwoAlikeTheFirstThatCame() {
        waits.add("late", 1, TC, now + 3);
        waits.add("first", 1, TC, now - 1);
        waits.add("second", 1, OTHER, now - 1);

        assertThat(inOrder()).containsExactly("first", "second", "late");
        assertThat(waits.size()).isZero();
        assertThat(waits.of(TC)).isEmpty();
        assertThat(waits.first()).isNull();
    }

    @Test
    void takesOutTheWaitersForAContainer() {
        waits.add("a", 1, TC, now);
        waits.add("b", 1, OTHER, now);
        waits.add("c", 1, TC, now - 5);

        assertThat(waits.of(TC)).extracting(Waits.Waiting::request).containsExactly("a", "c");
        waits.of(TC).forEach(waits::remove);

        assertThat(waits.of(TC)).isEmpty();
        assertThat(waits.of(OTHER)).hasSize(1);
        assertThat(waits.size()).isEqualTo(1);
    }

    @Test
    void hurriesWaitersThatWouldWaitLonger() {
        waits.add("long", 1, TC, now + 100);
        waits.add("other", 1, OTHER, now + 50);
        waits.add("short", 1, TC, now - 2);

        waits.of(TC).forEach(it -> waits.hurry(it, now + 2));

        assertThat(waits.size()).isEqualTo(3);
        assertThat(Objects.requireNonNull(waits.first()).deadline()).isEqualTo(now - 2);
        assertThat(inOrder()).containsExactly("short", "long", "other");
    }

    /** With a search among all for each of them, this takes minutes. */
    @Test
    @Timeout(20)
    void takesNoLongerForOneTheMoreThereAre() {
        int many = 100_000;
        for (int i = 0; i < many; i++) {
            waits.add("r" + i, 1, container("c" + i), now + Duration.ofHours(1).toNanos());
        }

        for (int i = 0; i < many; i++) {
            waits.of(container("c" + i)).forEach(it -> waits.hurry(it, now));
        }
        for (int i = 0; i < many; i++) {
            assertThat(waits.of(container("c" + i))).hasSize(1);
            waits.of(container("c" + i)).forEach(waits::remove);
        }
        assertThat(waits.size()).isZero();
    }

    private List<String> inOrder() {
        List<String> requests = new ArrayList<>();
        for (var first = waits.first(); first != null; first = waits.first()) {
            requests.add(first.request());
            waits.remove(first);
        }
        return requests;
    }

    @Test
    void takesOutWhatAConnectionAsked() {
        waits.add("a", 1, TC, now);
        waits.add("b", 2, TC, now);
        waits.add("c", 1, OTHER, now + 1);
        assertThat(waits.size(1)).isEqualTo(2);

        assertThat(waits.removeConnection(1)).isEqualTo(2);

        assertThat(waits.removeConnection(1)).isZero();
        assertThat(waits.size(1)).isZero();
        assertThat(waits.of(OTHER)).isEmpty();
        assertThat(inOrder()).containsExactly("b");
        assertThat(waits.size(2)).isZero();
    }
}
