package io.tardis.store;

import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.LoadingCache;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The newest life of each container: read through to the log, bounded, and joined with what the log
 * could not take yet.
 *
 * <p>{@link #answer} belongs to the thread that owns the log's reader. {@link #recorded} and {@link
 * #notRecorded} may be called from another: Caffeine lets an invalidation wait for a lookup of the
 * same container, so what is on disk is never hidden by what was there before.
 */
final class LifeCache {

    private static final Logger LOG = LoggerFactory.getLogger(LifeCache.class);
    private static final int MAX_ENTRIES = 20_000;

    private final ExitLog.Reader log;
    private final LoadingCache<ContainerKey, Optional<LifeState>> recorded;
    private final Map<ContainerKey, LifeState> notRecorded = new ConcurrentHashMap<>();

    LifeCache(ExitLog.Reader log) {
        this.log = log;
        this.recorded = Caffeine.newBuilder().maximumSize(MAX_ENTRIES).build(log::newest);
    }

    /**
     * What is known of a life of {@code container}.
     *
     * @param life the id of the life; empty for the newest
     */
    Answer.OfContainer answer(ContainerKey container, Optional<String> life) {
        LifeState inMemory = notRecorded.get(container);
        Supplier<Optional<LifeState>> onDisk =
                life.<Supplier<Optional<LifeState>>>map(it -> () -> lifeOnDisk(container, it))
                        .orElse(() -> recorded.get(container));
        boolean isOfLife =
                inMemory != null && (life.isEmpty() || inMemory.lifeId().equals(life.get()));
        if (!isOfLife) {
            return onDisk.get()
                    .map(it -> it.answer(log.isSafe()))
                    .orElseGet(() -> new Answer.Unknown(container));
        }
        LifeState known = ifReadable(container, onDisk).map(it -> it.or(inMemory)).orElse(inMemory);
        // Where the log has the same or more, what was to be written is written.
        boolean isOnDisk =
                known.stage() != inMemory.stage() || !known.lifeId().equals(inMemory.lifeId());
        return known.answer(isOnDisk && log.isSafe());
    }

    private Optional<LifeState> lifeOnDisk(ContainerKey container, String life) {
        Optional<LifeState> newest = recorded.get(container);
        return newest.filter(it -> it.lifeId().equals(life)).isPresent()
                ? newest
                : log.life(container, life);
    }

    /** The log has this state of a life. */
    void recorded(LifeState state) {
        recorded.invalidate(state.container());
        notRecorded.computeIfPresent(
                state.container(),
                (_, it) ->
                        it.lifeId().equals(state.lifeId())
                                        && it.stage().compareTo(state.stage()) <= 0
                                ? null
                                : it);
    }

    /** The log has something new about {@code container}. */
    void changed(ContainerKey container) {
        recorded.invalidate(container);
    }

    /** The log could not take this state; until it can, it is kept here. */
    void notRecorded(LifeState state) {
        notRecorded.merge(state.container(), state, LifeState::or);
    }

    /** The log will never have this state: it was given up. */
    void forget(LifeState state) {
        notRecorded.computeIfPresent(
                state.container(), (_, it) -> it.lifeId().equals(state.lifeId()) ? null : it);
    }

    /** Whether the log could not take something about {@code container}. */
    boolean hasNotRecorded(ContainerKey container) {
        return notRecorded.containsKey(container);
    }

    /** What the log could not take, in no order. */
    List<LifeState> notRecorded() {
        return List.copyOf(notRecorded.values());
    }

    /** A disk that cannot be written may not be readable either; then memory must do. */
    private static Optional<LifeState> ifReadable(
            ContainerKey container, Supplier<Optional<LifeState>> lookup) {
        try {
            return lookup.get();
        } catch (ExitLogException e) {
            LOG.debug("what is recorded of {} cannot be read", container, e);
            return Optional.empty();
        }
    }
}
