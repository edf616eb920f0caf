package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.QueryCodec;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * Finds the container that a user means.
 *
 * <h2>How</h2>
 *
 * The first of these that fits anything counts:
 *
 * <ol>
 *   <li>The whole id, in the namespace that is named, or {@code default}. That asks the daemon for
 *       this container alone.
 *   <li>The name, or the pod and its container, among the newest containers. Equal names of one
 *       namespace (a pod's: of one pod's name and container) are the same thing restarted: the
 *       newest counts.
 *   <li>The beginning of an id, at least 4 characters long. Ids that people chose are looked for in
 *       the same namespace as whole ones: elsewhere they may mean something else. Ids that a
 *       program made (64 hexadecimal digits) are looked for everywhere.
 * </ol>
 *
 * <p>A pod's sandbox is found by its id only.
 */
final class Names {

    private static final int SHORTEST_BEGINNING = 4;
    private static final int MOST_NAMED = 20;

    private final QueryClient client;

    Names(QueryClient client) {
        this.client = client;
    }

    /**
     * The container that {@code name} means; empty if none is known.
     *
     * @param ask asks the daemon for the container of that id
     * @throws AmbiguousNameException if it means several
     */
    Optional<OfContainer> find(ContainerName name, Function<ContainerKey, OfContainer> ask) {
        return name.exact()
                .map(ask)
                .filter(it -> !(it instanceof Answer.Unknown))
                .or(() -> search(name));
    }

    private Optional<OfContainer> search(ContainerName name) {
        return switch (name) {
            case ContainerName.OfPod pod ->
                    only(name, newest(known(Optional.empty(), pod::isNameOf)));
            case ContainerName.Plain plain -> {
                List<Life> all = known(plain.namespace(), _ -> true);
                List<Life> named = all.stream().filter(it -> isNamed(it, plain.word())).toList();
                yield only(
                        name,
                        named.isEmpty()
                                ? all.stream().filter(it -> begins(it, plain)).toList()
                                : newest(named));
            }
        };
    }

    private List<Life> known(Optional<String> namespace, Predicate<Life> wanted) {
        return client.list(namespace, QueryCodec.MAX_LIMIT).containers().stream()
                .map(Life::new)
                .filter(wanted)
                .toList();
    }

    private static boolean isNamed(Life life, String word) {
        return !life.about().sandbox() && life.about().name().filter(word::equals).isPresent();
    }

    private static boolean begins(Life life, ContainerName.Plain name) {
        ContainerKey container = life.container();
        return name.word().length() >= SHORTEST_BEGINNING
                && container.id().startsWith(name.word())
                && (container.namespace().equals(name.idNamespace())
                        || Life.isRandomId(container.id()));
    }

    /** Of each identity the life that began last. */
    private static List<Life> newest(List<Life> lives) {
        List<Life> sorted = new ArrayList<>(lives);
        sorted.sort(Life.BY_AGE.reversed());
        Set<Optional<Life.Identity>> seen = new HashSet<>();
        sorted.removeIf(it -> !seen.add(it.identity()));
        return sorted;
    }

    private static Optional<OfContainer> only(ContainerName name, List<Life> lives) {
        if (lives.size() <= 1) {
            return lives.stream().map(Life::answer).findFirst();
        }
        StringBuilder text = new StringBuilder();
        text.append("%s means %d containers:".formatted(name.written(), lives.size()));
        for (Life life : lives.subList(0, Math.min(lives.size(), MOST_NAMED))) {
            text.append(
                    "\n  %s  %s%s"
                            .formatted(
                                    life.container(),
                                    life.name().map(it -> it + "  ").orElse(""),
                                    Describe.status(life.answer())));
        }
        if (lives.size() > MOST_NAMED) {
            text.append("\n  and %d more".formatted(lives.size() - MOST_NAMED));
        }
        throw new AmbiguousNameException(text.toString());
    }
}
