package io.tardis.listener;

import io.tardis.core.FailureLog;
import io.tardis.core.TardisException;
import io.tardis.core.Worker;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.listener.CtrEvent.TaskStart;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks after every registered life when events may have been missed. A process that is still there
 * is watched by the kernel witness from then on. Where it is gone and no code is known, containerd
 * gets some time to tell it late; then the life is lost, and that is told.
 */
final class LifeChecker implements ExitPublisher.Lives, AutoCloseable {

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

    private final ContainerRegistry registry;
    private final Optional<KernelWitness> witness;
    private final Supplier<Ends> ends;
    private final Consumer<Life> onLost;
    private final Duration lateWord;
    private final FailureLog failures = new FailureLog(LifeChecker.class);
    private final Map<String, Suspect> suspects = new HashMap<>();
    private final Worker worker = new Worker("tardis-listener-lives", this::run);

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
    }

    void start() {
        worker.start();
    }

    /** Has every life looked at, soon. From any thread. */
    @Override
    public void check() {
        worker.wake();
    }

    /**
     * Notes the process of a life that does not know it: its start was not seen, or {@code restore}
     * stood in for create and start. A start from before the life is of an earlier one.
     */
    @Override
    public void started(TaskStart start) {
        if (witness.filter(it -> it.isWatching(start.container(), start.pid())).isPresent()) {
            return; // the shim has noted it, as for nearly every life
        }
        try {
            Optional<Life> life =
                    registry.open(start.container())
                            .filter(it -> it.init().isEmpty())
                            .filter(it -> !start.at().isBefore(it.createdAt()));
            if (life.isPresent() && start.pid() != 0) {
                Life running = life.get().withInit(InitProcess.of(start.pid()));
                if (registry.updateIfOpen(running)) {
                    check(); // that watches it, if it is still there
                }
            }
        } catch (IOException | UncheckedIOException e) {
            LOG.warn("the start of {} cannot be noted", start.container(), e);
        }
    }

    @Override
    public void close() {
        worker.close();
    }

    private void run() throws InterruptedException {
        boolean all = false;
        while (true) {
            if (all || !suspects.isEmpty()) {
                all |= worker.await(LOOK);
            } else {
                worker.await();
                all = true;
            }
            if (worker.isStopping()) {
                return;
            }
            RuntimeException failure = look(all);
            if (failure != null) {
                failures.warn("not all registered lives can be checked now", failure);
            } else if (failures.over()) {
                LOG.info("all registered lives can be checked again");
            }
            all &= failure != null;
        }
    }

    /**
     * Looks at the suspects, and at all lives before. The registry's disk, the store or a
     * descriptor may not be there now; what fails for one life hides no other.
     *
     * @return the last failure, after which all is to be tried again; null if there was none
     */
    private @Nullable RuntimeException look(boolean all) {
        RuntimeException failure = null;
        try {
            if (all) {
                registry.forEachOpen(this::check);
            }
        } catch (UncheckedIOException e) {
            failure = e;
        }
        // Suspects are rare: no connection is kept for them.
        try (Ends store = ends.get()) {
            for (Suspect suspect : List.copyOf(suspects.values())) {
                try {
                    if (isResolved(suspect, store)) {
                        suspects.remove(suspect.life().id());
                    }
                } catch (UncheckedIOException e) {
                    failure = e;
                }
            }
        } catch (TardisException e) {
            failure = e;
        }
        return failure;
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
        try {
            if (registry.updateIfOpen(life.withLost())) {
                LOG.warn(
                        "how {} ended could not be observed: its process {} is gone, and containerd told nothing",
                        life.container(),
                        life.init().map(it -> Long.toString(it.pid())).orElse("(not known)"));
                onLost.accept(life);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return true;
    }
}
