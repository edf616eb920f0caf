package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The questions that wait for the end of a container, by container and by how long they may wait.
 * What is done for one container costs nothing for those who wait for others. For one thread.
 *
 * @param <R> a question
 */
final class Waits<R> {

    /**
     * A question that waits.
     *
     * @param <R> the question
     * @param number tells it from all others
     * @param request the question
     * @param container whose end it waits for
     * @param deadline until when, by the monotonic clock
     */
    record Waiting<R>(long number, R request, ContainerKey container, long deadline) {}

    private final Map<ContainerKey, Set<Waiting<R>>> ofContainers = new HashMap<>();

    /** The first deadline first; nanoTime may wrap, so by difference. */
    private final TreeSet<Waiting<R>> byDeadline =
            new TreeSet<>(
                    ((Comparator<Waiting<R>>) (a, b) -> Long.signum(a.deadline() - b.deadline()))
                            .thenComparingLong(Waiting::number));

    private long added;

    boolean isEmpty() {
        return byDeadline.isEmpty();
    }

    int size() {
        return byDeadline.size();
    }

    void add(R request, ContainerKey container, long deadline) {
        put(new Waiting<>(added++, request, container, deadline));
    }

    boolean isWaitedFor(ContainerKey container) {
        return ofContainers.containsKey(container);
    }

    /** The containers whose ends somebody waits for. */
    List<ContainerKey> containers() {
        return List.copyOf(ofContainers.keySet());
    }

    /** Takes those out that wait for {@code container}, in the order in which they came. */
    Set<Waiting<R>> remove(ContainerKey container) {
        Set<Waiting<R>> waiting = ofContainers.remove(container);
        if (waiting == null) {
            return Set.of();
        }
        waiting.forEach(byDeadline::remove);
        return waiting;
    }

    /** Lets nobody wait for {@code container} longer than until {@code deadline}. */
    void hurry(ContainerKey container, long deadline) {
        for (Waiting<R> it : remove(container)) {
            boolean sooner = it.deadline() - deadline <= 0;
            put(sooner ? it : new Waiting<>(it.number(), it.request(), container, deadline));
        }
    }

    /** The one whose time is over first; null if nobody waits. */
    @Nullable Waiting<R> first() {
        return byDeadline.isEmpty() ? null : byDeadline.first();
    }

    /** Takes {@code waiting} out. */
    void remove(Waiting<R> waiting) {
        byDeadline.remove(waiting);
        Set<Waiting<R>> others = ofContainers.get(waiting.container());
        if (others != null && others.remove(waiting) && others.isEmpty()) {
            ofContainers.remove(waiting.container());
        }
    }

    private void put(Waiting<R> waiting) {
        byDeadline.add(waiting);
        ofContainers.computeIfAbsent(waiting.container(), _ -> new LinkedHashSet<>()).add(waiting);
    }
}
