package io.tardis.listener;

import static java.util.Objects.requireNonNull;

import io.tardis.core.Worker;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.LongConsumer;
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

    private record Watched(Life life, Pidfd process) {}

    private static final Logger LOG = LoggerFactory.getLogger(KernelWitness.class);

    private static final Duration IDLE = Duration.ofMinutes(1);
    private static final Duration PROBE_PATIENCE = Duration.ofSeconds(5);

    private final Epoll epoll;
    private final LongConsumer onReaped;
    private final Worker worker = new Worker("tardis-listener-witness", this::run, this::wake);

    // All that follows is guarded by this. Once a process was taken, its descriptor's number may be
    // somebody else's.

    private final Map<Long, Watched> watched = new HashMap<>();

    /** The lives among them, by their ids. */
    private final Set<String> lives = new HashSet<>();

    /** The newest watched life of each container. */
    private final Map<ContainerKey, Long> newest = new HashMap<>();

    private long nextNumber;
    private boolean closed;

    private KernelWitness(Epoll epoll, LongConsumer onReaped) {
        this.epoll = epoll;
        this.onReaped = onReaped;
    }

    /**
     * A witness, if this kernel reports how processes ended. The kernel itself is asked, with a
     * process that is made to end: versions say little where distributions port features back.
     *
     * @param onReaped receives the number of each watched process once it was reaped, from the
     *     witness's thread; {@link #take} has the rest. May block
     */
    static Optional<KernelWitness> open(LongConsumer onReaped) {
        try {
            OptionalInt status = probe();
            if (status.isPresent()) {
                return Optional.of(new KernelWitness(Epoll.open(), onReaped));
            }
            LOG.info("this kernel does not report how processes end: only containerd's events do");
        } catch (IOException e) {
            LOG.info(
                    "this kernel does not report how processes end ({}): only containerd's events do",
                    e.getMessage());
        }
        return Optional.empty();
    }

    private static OptionalInt probe() throws IOException {
        // It lives until its input is closed, so its pidfd is there before it can be reaped.
        Process process = new ProcessBuilder("cat").start();
        try (Pidfd pidfd = Pidfd.open(process.pid());
                Epoll epoll = Epoll.open()) {
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

    /**
     * Watches the process of {@code life}, which may be a zombie already. From any thread; when it
     * returns true, its end cannot be missed. Does nothing for a life that is watched already.
     *
     * @return false if the process is gone, is not known, or cannot be watched
     * @throws java.io.UncheckedIOException if it cannot be looked at now, for want of descriptors
     */
    synchronized boolean watch(Life life) {
        if (closed || life.init().isEmpty()) {
            return false;
        }
        return lives.contains(life.id()) || open(life, life.init().get());
    }

    private boolean open(Life life, InitProcess init) {
        try {
            Pidfd process = Pidfd.open(init.pid());
            boolean watching = false;
            try {
                // Looked at with the pidfd in hand: it is the same process as long as it exists.
                if (init.exists()) {
                    add(life, process);
                    watching = true;
                }
                return watching;
            } finally {
                if (!watching) {
                    process.close();
                }
            }
        } catch (SystemCall.Failure e) {
            LOG.debug("{} (pid {}) cannot be watched", life.container(), init.pid(), e);
            return false;
        }
    }

    private void add(Life life, Pidfd process) throws SystemCall.Failure {
        long number = ++nextNumber;
        epoll.add(process, number);
        watched.put(number, new Watched(life, process));
        lives.add(life.id());
        newest.put(life.container(), number);
    }

    /** How many processes are watched now. */
    synchronized int watching() {
        return watched.size();
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
                    onReaped.accept(number);
                }
            }
        } catch (SystemCall.Failure e) {
            throw new IllegalStateException("the kernel witness cannot go on", e);
        }
    }

    @Override
    public synchronized Optional<Ended> take(ContainerKey container, long pid) {
        OptionalLong number = numberOf(container, pid);
        try {
            return number.isEmpty() ? Optional.empty() : takeIfReaped(number.getAsLong());
        } catch (SystemCall.Failure e) {
            LOG.warn("the kernel cannot be asked how {} ended", container, e);
            return Optional.empty();
        }
    }

    @Override
    public synchronized Optional<Ended> take(long number) {
        if (!watched.containsKey(number)) {
            return Optional.empty();
        }
        try {
            Optional<Ended> ended = takeIfReaped(number);
            if (ended.isEmpty()) {
                LOG.error("the kernel does not report how a process ended");
            }
            return ended;
        } catch (SystemCall.Failure e) {
            throw new IllegalStateException("the kernel cannot be asked how a process ended", e);
        }
    }

    @Override
    public synchronized boolean isWatching(ContainerKey container, long pid) {
        return numberOf(container, pid).isPresent();
    }

    private OptionalLong numberOf(ContainerKey container, long pid) {
        Long number = newest.get(container);
        Watched candidate = number == null ? null : watched.get(number);
        return number != null
                        && candidate != null
                        && candidate.life().init().orElseThrow().pid() == pid
                ? OptionalLong.of(number)
                : OptionalLong.empty();
    }

    /** Stops watching if the process was reaped. */
    private Optional<Ended> takeIfReaped(long number) throws SystemCall.Failure {
        Watched candidate = requireNonNull(watched.get(number));
        OptionalInt status = candidate.process().waitStatus();
        if (status.isEmpty()) {
            return Optional.empty();
        }
        Life life = candidate.life();
        watched.remove(number);
        lives.remove(life.id());
        newest.remove(life.container(), number);
        try {
            epoll.remove(candidate.process());
        } finally {
            candidate.process().close();
        }
        return Optional.of(new Ended(life, status.getAsInt()));
    }

    private synchronized void closeDescriptors() {
        if (closed) {
            return;
        }
        closed = true;
        for (Watched left : watched.values()) {
            close(left.process());
        }
        watched.clear();
        close(epoll);
    }

    private static void close(AutoCloseable descriptor) {
        try {
            descriptor.close();
        } catch (Exception e) {
            LOG.warn("a descriptor cannot be closed", e);
        }
    }
}
