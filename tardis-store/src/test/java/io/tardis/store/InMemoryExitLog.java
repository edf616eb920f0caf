package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A log in memory whose disk fails, or takes its time, when a test says so. */
final class InMemoryExitLog implements ExitLog.Writer, ExitLog.Reader {

    /** What {@link #prune} was asked for. */
    record Pruned(Instant eventsBefore, Instant livesBefore) {}

    /** The size of each group that was written. */
    final List<Integer> groups = new CopyOnWriteArrayList<>();

    final List<Pruned> pruned = new CopyOnWriteArrayList<>();

    /** How often a group was to be written, also in vain. */
    final AtomicInteger attempts = new AtomicInteger();

    volatile boolean failsToWrite;

    /** Whether the next start would not find it. */
    volatile boolean isRemoved;

    volatile boolean failsToRead;
    final AtomicInteger lookups = new AtomicInteger();

    /** The lives that are old enough to go. */
    final List<LifeState> old = new CopyOnWriteArrayList<>();

    volatile Optional<Instant> oldest = Optional.empty();
    volatile @Nullable Instant agedTo;

    /** Each group needs a permit. */
    final Semaphore disk = new Semaphore(1_000_000);

    final AtomicInteger lists = new AtomicInteger();

    /** Each list needs it for a moment. */
    final Semaphore listing = new Semaphore(1);

    final AtomicInteger replays = new AtomicInteger();

    /** Each replay needs it for a moment. */
    final Semaphore replaying = new Semaphore(1);

    private final List<Recorded> recorded = new CopyOnWriteArrayList<>();

    /** Every group waits for a permit from now on. */
    void stopTheDisk() {
        disk.drainPermits();
    }

    List<Long> numbers() {
        return events().map(ExitEvent::seq).toList();
    }

    /** Every answer is made anew: tests count them. */
    @Override
    public Object state() {
        return new Object();
    }

    @Override
    public void append(List<Recorded> batch) {
        attempts.incrementAndGet();
        disk.acquireUninterruptibly();
        if (failsToWrite) {
            throw new ExitLogException("the disk is full", new IllegalStateException());
        }
        recorded.addAll(batch);
        groups.add(batch.size());
    }

    @Override
    public boolean prune(Instant eventsBefore, Instant livesBefore, int limit) {
        recorded.removeIf(it -> it.state().filter(old::contains).isPresent());
        old.clear();
        pruned.add(new Pruned(eventsBefore, livesBefore));
        return false;
    }

    @Override
    public boolean knows(ContainerKey container) {
        return lives().anyMatch(it -> it.container().equals(container));
    }

    @Override
    public Optional<Instant> oldest() {
        return oldest;
    }

    @Override
    public Optional<Instant> agedTo() {
        return Optional.ofNullable(agedTo);
    }

    @Override
    public void setAgedTo(Instant time) {
        agedTo = time;
    }

    @Override
    public Optional<LifeState> newest(ContainerKey container) {
        lookups.incrementAndGet();
        return lives().filter(it -> it.container().equals(container)).reduce(LifeState::or);
    }

    @Override
    public Optional<LifeState> life(ContainerKey container, String id) {
        lookups.incrementAndGet();
        return lives().filter(it -> it.container().equals(container) && it.lifeId().equals(id))
                .reduce(LifeState::or);
    }

    @Override
    public List<ExitEvent> eventsAfter(long seq, int limit) {
        replays.incrementAndGet();
        replaying.acquireUninterruptibly();
        replaying.release();
        readable();
        return events().filter(it -> it.seq() > seq).limit(limit).toList();
    }

    @Override
    public List<LifeState> newestOfEach(Optional<String> namespace, int limit) {
        lists.incrementAndGet();
        listing.acquireUninterruptibly();
        listing.release();
        Map<ContainerKey, LifeState> newest = new LinkedHashMap<>();
        lives().filter(it ->
                        namespace.isEmpty() || namespace.get().equals(it.container().namespace()))
                .forEach(it -> newest.merge(it.container(), it, LifeState::or));
        return newest.values().stream()
                .filter(it -> it.stage() != LifeState.Stage.NOT_KEPT)
                .toList()
                .reversed()
                .stream()
                .limit(limit)
                .toList();
    }

    @Override
    public long firstSeq() {
        readable();
        return events().findFirst().map(ExitEvent::seq).orElse(0L);
    }

    @Override
    public long lastSeq() {
        readable();
        return events().reduce((_, last) -> last).map(ExitEvent::seq).orElse(0L);
    }

    @Override
    public void keepInPlace() {
        if (isRemoved) {
            throw new ExitLogException("the log was removed");
        }
    }

    @Override
    public boolean shrink() {
        return false;
    }

    @Override
    public boolean replaceIfUnusable(Duration patience) {
        return false;
    }

    @Override
    public boolean isSafe() {
        return !isRemoved;
    }

    @Override
    public void close() {}

    private Stream<ExitEvent> events() {
        return recorded.stream().flatMap(it -> it.event().stream());
    }

    private Stream<LifeState> lives() {
        readable();
        return recorded.stream().flatMap(it -> it.state().stream());
    }

    private void readable() {
        if (failsToRead) {
            throw new ExitLogException("the disk is gone", new IllegalStateException());
        }
    }

    @Override
    public void forgetPages() {
        // It has none.
    }
}
