package io.tardis.store;

import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.LoadingCache;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
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

    /** For what is too old, and is removed from the log. */
    private static final Duration LONGEST = Duration.ofSeconds(5);

    private final ExitLog.Reader log;
    private final LoadingCache<ContainerKey, Optional<LifeState>> recorded;

    /** By the life's id. */
    private final Map<String, LifeState> notRecorded = new ConcurrentHashMap<>();

    /** The newest of these of each container. */
    private final Map<ContainerKey, LifeState> newestNotRecorded = new ConcurrentHashMap<>();

    LifeCache(ExitLog.Reader log) {
        this.log = log;
        this.recorded =
                Caffeine.newBuilder()
                        .maximumSize(MAX_ENTRIES)
                        .expireAfterWrite(LONGEST)
                        .build(log::newest);
    }

    /**
     * What is known of a life of {@code container}.
     *
     * @param life the id of the life; empty for the newest
     */
    Answer.OfContainer answer(ContainerKey container, Optional<String> life) {
        return answer(container, life, this::onDisk, log);
    }

    /** The same, read with another reader by the thread that has it; from any thread. */
    Answer.OfContainer answer(
            ExitLog.Reader reader, ContainerKey container, Optional<String> life) {
        return answer(
                container,
                life,
                (it, id) -> id.isPresent() ? reader.life(it, id.get()) : reader.newest(it),
                reader);
    }

    private Answer.OfContainer answer(
            ContainerKey container,
            Optional<String> life,
            BiFunction<ContainerKey, Optional<String>, Optional<LifeState>> lookUp,
            ExitLog.Reader reader) {
        Optional<LifeState> inMemory =
                life.isPresent()
                        ? Optional.ofNullable(notRecorded.get(life.get()))
                                .filter(it -> it.container().equals(container))
                        : Optional.ofNullable(newestNotRecorded.get(container));
        Optional<LifeState> onDisk;
        try {
            onDisk = lookUp.apply(container, life);
        } catch (ExitLogException e) {
            if (inMemory.isEmpty()) {
                throw e;
            }
            // A disk that cannot be written may not be readable either; then memory must do.
            LOG.debug("what is recorded of {} cannot be read", container, e);
            onDisk = Optional.empty();
        }
        Optional<LifeState> written = onDisk;
        return Stream.of(written, inMemory)
                .flatMap(Optional::stream)
                .reduce(LifeState::or)
                .map(it ->
                        it.answer(written.filter(it::isNoFurther).isPresent() && reader.isSafe()))
                .orElseGet(() -> new Answer.Unknown(container));
    }

    private Optional<LifeState> onDisk(ContainerKey container, Optional<String> life) {
        Optional<LifeState> newest = recorded.get(container);
        return life.isEmpty() || newest.filter(it -> it.lifeId().equals(life.get())).isPresent()
                ? newest
                : log.life(container, life.get());
    }

    /** The log has this state of a life. */
    void recorded(LifeState state) {
        recorded.invalidate(state.container());
        forget(state);
    }

    /** The log could not take this state; until it can, it is kept here. */
    void notRecorded(LifeState state) {
        notRecorded.merge(state.lifeId(), state, LifeState::or);
        newestNotRecorded.merge(state.container(), state, LifeState::or);
    }

    /**
     * The log will never have this state, because it was given up. A later state of the life stays.
     */
    void forget(LifeState state) {
        notRecorded.computeIfPresent(state.lifeId(), (_, it) -> later(it, state));
        newestNotRecorded.computeIfPresent(state.container(), (_, it) -> later(it, state));
    }

    /** {@code known}, if it says more than {@code state}; else null. */
    private static @Nullable LifeState later(LifeState known, LifeState state) {
        return known.isNoFurther(state) ? null : known;
    }

    /** Whether the log could not take something about {@code container}. */
    boolean hasNotRecorded(ContainerKey container) {
        return newestNotRecorded.containsKey(container);
    }

    /** The newest life of each container that the log could not take, in no order. */
    List<LifeState> notRecorded() {
        return List.copyOf(newestNotRecorded.values());
    }
}
