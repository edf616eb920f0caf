package io.tardis.listener;

import io.tardis.core.FailureLog;
import io.tardis.core.Worker;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.Life;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ProtocolException;
import java.nio.channels.Selector;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Asks each container's own containerd shim how it ends, where the kernel does not report that. A
 * shim answers also while containerd is dead, until the task is deleted.
 *
 * <p>There is one connection for each container, and one thread for all of them. {@link
 * ShimConnection} decides which requests are sent and which answers count.
 *
 * <h2>A shim that does not answer</h2>
 *
 * A shim that ended, refused, or spoke another protocol is given up. One that was silent is asked
 * once more after {@link #PAUSE}, because a shim does not answer during a {@code create}, {@code
 * start} or {@code delete} of the runtime. Until then {@link #watch} returns false: a shim that
 * always fails costs one connection in 10 s, however often a caller asks.
 */
final class ShimWitness implements AutoCloseable {

    /**
     * A containerd shim reported how a container ended.
     *
     * @param life the container's life
     * @param exitStatus as containerd counts it: the exit code, or 128 plus the signal
     * @param exitedAt when its process ended, by the wall clock
     * @param pid its process; 0 if the shim does not know it
     */
    record Ended(Life life, long exitStatus, Instant exitedAt, long pid) {
        /** As containerd reports it. */
        TaskExit exit() {
            ContainerKey container = life.container();
            return new TaskExit(container, container.id(), pid, exitStatus, exitedAt);
        }
    }

    /** A life whose shim was given up, and is left alone until then. */
    private record GivenUp(Life life, long untilNanos, boolean isAskedAgain) {}

    static final int MAX_CONNECTIONS = 4_096;
    static final Duration PATIENCE = Duration.ofSeconds(5);

    /** Shorter than {@link LifeChecker#LATE_REPORT}, after which a life is lost. */
    static final Duration PAUSE = Duration.ofSeconds(10);

    private static final Duration IDLE = Duration.ofMinutes(1);

    private final Selector selector;
    private final int maxConnections;
    private final Duration patience;
    private final Duration pause;
    private final Consumer<Ended> onEnded;
    private final Consumer<Life> onGone;
    private final Worker worker;

    // All that follows is guarded by this, the connections included. Lives go by their ids.

    private final Map<String, ShimConnection> connections = new HashMap<>();

    /** Those that have answered nothing yet, the oldest first. */
    private final SequencedSet<ShimConnection> silent = new LinkedHashSet<>();

    private final Set<String> ended = new HashSet<>();
    private final BoundedMap<String, GivenUp> givenUp = new BoundedMap<>(MAX_CONNECTIONS);
    private final FailureLog failures = new FailureLog(ShimWitness.class);
    private boolean closed;

    /**
     * A witness that does nothing yet.
     *
     * @param onEnded receives how each watched life ended, from the witness's thread. May block
     * @param onGone receives each life that is not watched any more, since its shim ended or did
     *     not answer: whether the container is there is for the caller to find out. From the
     *     witness's thread. May block
     * @throws IOException if there is no descriptor left
     */
    ShimWitness(Consumer<Ended> onEnded, Consumer<Life> onGone) throws IOException {
        this(onEnded, onGone, MAX_CONNECTIONS, PATIENCE, PAUSE);
    }

    /** With other limits, for tests. */
    ShimWitness(
            Consumer<Ended> onEnded,
            Consumer<Life> onGone,
            int maxConnections,
            Duration patience,
            Duration pause)
            throws IOException {
        this.onEnded = onEnded;
        this.onGone = onGone;
        this.maxConnections = maxConnections;
        this.patience = patience;
        this.pause = pause;
        this.selector = Selector.open();
        this.worker = new Worker("tardis-listener-shims", this::run, selector::wakeup);
    }

    void start() {
        worker.start();
    }

    /**
     * Has the shim of {@code life} asked for its end, which may be past. From any thread; never
     * waits for the shim. When it returns true, the end cannot be missed as long as the shim lives,
     * and either {@code onEnded} or {@code onGone} follows. Does nothing for a life that is watched
     * already.
     *
     * @return false if its shim is gone, has just failed, or cannot be asked; or if there are too
     *     many
     * @throws UncheckedIOException if it cannot be asked now, for want of descriptors
     */
    boolean watch(Life life) {
        synchronized (this) {
            GivenUp before = givenUp.get(life.id());
            if (closed || (before != null && before.untilNanos() - System.nanoTime() > 0)) {
                return false;
            }
            if (isWatching(life)) {
                return true;
            }
            if (connections.size() >= maxConnections) {
                failures.warn(
                        "not all containerd shims are asked: there are more than " + maxConnections,
                        life.container());
                return false;
            }
        }
        try {
            return open(life, false);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Not under the lock: the bundle may be on a disk that hangs. */
    private boolean open(Life life, boolean isLastTry) throws IOException {
        Optional<ShimConnection> opened;
        try {
            opened = ShimConnection.open(life, isLastTry);
        } catch (ProtocolException e) {
            failed(life, e.getMessage());
            return false;
        }
        return opened.isPresent() && add(opened.get());
    }

    private synchronized boolean add(ShimConnection opened) throws IOException {
        if (closed || isWatching(opened.life)) {
            opened.close();
        } else {
            opened.register(selector);
            connections.put(opened.life.id(), opened);
            silent.add(opened);
            selector.wakeup();
        }
        return !closed;
    }

    /**
     * Whether the end of a life is still to be reported, or was and the life was not forgotten
     * since. From any thread.
     */
    synchronized boolean isWatching(Life life) {
        return connections.containsKey(life.id()) || ended.contains(life.id());
    }

    /**
     * Asks no more for the end of {@code life}. To be called for each life at last, also after its
     * end was reported. From any thread. An end that is being reported still is.
     */
    synchronized void forget(Life life) {
        ended.remove(life.id());
        givenUp.remove(life.id());
        ShimConnection connection = connections.get(life.id());
        if (connection != null) {
            drop(connection);
            selector.wakeup(); // which closes its descriptor
        }
    }

    private void drop(ShimConnection connection) {
        connections.remove(connection.life.id());
        silent.remove(connection);
        connection.close();
    }

    /** Ends watching. For {@link #isWatching} what was watched stays so. May be called twice. */
    @Override
    public void close() {
        worker.close();
        synchronized (this) {
            if (closed || worker.isAlive()) {
                return;
            }
            closed = true;
            connections.values().forEach(ShimConnection::close);
            try {
                selector.close();
            } catch (IOException e) {
                failures.warn("a selector cannot be closed", e);
            }
        }
    }

    private void run() {
        try {
            while (!worker.isStopping()) {
                selector.select(key -> read((ShimConnection) key.attachment()), waitMillis());
                for (ShimConnection each : overdue()) {
                    giveUp(each, "it did not answer within " + patience.toMillis() + " ms", true);
                }
                dueAgain().forEach(this::askAgain);
            }
        } catch (IOException e) {
            throw new IllegalStateException("the containerd shims cannot be listened to", e);
        }
    }

    private void read(ShimConnection connection) {
        Optional<Ended> end;
        try {
            end = take(connection);
        } catch (IOException e) {
            giveUp(connection, e.getMessage(), false);
            return;
        }
        end.ifPresent(onEnded);
    }

    private synchronized Optional<Ended> take(ShimConnection connection) throws IOException {
        if (!isOpen(connection)) {
            return Optional.empty();
        }
        Optional<Ended> end = connection.read();
        if (connection.isAnswered()) {
            silent.remove(connection);
        }
        if (end.isPresent()) {
            drop(connection);
            ended.add(connection.life.id());
        }
        return end;
    }

    /** False if its life was forgotten meanwhile. */
    private boolean isOpen(ShimConnection connection) {
        return connections.get(connection.life.id()) == connection;
    }

    private void giveUp(ShimConnection connection, @Nullable String reason, boolean isSilent) {
        Life life = connection.life;
        synchronized (this) {
            if (!isOpen(connection)) {
                return;
            }
            drop(connection);
            long until = System.nanoTime() + pause.toNanos();
            givenUp.putLast(life.id(), new GivenUp(life, until, isSilent && !connection.isLastTry));
            failed(life, reason);
        }
        onGone.accept(life);
    }

    private synchronized void failed(Life life, @Nullable String reason) {
        failures.warn(
                "a containerd shim does not report how its container ends",
                life.container() + ": " + reason);
    }

    private void askAgain(Life life) {
        try {
            boolean _ = open(life, true);
        } catch (IOException e) {
            failed(life, e.getMessage());
        }
    }

    private synchronized List<ShimConnection> overdue() {
        long now = System.nanoTime();
        return silent.stream().takeWhile(it -> now - it.openedNanos >= patience.toNanos()).toList();
    }

    /** Forgets whose pause is over. */
    private synchronized List<Life> dueAgain() {
        failures.logCounts();
        long now = System.nanoTime();
        List<GivenUp> over =
                givenUp.values().stream().takeWhile(it -> it.untilNanos() - now <= 0).toList();
        over.forEach(it -> givenUp.remove(it.life().id()));
        return over.stream().filter(GivenUp::isAskedAgain).map(GivenUp::life).toList();
    }

    private synchronized long waitMillis() {
        long now = System.nanoTime();
        long nanos = IDLE.toNanos();
        if (!silent.isEmpty()) {
            nanos = Math.min(nanos, silent.getFirst().openedNanos + patience.toNanos() - now);
        }
        if (!givenUp.isEmpty()) {
            nanos = Math.min(nanos, givenUp.firstEntry().getValue().untilNanos() - now);
        }
        return Math.max(0, TimeUnit.NANOSECONDS.toMillis(nanos)) + 1;
    }
}
