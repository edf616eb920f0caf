package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Query;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ContainersTest {

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @Test
    void asksOnceForFew() {
        try (FakeDaemon daemon = daemon(3, 0)) {
            assertThat(newest(10_000)).isEqualTo(3);
            assertThat(newest(2)).isEqualTo(2);

            assertThat(limits(daemon)).containsExactly(2_000, 2);
        }
    }

    @Test
    void asksForTheRestWhereThereAreMore() {
        try (FakeDaemon daemon = daemon(2_500, 0)) {
            assertThat(newest(10_000)).isEqualTo(2_500);
            assertThat(newest(2_100)).isEqualTo(2_100);

            assertThat(limits(daemon).getLast()).isEqualTo(2_100);
        }
    }

    /** The daemon would end the connection, and not answer. */
    @Test
    void asksForNoMoreThanOneAnswerHolds() {
        try (FakeDaemon daemon = daemon(6_000, 1_000)) {
            assertThat(newest(10_000)).isBetween(2_001, 5_000);

            assertThat(limits(daemon)).hasSize(2);
        }
    }

    private static List<Integer> limits(FakeDaemon daemon) {
        return daemon.queries().stream().map(it -> ((Query.ListContainers) it).limit()).toList();
    }

    /** A daemon with so many containers, whose names have so many characters more. */
    private FakeDaemon daemon(int count, int more) {
        OfContainer[] lives =
                IntStream.range(0, count)
                        .mapToObj(i -> Lives.named("moby", "c" + i, "x".repeat(more)).exited(0))
                        .toArray(OfContainer[]::new);
        return new FakeDaemon(tardis.environment().settings(), Lives.daemon(lives));
    }

    private int newest(int limit) {
        try (DaemonQueries queries = DaemonQueries.open(tardis.environment().settings())) {
            return Containers.newest(queries.client(), Optional.empty(), limit).size();
        }
    }
}
