package io.tardis.listener;

import static java.util.Objects.requireNonNull;

import io.tardis.core.Threads;
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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the kernel tell how the processes of lives end: Linux 6.15 and later answer that for a
 * process that is not a child of ours, through a pidfd that was opened before it was reaped.
 *
 * <p>One thread waits for all of them. What it hears does not depend on containerd, its shim or
 * {@code ctr}, comes before {@code delete} begins, and tells a death by signal from an exit code.
 */
final class KernelWitness implements ExitPublisher.Kernel, AutoCloseable {

    /**
     * The process of a life ended.
     *
     * @param life the life
     * @param waitStatus how its process ended, as wait(2) tells it
     */
    record Ended(Life life, int waitStatus) {
        long pid() {
            return life.init().orElseThrow().pid();
        }
    }

    /** Hears how processes ended. Called from the witness's thread; may block. */
    @FunctionalInterface
    interface Sink {
        /** A watched process ended. */
        void ended(Ended ended);
    }

    private record Watched(Life life, Pidfd process) {}

    private static final Logger LOG = LoggerFactory.getLogger(KernelWitness.class);

    private static final Duration IDLE = Duration.ofMinutes(1);
    private static final Duration PROBE_PATIENCE = Duration.ofSeconds(5);
    private static final Duration STOP_PATIENCE = Duration.ofSeconds(2);

    private final Epoll epoll;
    private final Sink sink;
    private final Thread thread;
    private volatile boolean stopping;

    // All that follows is guarded by this: a process that was reaped may be taken by whoever looks
    // first, and from then on its descriptor's number may be somebody else's.

    private final Map<Long, Watched> watched = new HashMap<>();

    /** The lives among them, by their ids. */
    private final Set<String> lives = new HashSet<>();

    /** The newest watched life of each container. */
    private final Map<ContainerKey, Long> newest = new HashMap<>();

    /** Ends that the sink was given and has not come to yet. */
    private final Map<ContainerKey, Ended> onTheWay = new HashMap<>();

    private long nextNumber;
    private boolean closed;

    private KernelWitness(Epoll epoll, Sink sink) {
        this.epoll = epoll;
        this.sink = sink;
        this.thread = new Thread(this::run, "tardis-listener-witness");
    }

    /**
     * A witness, if this kernel tells how processes ended. The kernel itself is asked, with a
     * process that is made to end: versions say little where distributions port features back.
     */
    static Optional<KernelWitness> open(Sink sink) {
        try {
            OptionalInt status = probe();
            if (status.isPresent()) {
                return Optional.of(new KernelWitness(Epoll.open(), sink));
            }
            LOG.info("this kernel does not tell how processes end: only containerd's events do");
        } catch (IOException e) {
            LOG.info(
                    "this kernel does not tell how processes end ({}): only containerd's events do",
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
        thread.start();
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

    /** Ends watching; the processes go on. */
    @Override
    public void close() {
        if (stopping) {
            return;
        }
        stopping = true;
        try {
            epoll.wake();
        } catch (SystemCall.Failure e) {
            LOG.error("the thread {} cannot be told to stop", thread.getName(), e);
            return;
        }
        if (Threads.awaitEnd(thread, STOP_PATIENCE)) {
            // Not by the thread itself: it may end before it is woken, and the number of a closed
            // descriptor may be somebody else's by then.
            closeDescriptors();
        }
    }

    private void run() {
        try {
            while (!stopping) {
                for (long number : epoll.await(IDLE)) {
                    tell(number);
                }
            }
        } catch (SystemCall.Failure e) {
            throw new IllegalStateException("the kernel witness cannot go on", e);
        }
    }

    /**
     * How the process ended that has this container and pid, if it is watched and was reaped. It is
     * told here then, and not to the sink, unless it is on its way there.
     */
    @Override
    public synchronized Optional<Ended> look(ContainerKey container, long pid) {
        OptionalLong number = numberOf(container, pid);
        if (number.isEmpty()) {
            return Optional.ofNullable(onTheWay.get(container)).filter(it -> it.pid() == pid);
        }
        try {
            return take(number.getAsLong());
        } catch (SystemCall.Failure e) {
            LOG.warn("the kernel cannot be asked how {} ended", container, e);
            return Optional.empty();
        }
    }

    /** Whether the process that has this container and pid is watched. From any thread. */
    synchronized boolean isWatching(ContainerKey container, long pid) {
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

    @Override
    public synchronized void arrived(Ended ended) {
        onTheWay.remove(ended.life().container(), ended);
    }

    private void tell(long number) throws SystemCall.Failure {
        Optional<Ended> ended;
        synchronized (this) {
            if (!watched.containsKey(number)) {
                return; // look() was faster
            }
            ended = take(number);
            ended.ifPresent(it -> onTheWay.put(it.life().container(), it));
        }
        ended.ifPresentOrElse(
                sink::ended, () -> LOG.error("the kernel does not tell how a process ended"));
    }

    /** Stops watching if the process was reaped. */
    private Optional<Ended> take(long number) throws SystemCall.Failure {
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
