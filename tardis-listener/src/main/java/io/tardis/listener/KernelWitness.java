package io.tardis.listener;

import io.tardis.core.Worker;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the kernel report how the processes of lives end: Linux 6.15 and later answer that for a
 * process that is not a child of ours, through a pidfd that was opened before it was reaped.
 *
 * <p>One thread waits for all of them. What it hears does not depend on containerd, its shim or
 * {@code ctr}, comes before {@code delete} begins, and distinguishes a death by signal from an exit
 * code.
 */
final class KernelWitness implements Witness, AutoCloseable {

    private record Watched(long number, Life life, InitProcess init, Pidfd process) {}

    private static final Logger LOG = LoggerFactory.getLogger(KernelWitness.class);

    private static final Duration IDLE = Duration.ofMinutes(1);
    private static final Duration PROBE_PATIENCE = Duration.ofSeconds(5);

    private final Epoll epoll;
    private final Consumer<Life> onEnd;
    private final LongConsumer onReaped;
    private final Worker worker = new Worker("tardis-listener-witness", this::run, this::wake);

    // All that follows is guarded by this. Once a process was taken, its descriptor's number may be
    // somebody else's.

    private final Map<Long, Watched> watched = new HashMap<>();

    /** The lives among them, by their ids. */
    private final Set<String> lives = new HashSet<>();

    /** The newest watched life of each container. */
    private final Map<ContainerKey, Watched> newest = new HashMap<>();

    private long lastNumber;
    private boolean closed;

    private KernelWitness(Epoll epoll, Consumer<Life> onEnd, LongConsumer onReaped) {
        this.epoll = epoll;
        this.onEnd = onEnd;
        this.onReaped = onReaped;
    }

    /**
     * A witness, if this kernel reports how processes ended. The kernel itself is asked, with a
     * process that is made to end: versions say little where distributions port features back.
     *
     * @param onEnd receives each life whose process was reaped, at once
     * @param onReaped receives the number of each watched process once it was reaped, from the
     *     witness's thread; {@link #take} has the rest. May block
     */
    static Optional<KernelWitness> open(Consumer<Life> onEnd, LongConsumer onReaped) {
        String problem = "";
        try {
            if (probe().isPresent()) {
                return Optional.of(new KernelWitness(new Epoll(), onEnd, onReaped));
            }
        } catch (IOException e) {
            problem = " (" + e.getMessage() + ")";
        }
        LOG.info(
                "this kernel does not report how processes end{}: only containerd's events do",
                problem);
        return Optional.empty();
    }

    private static OptionalInt probe() throws IOException {
        // It lives until its input is closed, so its pidfd is there before it can be reaped.
        Process process = new ProcessBuilder("cat").start();
        try (Pidfd pidfd = Pidfd.open(process.pid());
                Epoll epoll = new Epoll()) {
            epoll.add(pidfd, 0);
            process.getOutputStream().close();
            epoll.await(PROBE_PATIENCE);
            return pidfd.waitStatus();
        } finally {
            process.destroyForcibly();
        }
    }

    void start() {
        worker.start();
    }

    /** As {@link #watch(Life, Pidfd)}, for a process that nobody holds. */
    boolean watch(Life life) {
        return watch(life, null);
    }

    /**
     * Watches the process of {@code life}, which may be a zombie already. From any thread; when it
     * returns true, its end cannot be missed. Does nothing for a life that is watched already.
     *
     * @param held its process, if it is held: it may have been reaped, too. Closed by this
     * @return false if the process is gone, or is not known
     * @throws UncheckedIOException if it cannot be watched now, for want of descriptors
     */
    synchronized boolean watch(Life life, @Nullable Pidfd held) {
        boolean isNew = !closed && life.init().isPresent() && !lives.contains(life.id());
        if (isNew) {
            return open(life, life.init().get(), held);
        }
        if (held != null) {
            close(held);
        }
        return !closed && lives.contains(life.id());
    }

    private boolean open(Life life, InitProcess init, @Nullable Pidfd held) {
        try {
            Pidfd process = held != null ? held : Pidfd.open(init.pid());
            boolean watching = false;
            try {
                // Looked at with the pidfd in hand: it is the same process as long as it exists.
                if (held != null || init.exists()) {
                    Watched opened = new Watched(++lastNumber, life, init, process);
                    epoll.add(process, opened.number());
                    watched.put(opened.number(), opened);
                    newest.put(life.container(), opened);
                    watching = lives.add(life.id());
                }
                return watching;
            } finally {
                if (!watching) {
                    close(process);
                }
            }
        } catch (SystemCall.Failure e) {
            if (init.exists()) {
                throw new UncheckedIOException(e);
            }
            LOG.debug("{} (pid {}) cannot be watched", life.container(), init.pid(), e);
            return false;
        }
    }

    private static void close(Pidfd process) {
        try {
            process.close();
        } catch (SystemCall.Failure e) {
            LOG.warn("a descriptor cannot be closed", e);
        }
    }

    /** Ends watching; the processes go on. May be called twice. */
    @Override
    public void close() {
        stop();
        if (!worker.isAlive()) {
            // Not by the thread itself: it may end before it is woken, and the number of a closed
            // descriptor may be somebody else's by then.
            closeDescriptors();
        }
    }

    /** Reports no more processes. What was reported can still be taken. May be called twice. */
    void stop() {
        worker.close();
    }

    private void wake() {
        try {
            epoll.wake();
        } catch (SystemCall.Failure e) {
            LOG.error("the kernel witness cannot be woken", e);
        }
    }

    private void run() {
        try {
            while (!worker.isStopping()) {
                for (long number : epoll.await(IDLE)) {
                    reaped(number);
                }
            }
        } catch (SystemCall.Failure e) {
            throw new IllegalStateException("the kernel witness cannot go on", e);
        }
    }

    private void reaped(long number) {
        @Nullable Watched reaped;
        synchronized (this) {
            reaped = watched.get(number);
        }
        if (reaped != null) { // else it was taken meanwhile
            onEnd.accept(reaped.life());
            onReaped.accept(number);
        }
    }

    @Override
    public synchronized Optional<Ended> take(ContainerKey container, long pid) {
        Watched candidate = newest.get(container);
        try {
            return candidate != null && candidate.init().pid() == pid
                    ? takeIfReaped(candidate)
                    : Optional.empty();
        } catch (SystemCall.Failure e) { // perhaps it is being reaped at this moment
            LOG.warn("the kernel cannot be asked how {} ended", container, e);
            return Optional.empty();
        }
    }

    @Override
    public synchronized Optional<Ended> take(long number) {
        Watched reaped = watched.get(number);
        if (reaped == null) {
            return Optional.empty();
        }
        try {
            Optional<Ended> ended = takeIfReaped(reaped);
            if (ended.isEmpty()) {
                LOG.error("the kernel does not report how a process ended");
            }
            return ended;
        } catch (SystemCall.Failure e) {
            throw new IllegalStateException("the kernel cannot be asked how a process ended", e);
        }
    }

    /** Whether the process of a life is watched, so that its end is still to be taken. */
    synchronized boolean isWatching(Life life) {
        return lives.contains(life.id());
    }

    /** Stops watching if the process was reaped. */
    private Optional<Ended> takeIfReaped(Watched candidate) throws SystemCall.Failure {
        OptionalInt status = candidate.process().waitStatus();
        if (status.isEmpty()) {
            return Optional.empty();
        }
        Life life = candidate.life();
        watched.remove(candidate.number());
        lives.remove(life.id());
        newest.remove(life.container(), candidate);
        candidate.process().close();
        return Optional.of(new Ended(life, status.getAsInt()));
    }

    private synchronized void closeDescriptors() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            for (Watched left : watched.values()) {
                left.process().close();
            }
            epoll.close();
        } catch (SystemCall.Failure e) {
            LOG.warn("a descriptor cannot be closed", e);
        }
        watched.clear();
        newest.clear();
    }
}
