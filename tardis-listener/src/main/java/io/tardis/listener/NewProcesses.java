package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.InitProcess;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Processes that containerd has reported just now, held until the publisher knows whose they are.
 * Many containers end some milliseconds after their create, and one whose pidfd and cgroup are not
 * there by then is known by containerd's word alone. So both are opened by the thread that reads
 * the event, which has nothing else to do. From any thread.
 */
final class NewProcesses {

    /**
     * A process, whatever becomes of its pid.
     *
     * @param process with its start time
     * @param at when its create was reported
     */
    record Held(InitProcess process, Instant at, Pidfd pidfd, Optional<Cgroup> cgroup)
            implements AutoCloseable {
        @Override
        public void close() {
            NewProcesses.close(pidfd);
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger(NewProcesses.class);

    /** Each has a descriptor. Where there are more, the publisher opens the rest itself. */
    private static final int MAX_HELD = 256;

    private static final Duration FRESH = Duration.ofSeconds(1);

    private final InstantSource clock;
    private final Map<Long, Held> held = new HashMap<>();
    private boolean open;

    NewProcesses(InstantSource clock) {
        this.clock = clock;
    }

    /** From now on processes are held. */
    synchronized void open() {
        open = true;
    }

    /** From now on no process is held. */
    synchronized void close() {
        open = false;
        held.values().forEach(Held::close);
        held.clear();
    }

    /**
     * containerd has reported that a container's process was created.
     *
     * @param at when it was reported: a process that was started since is another one, with its pid
     */
    void created(ContainerKey container, long pid, Instant at) {
        synchronized (this) {
            if (!open || held.size() >= MAX_HELD) {
                return;
            }
        }
        try {
            Pidfd pidfd = Pidfd.open(pid);
            boolean isHeld = false;
            try {
                Optional<Cgroup> cgroup =
                        isLate(at) ? Cgroup.ofRunning(container, pid) : Cgroup.of(container, pid);
                // Looked at afterwards, with the pidfd in hand.
                InitProcess process = InitProcess.of(pid, at, clock);
                isHeld =
                        process.startTime().isPresent()
                                && hold(new Held(process, at, pidfd, cgroup));
            } finally {
                if (!isHeld) {
                    close(pidfd);
                }
            }
        } catch (SystemCall.Failure | UncheckedIOException e) {
            LOG.debug("process {} is not there any more", pid, e);
        }
    }

    private synchronized boolean hold(Held process) {
        if (open) {
            close(held.put(process.process().pid(), process));
        }
        return open;
    }

    /** The process, by the report of its create at {@code at}; empty if it is not held. */
    synchronized Optional<InitProcess> process(long pid, Instant at) {
        return Optional.ofNullable(held.get(pid))
                .filter(it -> it.at().equals(at))
                .map(Held::process);
    }

    /** Whether a process whose create was reported at {@code at} may run by now. */
    boolean isLate(Instant at) {
        return at.plus(FRESH).isBefore(clock.instant());
    }

    /** The process, which is the caller's from now on; null if it is not held. */
    synchronized @Nullable Held take(long pid) {
        return held.remove(pid);
    }

    /** Nobody needs the process. */
    void discard(long pid) {
        close(take(pid));
    }

    private static void close(@Nullable Held process) {
        if (process != null) {
            process.close();
        }
    }

    private static void close(Pidfd pidfd) {
        try {
            pidfd.close();
        } catch (SystemCall.Failure e) {
            LOG.warn("a descriptor cannot be closed", e);
        }
    }
}
