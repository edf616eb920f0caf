package io.tardis.listener;

import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the kernel tell how the processes of lives end: Linux 6.15 and later answer that for a
 * process that is not a child of ours, through a pidfd that was opened before it was reaped.
 *
 * <p>One thread waits for all of them. What it hears does not depend on containerd, its shim or
 * {@code ctr}, comes before {@code delete} begins, and tells a death by signal from an exit code.
 */
final class KernelWitness implements AutoCloseable {

    /** Hears how processes ended. Called from the witness's thread; may block. */
    @FunctionalInterface
    interface Sink {
        /**
         * The process of {@code life} ended.
         *
         * @param waitStatus how, as wait(2) tells it
         */
        void ended(Life life, int waitStatus);
    }

    private record Watched(Life life, Pidfd process) {}

    private static final Logger LOG = LoggerFactory.getLogger(KernelWitness.class);

    private static final Duration IDLE = Duration.ofMinutes(1);
    private static final Duration PROBE_PATIENCE = Duration.ofSeconds(5);
    private static final Duration STOP_PATIENCE = Duration.ofSeconds(2);

    private final Epoll epoll;
    private final Sink sink;
    private final Thread thread;
    private final Map<Long, Watched> watched = new ConcurrentHashMap<>();

    /** The lives among them, by their ids. */
    private final Set<String> lives = ConcurrentHashMap.newKeySet();

    private final AtomicLong nextNumber = new AtomicLong();
    private volatile boolean stopping;

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
     * @return false if the process is gone, or is not known
     */
    boolean watch(Life life) {
        if (life.init().isEmpty()) {
            return false;
        }
        if (!lives.add(life.id())) {
            return true;
        }
        boolean watching = open(life, life.init().get());
        if (!watching) {
            lives.remove(life.id());
        }
        return watching;
    }

    private boolean open(Life life, InitProcess init) {
        try {
            Pidfd process = Pidfd.open(init.pid());
            // Looked at with the pidfd in hand: it is the same process as long as it exists.
            if (!init.exists()) {
                process.close();
                return false;
            }
            long number = nextNumber.incrementAndGet();
            watched.put(number, new Watched(life, process));
            try {
                epoll.add(process, number);
            } catch (SystemCall.Failure e) {
                watched.remove(number);
                process.close();
                throw e;
            }
            return true;
        } catch (SystemCall.Failure e) {
            LOG.debug("{} (pid {}) cannot be watched", life.container(), init.pid(), e);
            return false;
        }
    }

    /** How many processes are watched now. */
    int watching() {
        return watched.size();
    }

    /** Ends watching; the processes go on. */
    @Override
    public void close() {
        if (stopping) {
            return;
        }
        stopping = true;
        if (thread.getState() == Thread.State.NEW) {
            closeDescriptors();
            return;
        }
        try {
            epoll.wake();
            if (!thread.join(STOP_PATIENCE)) {
                LOG.error("the thread {} did not stop", thread.getName());
            }
        } catch (SystemCall.Failure e) {
            LOG.error("the thread {} cannot be told to stop", thread.getName(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
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
        } finally {
            closeDescriptors();
        }
    }

    private void tell(long number) throws SystemCall.Failure {
        Watched ended = watched.remove(number);
        if (ended == null) {
            return;
        }
        lives.remove(ended.life().id());
        OptionalInt status = ended.process().waitStatus();
        epoll.remove(ended.process());
        ended.process().close();
        if (status.isPresent()) {
            sink.ended(ended.life(), status.getAsInt());
        } else {
            LOG.error("the kernel does not tell how {} ended", ended.life().container());
        }
    }

    private void closeDescriptors() {
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
