package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiPredicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A log in memory whose disk fails, or takes its time, when a test says so. */
final class InMemoryExitLog implements ExitLog.Writer, ExitLog.Reader {

    /** What {@link #prune} was asked for. */
    record Pruned(Instant eventsBefore, Instant endsBefore) {}

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

    /** The ends that are old enough to go. */
    final List<End> old = new CopyOnWriteArrayList<>();

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
        return recorded.stream().map(it -> it.event().seq()).toList();
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
    public ExitLog.Pruned prune(
            Instant eventsBefore,
            Instant endsBefore,
            BiPredicate<ContainerKey, String> mayGo,
            int limit) {
        Set<ContainerKey> gone = old.stream().map(End::container).collect(Collectors.toSet());
        old.removeIf(it -> !mayGo.test(it.container(), it.lifeId()));
        recorded.removeIf(it -> it.end().filter(old::contains).isPresent());
        pruned.add(new Pruned(eventsBefore, endsBefore));
        return new ExitLog.Pruned(false, gone);
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
    public Optional<End> latestEnd(ContainerKey container) {
        lookups.incrementAndGet();
        return ends().stream().filter(it -> it.container().equals(container)).findFirst();
    }

    @Override
    public List<ExitEvent> eventsAfter(long seq, int limit) {
        replays.incrementAndGet();
        replaying.acquireUninterruptibly();
        replaying.release();
        readable();
        return recorded.stream()
                .map(Recorded::event)
                .filter(it -> it.seq() > seq)
                .limit(limit)
                .toList();
    }

    @Override
    public List<End> latestEnds(Optional<String> namespace, int limit) {
        lists.incrementAndGet();
        listing.acquireUninterruptibly();
        listing.release();
        readable();
        return recorded.reversed().stream().flatMap(it -> it.end().stream()).limit(limit).toList();
    }

    @Override
    public long firstSeq() {
        readable();
        return recorded.isEmpty() ? 0 : recorded.getFirst().event().seq();
    }

    @Override
    public long lastSeq() {
        readable();
        return recorded.isEmpty() ? 0 : recorded.getLast().event().seq();
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

    /** Newest first. */
    private List<End> ends() {
        readable();
        List<End> ends = new ArrayList<>();
        recorded.forEach(it -> it.end().ifPresent(ends::add));
        ends.sort(Comparator.comparing(End::createdAt).reversed());
        return ends;
    }

    private void readable() {
        if (failsToRead) {
            throw new ExitLogException("the disk is gone", new IllegalStateException());
        }
    }
}
