package io.tardis.listener;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.registry.Life;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks at lives when events may have been missed. A process that is still there is watched by the
 * witness from then on. Where it is gone, containerd gets some time to report its end late; then
 * the life is lost. A life that is over, and whose bundle is gone, was deleted unseen.
 */
final class LifeChecker implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(LifeChecker.class);

    /** containerd's shim tries to publish an exit for some 15 s. */
    static final Duration LATE_REPORT = Duration.ofSeconds(20);

    private static final Duration LOOK = Duration.ofSeconds(1);
    private static final Duration TIDY = Duration.ofHours(1);

    private final Predicate<Life> witness;
    private final Runnable find;
    private final Consumer<Life> onLost;
    private final Consumer<Life> onDeleted;
    private final Runnable tidy;
    private final Duration lateReport;

    /** Whose process is gone, since when. */
    private final Map<Life, Long> suspects = new HashMap<>();

    /** What could not be looked at, for want of descriptors for instance. */
    private final Set<Life> again = new HashSet<>();

    private final Queue<Runnable> requests = new ConcurrentLinkedQueue<>();
    private final CountDownLatch firstLook = new CountDownLatch(1);
    private final FailureLog failures = new FailureLog(LifeChecker.class);
    private final Worker worker = new Worker("tardis-listener-lives", this::run);
    private long nextTidy = System.nanoTime();

    /**
     * A checker that does nothing yet.
     *
     * @param witness whether the end of a life will be reported: watches it from then on
     * @param find reports what else runs on this node; run before all lives are looked at
     * @param onLost receives each life whose process was gone for {@code lateReport}; its end may
     *     have been reported meanwhile
     * @param onDeleted receives each life that was deleted unseen
     * @param tidy removes what is left of lives for too long; run at the begin and each hour
     * @param lateReport how long containerd may take to report the end of a process that is gone
     */
    LifeChecker(
            Predicate<Life> witness,
            Runnable find,
            Consumer<Life> onLost,
            Consumer<Life> onDeleted,
            Runnable tidy,
            Duration lateReport) {
        this.witness = witness;
        this.find = find;
        this.onLost = onLost;
        this.onDeleted = onDeleted;
        this.tidy = tidy;
        this.lateReport = lateReport;
    }

    void start() {
        worker.start();
    }

    /** Has a life looked at, soon, whose end is not known. From any thread. */
    void check(Life open) {
        requests.add(() -> look(open));
        worker.wake();
    }

    /**
     * Has all lives looked at, soon. From any thread.
     *
     * @param open those whose end is not known
     * @param undeleted those that are over and were not deleted
     */
    void check(List<Life> open, List<Life> undeleted) {
        requests.add(() -> {
            find.run();
            open.forEach(this::look);
            undeleted.stream().filter(LifeChecker::isBundleGone).forEach(onDeleted);
            firstLook.countDown();
        });
        worker.wake();
    }

    /**
     * Waits until lives were looked at for the first time: from then on those that are open are
     * watched.
     *
     * @return false if that takes longer than {@code patience}, since the disk hangs for instance
     */
    boolean awaitFirstLook(Duration patience) throws InterruptedException {
        return firstLook.await(patience.toNanos(), TimeUnit.NANOSECONDS);
    }

    @Override
    public void close() {
        worker.close();
    }

    private void run() throws InterruptedException {
        while (!worker.isStopping()) {
            List<Life> failed = List.copyOf(again);
            again.clear();
            failed.forEach(this::look);
            for (Runnable it = requests.poll(); it != null; it = requests.poll()) {
                it.run();
            }
            if (again.isEmpty() && failures.over()) {
                LOG.info("all lives can be looked at again");
            }
            reportLost();
            if (nextTidy - System.nanoTime() <= 0) {
                nextTidy = System.nanoTime() + TIDY.toNanos();
                tidy.run();
            }
            if (suspects.isEmpty() && again.isEmpty()) {
                worker.await();
            } else {
                boolean _ = worker.await(LOOK);
            }
        }
    }

    private void look(Life life) {
        try {
            if (isOver(life)) {
                suspects.putIfAbsent(life, System.nanoTime());
            }
        } catch (UncheckedIOException e) {
            failures.warn("not all lives can be looked at now", e);
            again.add(life);
        }
    }

    /** Whether its end may have been missed; if not, it is watched from now on. */
    private boolean isOver(Life life) {
        if (life.init().isEmpty()) {
            return isBundleGone(life); // its start was not seen, or did not come yet
        }
        return !witness.test(life) && !life.init().get().exists();
    }

    /** containerd removes the bundle when it deletes the container. */
    private static boolean isBundleGone(Life life) {
        return Files.notExists(life.bundle(), LinkOption.NOFOLLOW_LINKS);
    }

    private void reportLost() {
        long now = System.nanoTime();
        for (Map.Entry<Life, Long> each : List.copyOf(suspects.entrySet())) {
            Life life = each.getKey();
            if (now - each.getValue() >= lateReport.toNanos()) {
                suspects.remove(life);
                onLost.accept(life);
                if (isBundleGone(life)) {
                    onDeleted.accept(life);
                }
            }
        }
    }
}
