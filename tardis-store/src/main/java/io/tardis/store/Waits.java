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
     * @param number is no other question's
     * @param request the question
     * @param connection whose question it is
     * @param container whose end it waits for
     * @param deadline until when, by the monotonic clock
     */
    record Waiting<R>(
            long number, R request, long connection, ContainerKey container, long deadline) {

        private Waiting<R> until(long other) {
            return new Waiting<>(number, request, connection, container, other);
        }
    }

    private final Map<ContainerKey, Set<Waiting<R>>> ofContainers = new HashMap<>();

    private final Map<Long, Set<Waiting<R>>> ofConnections = new HashMap<>();

    /** The first deadline first; nanoTime may wrap, so by difference. */
    private final TreeSet<Waiting<R>> byDeadline =
            new TreeSet<>(
                    ((Comparator<Waiting<R>>) (a, b) -> Long.signum(a.deadline() - b.deadline()))
                            .thenComparingLong(Waiting::number));

    private long added;

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

    /** Those that wait for {@code container}, in the order in which they came. */
    List<Waiting<R>> of(ContainerKey container) {
        return List.copyOf(ofContainers.getOrDefault(container, Set.of()));
    }

    /** Takes those out that a connection asked, which has ended; returns how many they were. */
    int removeConnection(long connection) {
        List<Waiting<R>> waiting = List.copyOf(ofConnections.getOrDefault(connection, Set.of()));
        waiting.forEach(this::remove);
        return waiting.size();
    }

    /** Lets {@code waiting} wait no longer than until {@code deadline}. */
    void hurry(Waiting<R> waiting, long deadline) {
        if (waiting.deadline() - deadline > 0) {
            remove(waiting);
            put(waiting.until(deadline));
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
