package io.tardis.cli;

import io.tardis.core.FailureLog;
import io.tardis.core.UnavailableException;
import io.tardis.core.client.PublishedSource;
import io.tardis.core.wire.MalformedMessageException;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.wire.Topic;
import io.tardis.core.zmq.ZmqSubscriber;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Hands what is published to all commands of the daemon that watch. The publisher waits for a
 * subscriber inside the daemon, so no command may be one: one thread subscribes while any command
 * watches, and never waits for a command. What does not fit into a command's queue it drops; the
 * command gets it by replay.
 */
final class ExitHub implements AutoCloseable {

    /** All commands share the messages themselves. */
    private static final int QUEUE = 256;

    private static final List<String> TOPICS =
            List.of(Topic.EXIT, Topic.EXEC_EXIT, Topic.HEARTBEAT, Topic.GAP, Topic.LOST);

    private static final Duration LOOK = Duration.ofSeconds(1);

    private final Function<List<String>, ZmqSubscriber> subscribe;
    private final Set<Watcher> watchers = ConcurrentHashMap.newKeySet();
    private final FailureLog failures = new FailureLog(ExitHub.class); // for the hub's thread

    private @Nullable Thread thread; // guarded by this
    private boolean closed; // guarded by this

    /**
     * A hub without a thread.
     *
     * @param subscribe makes the socket, for the hub's thread
     */
    ExitHub(Function<List<String>, ZmqSubscriber> subscribe) {
        this.subscribe = subscribe;
    }

    /** One command's view. For one thread, which may be interrupted. */
    private final class Watcher implements PublishedSource {

        private final BlockingQueue<Published> queue = new ArrayBlockingQueue<>(QUEUE);

        @Override
        public @Nullable Published receive(Duration timeout) {
            try {
                return queue.poll(timeout.toNanos(), TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new UnavailableException("the client has gone", e);
            }
        }

        @Override
        public void close() {
            watchers.remove(this);
        }
    }

    /** What is published from now on, or a moment later. */
    PublishedSource watch() {
        Watcher watcher = new Watcher();
        synchronized (this) {
            if (closed) {
                throw new UnavailableException("the daemon is stopping");
            }
            watchers.add(watcher);
            if (thread == null) {
                thread = Thread.ofPlatform().name("tardis-commands-exits").start(this::run);
            }
        }
        return watcher;
    }

    private void run() {
        try (ZmqSubscriber subscriber = subscribe.apply(TOPICS)) {
            while (isWanted()) {
                ZmqSubscriber.Message message = subscriber.receive(LOOK);
                if (message != null) {
                    hand(message);
                }
            }
        }
    }

    private void hand(ZmqSubscriber.Message message) {
        try {
            Published published = PublishedCodec.decode(message.topic(), message.payload());
            watchers.forEach(it -> it.queue.offer(published));
        } catch (MalformedMessageException e) {
            failures.warn("a message cannot be understood", String.valueOf(e.getMessage()));
        }
    }

    /** The next command that watches finds this thread, or starts another one. */
    private synchronized boolean isWanted() {
        if (closed || watchers.isEmpty()) {
            thread = null;
        }
        return thread != null;
    }

    /** Ends the thread, and waits for that. */
    @Override
    public void close() {
        Thread running;
        synchronized (this) {
            closed = true;
            running = thread;
        }
        try {
            if (running != null) {
                running.join(LOOK.multipliedBy(2));
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
