package io.tardis.listener;

import io.tardis.core.TardisException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks after every registered life when events may have been missed. A process that is still there
 * is watched by the kernel witness from then on. Where it is gone and no code is known, containerd
 * gets some time to tell it late; then the life is lost, and that is told.
 */
final class LifeChecker implements AutoCloseable {

    /** How the store is asked. Belongs to the checker's thread. */
    interface Ends extends AutoCloseable {
        /**
         * What is known of a container's newest life.
         *
         * @throws io.tardis.core.TardisException if that cannot be told now
         */
        Answer.OfContainer of(ContainerKey container);

        @Override
        void close();
    }

    private record Suspect(Life life, long since) {}

    private static final Logger LOG = LoggerFactory.getLogger(LifeChecker.class);

    /** containerd's shim tries to publish an exit for some 15 s. */
    static final Duration LATE_WORD = Duration.ofSeconds(20);

    private static final Duration LOOK = Duration.ofSeconds(1);
    private static final Duration STOP_PATIENCE = Duration.ofSeconds(2);

    private final ContainerRegistry registry;
    private final Optional<KernelWitness> witness;
    private final Supplier<Ends> ends;
    private final Consumer<Life> onLost;
    private final Duration lateWord;
    private final Map<String, Suspect> suspects = new HashMap<>();
    private final Semaphore requests = new Semaphore(0);
    private final Thread thread;
    private volatile boolean stopping;

    /**
     * A checker that does nothing yet.
     *
     * @param ends makes what the thread asks the store with
     * @param onLost told each life that is lost, after it was noted in the registry
     * @param lateWord how long containerd may take to tell the end of a process that is gone
     */
    LifeChecker(
            ContainerRegistry registry,
            Optional<KernelWitness> witness,
            Supplier<Ends> ends,
            Consumer<Life> onLost,
            Duration lateWord) {
        this.registry = registry;
        this.witness = witness;
        this.ends = ends;
        this.onLost = onLost;
        this.lateWord = lateWord;
        this.thread = new Thread(this::run, "tardis-listener-lives");
    }

    void start() {
        thread.start();
    }

    /** Has every life looked at, soon. From any thread. */
    void check() {
        requests.release();
    }

    @Override
    public void close() {
        stopping = true;
        requests.release();
        try {
            if (thread.getState() != Thread.State.NEW && !thread.join(STOP_PATIENCE)) {
                LOG.error("the thread {} did not stop", thread.getName());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        boolean failing = false;
        try (Ends store = ends.get()) {
            while (true) {
                boolean asked = awaitRequest();
                if (stopping) {
                    return;
                }
                try {
                    if (asked) {
                        registry.openLives().forEach(this::check);
                    }
                    suspects.values().removeIf(suspect -> isResolved(suspect, store));
                    failing = false;
                } catch (TardisException | UncheckedIOException e) {
                    // Neither the registry's disk, nor the store, nor a descriptor may be there
                    // now; all is tried again.
                    if (!failing) {
                        LOG.warn("the registered lives cannot be checked now", e);
                    }
                    failing = true;
                    if (asked) {
                        requests.release();
                    }
                    TimeUnit.MILLISECONDS.sleep(LOOK.toMillis());
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean awaitRequest() throws InterruptedException {
        boolean asked;
        if (suspects.isEmpty()) {
            requests.acquire();
            asked = true;
        } else {
            asked = requests.tryAcquire(LOOK.toMillis(), TimeUnit.MILLISECONDS);
        }
        return requests.drainPermits() > 0 || asked;
    }

    private void check(Life life) {
        if (!life.lost() && isOver(life)) {
            suspects.putIfAbsent(life.id(), new Suspect(life, System.nanoTime()));
        }
    }

    /** Whether its end may have been missed; if not, it is watched from now on. */
    private boolean isOver(Life life) {
        if (life.init().isEmpty()) {
            // Its start was not seen, or did not come yet. containerd removes the bundle when it
            // deletes the container.
            return !Files.exists(life.bundle(), LinkOption.NOFOLLOW_LINKS);
        }
        boolean watched = witness.isPresent() && witness.get().watch(life);
        return !watched && !life.init().get().exists();
    }

    private boolean isResolved(Suspect suspect, Ends store) {
        Life life = suspect.life();
        boolean open =
                registry.open(life.container()).filter(it -> it.id().equals(life.id())).isPresent();
        if (!open || !(store.of(life.container()) instanceof Answer.Running)) {
            return true;
        }
        if (System.nanoTime() - suspect.since() < lateWord.toNanos()) {
            return false;
        }
        LOG.warn(
                "how {} ended could not be observed: its process {} is gone, and containerd told nothing",
                life.container(),
                life.init().map(it -> Long.toString(it.pid())).orElse("(not known)"));
        try {
            if (registry.updateIfOpen(life.withLost())) {
                onLost.accept(life);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return true;
    }
}
