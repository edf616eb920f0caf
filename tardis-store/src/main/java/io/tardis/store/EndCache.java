package io.tardis.store;

import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.LoadingCache;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The newest end of each container: read through to the log, bounded, and joined with the ends that
 * the log could not take yet.
 *
 * <p>{@link #latest(ContainerKey)} belongs to the thread that owns the log's reader. {@link
 * #recorded} and {@link #notRecorded} may be called from another: Caffeine lets an invalidation
 * wait for a lookup of the same container, so an end that is on disk is never hidden by an older
 * one.
 */
final class EndCache {

    private static final Logger LOG = LoggerFactory.getLogger(EndCache.class);
    private static final int MAX_ENTRIES = 20_000;

    private final ExitLog.Reader log;
    private final LoadingCache<ContainerKey, Optional<End>> recorded;
    private final Map<ContainerKey, End> notRecorded = new ConcurrentHashMap<>();

    EndCache(ExitLog.Reader log) {
        this.log = log;
        this.recorded = Caffeine.newBuilder().maximumSize(MAX_ENTRIES).build(log::latestEnd);
    }

    /**
     * An end, and whether it is on disk.
     *
     * @param end the end
     * @param durable whether no crash can take it back
     */
    record Known(End end, boolean durable) {}

    Optional<Known> latest(ContainerKey container) {
        return latest(container, recorded::get);
    }

    /** As {@link #latest(ContainerKey)}, past the cache. For the thread that owns {@code log}. */
    Optional<Known> latest(ContainerKey container, ExitLog.Reader log) {
        return latest(container, log::latestEnd);
    }

    private Optional<Known> latest(
            ContainerKey container, Function<ContainerKey, Optional<End>> lookup) {
        End inMemory = notRecorded.get(container);
        if (inMemory == null) {
            return lookup.apply(container).map(it -> new Known(it, log.isSafe()));
        }
        return Optional.of(
                ifReadable(container, lookup)
                        .filter(it -> better(it, inMemory).equals(it))
                        .map(it -> new Known(it, log.isSafe()))
                        .orElse(new Known(inMemory, false)));
    }

    /** The log has this end. */
    void recorded(End end) {
        recorded.invalidate(end.container());
        notRecorded.remove(end.container(), end);
    }

    /** The log has something new about the end of {@code container}. */
    void changed(ContainerKey container) {
        recorded.invalidate(container);
    }

    /** The log could not take this end; until it can, it is kept here. */
    void notRecorded(End end) {
        notRecorded.merge(end.container(), end, EndCache::better);
    }

    /** The log will never have this end: it was given up. */
    void forget(End end) {
        notRecorded.remove(end.container(), end);
    }

    /** The ends that the log could not take, in no order. */
    List<End> notRecorded() {
        return List.copyOf(notRecorded.values());
    }

    /** A disk that cannot be written may not be readable either; then memory must do. */
    private static Optional<End> ifReadable(
            ContainerKey container, Function<ContainerKey, Optional<End>> lookup) {
        try {
            return lookup.apply(container);
        } catch (ExitLogException e) {
            LOG.debug("what is recorded of {} cannot be read", container, e);
            return Optional.empty();
        }
    }

    /**
     * The same choice that the log makes: the newer life, and of one life the first real end.
     * {@code second} was heard after {@code first}.
     */
    private static End better(End first, End second) {
        if (!first.lifeId().equals(second.lifeId())) {
            return second.newest() || !second.createdAt().isBefore(first.createdAt())
                    ? second
                    : first;
        }
        boolean firstIsMadeUp = first.event().source() == ExitSource.ASSUMED;
        return firstIsMadeUp && second.event().source() != ExitSource.ASSUMED ? second : first;
    }
}
