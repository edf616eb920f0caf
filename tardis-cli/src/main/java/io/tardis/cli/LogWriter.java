package io.tardis.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes lines to one output in a thread of its own, so that an output that blocks (a full pipe, a
 * stopped terminal, a disk that does not answer) stops nobody who logs, and no other output.
 *
 * <p>The queue is bounded in bytes. A line that does not fit is dropped and counted, and the count
 * is written when the output takes lines again. A write that fails is tried again each second.
 */
final class LogWriter implements AutoCloseable {

    /** Where the lines go. Called from the writer's thread only. */
    interface Output {
        /**
         * Writes whole lines; with none, only makes sure that it could.
         *
         * @throws IOException if it cannot now; the same lines are given again later
         */
        void write(byte[] lines) throws IOException;
    }

    private static final Logger LOG = LoggerFactory.getLogger(LogWriter.class);
    private static final int MAX_QUEUED_BYTES = 1 << 20;
    private static final int MAX_BATCH_BYTES = 1 << 16;
    private static final Duration RETRY = Duration.ofSeconds(1);
    private static final Duration CLOSE_PATIENCE = Duration.ofMillis(500);
    private static final byte[] NOTHING = {};

    private final String name;
    private final Output output;
    private final LongFunction<byte[]> droppedLine;
    private final Thread thread;
    private final CompletableFuture<Void> opened = new CompletableFuture<>();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    // All that follows is guarded by the lock, which nobody holds while something is written.

    private final Queue<byte[]> lines = new ArrayDeque<>();
    private int queuedBytes;
    private long dropped;
    private boolean writing;
    private boolean failing;
    private boolean woken;
    private boolean closed;

    /**
     * A writer that does not run yet.
     *
     * @param name what the output is called in a message
     * @param droppedLine makes the line that says how many were dropped
     */
    LogWriter(String name, String threadName, Output output, LongFunction<byte[]> droppedLine) {
        this.name = name;
        this.output = output;
        this.droppedLine = droppedLine;
        this.thread = Thread.ofPlatform().daemon().name(threadName).unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    /** Completed when the output could be used for the first time, or with why it could not. */
    CompletableFuture<Void> opened() {
        return opened;
    }

    /** Queues a line, or drops it if there is no room. Never waits for the output. */
    void offer(byte[] line) {
        lock.lock();
        try {
            if (queuedBytes + line.length > MAX_QUEUED_BYTES) {
                dropped++;
                return;
            }
            reportDropped();
            add(line);
        } finally {
            lock.unlock();
        }
    }

    private void reportDropped() {
        if (dropped > 0) {
            byte[] report = droppedLine.apply(dropped);
            dropped = 0;
            add(report);
        }
    }

    private void add(byte[] line) {
        lines.add(line);
        queuedBytes += line.length;
        changed.signalAll();
    }

    /** Has the output look after itself now, and a write that failed tried again. */
    void wake() {
        lock.lock();
        try {
            woken = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Waits until everything is written, for the given time at most; not for one that fails. */
    void flush(Duration patience) {
        long left = patience.toNanos();
        lock.lock();
        try {
            while (!failing && left > 0 && (writing || !lines.isEmpty())) {
                left = changed.awaitNanos(left);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            lock.unlock();
        }
    }

    /** Ends the thread after what is queued; waits a moment for it. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        try {
            if (thread.getState() != Thread.State.NEW) {
                boolean _ = thread.join(CLOSE_PATIENCE);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** A stream whose bytes are queued when it is flushed, or 8 KiB of them are there. */
    OutputStream asStream() {
        return new QueuedStream(this);
    }

    private void run() {
        try {
            output.write(NOTHING);
            opened.complete(null);
        } catch (IOException e) {
            opened.completeExceptionally(e);
        }
        try {
            byte[] batch = next();
            while (batch != null) {
                write(batch);
                batch = next();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private byte @Nullable [] next() throws InterruptedException {
        lock.lock();
        try {
            writing = false;
            changed.signalAll();
            while (lines.isEmpty() && dropped == 0 && !woken) {
                if (closed) {
                    return null;
                }
                changed.await();
            }
            if (lines.isEmpty()) {
                reportDropped(); // nobody has logged since
            }
            writing = true;
            woken = false;
            return takeBatch();
        } finally {
            lock.unlock();
        }
    }

    /** As many whole lines as one write should take, at least one if there is any. */
    private byte[] takeBatch() {
        int size = 0;
        for (byte[] line : lines) {
            if (size > 0 && size + line.length > MAX_BATCH_BYTES) {
                break;
            }
            size += line.length;
        }
        byte[] batch = new byte[size];
        int filled = 0;
        while (filled < size) {
            byte[] line = lines.remove();
            System.arraycopy(line, 0, batch, filled, line.length);
            filled += line.length;
        }
        queuedBytes -= size;
        return batch;
    }

    private void write(byte[] batch) throws InterruptedException {
        boolean written = false;
        while (!written) {
            try {
                output.write(batch);
                written = true;
                setFailing(false);
            } catch (IOException e) {
                if (setFailing(true)) {
                    LOG.warn("{} cannot be written now: {}", name, e.toString());
                }
                written = pause();
            }
        }
    }

    /** Whether that changes anything. */
    private boolean setFailing(boolean now) {
        lock.lock();
        try {
            boolean changes = failing != now;
            failing = now;
            changed.signalAll();
            return changes;
        } finally {
            lock.unlock();
        }
    }

    /** Waits before the next try; returns whether there is none, since the writer is closed. */
    private boolean pause() throws InterruptedException {
        long left = RETRY.toNanos();
        lock.lock();
        try {
            while (left > 0 && !woken && !closed) {
                left = changed.awaitNanos(left);
            }
            woken = false;
            return closed;
        } finally {
            lock.unlock();
        }
    }

    /** Used by one thread at a time: a {@link java.io.PrintStream} sees to that. */
    private static final class QueuedStream extends OutputStream {

        private static final int MAX_BYTES = 8 << 10;

        private final LogWriter writer;
        private final ByteArrayOutputStream pending = new ByteArrayOutputStream();

        QueuedStream(LogWriter writer) {
            this.writer = writer;
        }

        @Override
        public void write(int b) {
            pending.write(b);
            if (pending.size() >= MAX_BYTES) {
                flush();
            }
        }

        @Override
        public void write(byte[] bytes, int offset, int length) {
            for (int i = 0; i < length; i++) {
                write(bytes[offset + i]);
            }
        }

        @Override
        public void flush() {
            if (pending.size() > 0) {
                writer.offer(pending.toByteArray());
                pending.reset();
            }
        }
    }
}
