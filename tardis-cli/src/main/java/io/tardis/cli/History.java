package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.QueryCodec;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The lives that came before one: those of the same container, and of the containers that it
 * replaced (same name, or same pod and container). The log of exits has them for {@code
 * TARDIS_REPLAY}. The list has the last life of each container for {@code TARDIS_RETENTION}.
 */
final class History {

    /** A longer log would have the user wait. */
    private static final long MOST_SEARCHED = 100_000;

    private final Life life;
    private final Map<String, OfContainer> found = new LinkedHashMap<>();

    private History(Life life) {
        this.life = life;
    }

    /** The ended lives before {@code life}, newest first. */
    static List<OfContainer> before(Life life, QueryClient client) {
        History history = new History(life);
        client.list(Optional.empty(), QueryCodec.MAX_LIMIT).containers().forEach(history::add);
        history.addLog(client);
        return history.found.values().stream()
                .sorted(Comparator.comparing(Life::new, Life.BY_AGE).reversed())
                .toList();
    }

    private void addLog(QueryClient client) {
        long after = Math.max(0, client.ping().lastSeq() - MOST_SEARCHED);
        PastExits.forEach(
                after,
                client,
                event -> {
                    if (event.exit().isContainerExit()) {
                        add(new Answer.Exited(event, true));
                    }
                });
    }

    private void add(OfContainer answer) {
        Life other = new Life(answer);
        if ((answer instanceof Answer.Exited || answer instanceof Answer.Lost)
                && isSameThing(other)
                // A time may have been rounded on its way through the disk.
                && !key(other).equals(key(life))
                // An exit that was published again may have got its number after the next life's.
                && (found.containsKey(key(other)) || isBefore(other))) {
            // An exit may have been published again, corrected.
            found.merge(key(other), answer, (one, two) -> seq(one) < seq(two) ? two : one);
        }
    }

    /** The lives of one container are recorded with times that order them. */
    private boolean isBefore(Life other) {
        if (other.container().equals(life.container())
                && other.createdAt().isPresent()
                && life.createdAt().isPresent()) {
            return other.createdAt().get().isBefore(life.createdAt().get());
        }
        return Life.BY_AGE.compare(other, life) < 0;
    }

    private boolean isSameThing(Life other) {
        return other.container().equals(life.container())
                || (life.identity().isPresent() && life.identity().equals(other.identity()));
    }

    private static long seq(OfContainer answer) {
        return new Life(answer).end().map(ExitEvent::seq).orElse(0L);
    }

    /** The life's id; records of the first format have none. */
    private static String key(Life life) {
        return life.ref()
                .map(it -> "life " + it.id())
                .or(() -> life.end().map(it -> "exit " + it.seq()))
                .orElseGet(() -> life.container().toString());
    }
}
