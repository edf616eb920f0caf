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
 * The questions that wait for the end of a container, by container, by connection, and by how long
 * they may wait. What is done for one container costs nothing for those who wait for others. For
 * one thread.
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
     * @param connection whose question it is
     * @param container whose end it waits for
     * @param deadline until when, by the monotonic clock
     */
    record Waiting<R>(
            long number, R request, long connection, ContainerKey container, long deadline) {}

    private final Map<ContainerKey, Set<Waiting<R>>> ofContainers = new HashMap<>();

    private final Map<Long, Set<Waiting<R>>> ofConnections = new HashMap<>();

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

    /** How many of one connection wait. */
    int size(long connection) {
        return ofConnections.getOrDefault(connection, Set.of()).size();
    }

    void add(R request, long connection, ContainerKey container, long deadline) {
        put(new Waiting<>(added++, request, connection, container, deadline));
    }

    boolean isWaitedFor(ContainerKey container) {
        return ofContainers.containsKey(container);
    }

    /** The containers whose ends somebody waits for. */
    List<ContainerKey> containers() {
        return List.copyOf(ofContainers.keySet());
    }

    /** Takes those out that wait for {@code container}, in the order in which they came. */
    List<Waiting<R>> remove(ContainerKey container) {
        List<Waiting<R>> waiting = List.copyOf(ofContainers.getOrDefault(container, Set.of()));
        waiting.forEach(this::remove);
        return waiting;
    }

    /** Takes those out that a connection asked, which has ended; returns how many they were. */
    int removeConnection(long connection) {
        List<Waiting<R>> waiting = List.copyOf(ofConnections.getOrDefault(connection, Set.of()));
        waiting.forEach(this::remove);
        return waiting.size();
    }

    /** Lets nobody wait for {@code container} longer than until {@code deadline}. */
    void hurry(ContainerKey container, long deadline) {
        for (Waiting<R> it : remove(container)) {
            boolean sooner = it.deadline() - deadline <= 0;
            put(
                    sooner
                            ? it
                            : new Waiting<>(
                                    it.number(),
                                    it.request(),
                                    it.connection(),
                                    container,
                                    deadline));
        }
    }

    /** The one whose time is over first; null if nobody waits. */
    @Nullable Waiting<R> first() {
        return byDeadline.isEmpty() ? null : byDeadline.first();
    }

    /** Takes {@code waiting} out. */
    void remove(Waiting<R> waiting) {
        byDeadline.remove(waiting);
        remove(ofContainers, waiting.container(), waiting);
        remove(ofConnections, waiting.connection(), waiting);
    }

    private static <K, V> void remove(Map<K, Set<V>> sets, K key, V value) {
        Set<V> others = sets.get(key);
        if (others != null && others.remove(value) && others.isEmpty()) {
            sets.remove(key);
        }
    }

    private void put(Waiting<R> waiting) {
        byDeadline.add(waiting);
        ofContainers.computeIfAbsent(waiting.container(), _ -> new LinkedHashSet<>()).add(waiting);
        ofConnections
                .computeIfAbsent(waiting.connection(), _ -> new LinkedHashSet<>())
                .add(waiting);
    }
}
