package io.tardis.cli;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes lines to one output in a thread of its own, so that an output that blocks (a full pipe, a
 * stopped terminal, a disk that does not answer) stops nobody who logs, and no other output.
 *
 * <p>The queue is bounded in bytes. A line that does not fit is dropped and counted, and the count
 * is written when the output takes lines again. A write that fails is tried again each second. The
 * thread ends with the process.
 */
final class LogWriter {

    /** Where the lines go. Called from the writer's thread only. */
    interface Output {
        /**
         * Writes a whole line; with an empty one, only makes sure that it could.
         *
         * @throws IOException if it cannot now; the same line is given again later
         */
        void write(byte[] line) throws IOException;
    }

    private static final Logger LOG = LoggerFactory.getLogger(LogWriter.class);
    private static final int MAX_QUEUED_BYTES = 1 << 20;
    private static final Duration RETRY = Duration.ofSeconds(1);

    private final String name;
    private final Output output;
    private final LongFunction<byte[]> droppedLine;

    // All that follows is guarded by this, which nobody holds while something is written.

    /** The first one may be being written. */
    private final Queue<byte[]> lines = new ArrayDeque<>();

    private int queuedBytes;
    private long dropped;
    private boolean failing;

    /**
     * A writer that does not run yet.
     *
     * @param name what the output is called in a message
     * @param droppedLine makes the line that says how many were dropped
     */
    LogWriter(String name, Output output, LongFunction<byte[]> droppedLine) {
        this.name = name;
        this.output = output;
        this.droppedLine = droppedLine;
    }

    /**
     * Starts the thread.
     *
     * @return completed when the output could be used for the first time, or with why it could not
     */
    CompletableFuture<Void> start(String threadName) {
        CompletableFuture<Void> opened = new CompletableFuture<>();
        Thread.ofPlatform().daemon().name(threadName).start(() -> run(opened));
        return opened;
    }

    /** Queues a line, or drops it if there is no room. Never waits for the output. */
    synchronized void offer(byte[] line) {
        if (queuedBytes + line.length > MAX_QUEUED_BYTES) {
            dropped++;
            return;
        }
        reportDropped();
        add(line);
    }

    private void reportDropped() {
        if (dropped > 0) {
            add(droppedLine.apply(dropped));
            dropped = 0;
        }
    }

    private void add(byte[] line) {
        lines.add(line);
        queuedBytes += line.length;
        notifyAll();
    }

    /** Waits until everything is written, for the given time at most; not for one that fails. */
    synchronized void flush(Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        long left = patience.toNanos();
        try {
            while (left > 0 && !failing && !lines.isEmpty()) {
                TimeUnit.NANOSECONDS.timedWait(this, left);
                left = deadline - System.nanoTime();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** A stream whose bytes are queued when it is flushed, or 8 KiB of them are there. */
    OutputStream asStream() {
        return new BufferedOutputStream(
                new OutputStream() {
                    @Override
                    public void write(int b) {
                        offer(new byte[] {(byte) b});
                    }

                    @Override
                    public void write(byte[] bytes, int offset, int length) {
                        offer(Arrays.copyOfRange(bytes, offset, offset + length));
                    }
                });
    }

    private void run(CompletableFuture<Void> opened) {
        try {
            output.write(new byte[0]);
            opened.complete(null);
        } catch (IOException e) {
            opened.completeExceptionally(e);
        }
        try {
            while (true) {
                write(next());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized byte[] next() throws InterruptedException {
        while (lines.isEmpty() && dropped == 0) {
            wait();
        }
        if (lines.isEmpty()) {
            reportDropped(); // nobody has logged since
        }
        return lines.element();
    }

    private void write(byte[] line) throws InterruptedException {
        try {
            output.write(line);
            written();
        } catch (IOException e) {
            if (failed()) {
                LOG.warn("{} cannot be written now: {}", name, e.toString());
            }
            Thread.sleep(RETRY);
        }
    }

    private synchronized void written() {
        queuedBytes -= lines.remove().length;
        failing = false;
        notifyAll();
    }

    /** Whether that is new. */
    private synchronized boolean failed() {
        boolean first = !failing;
        failing = true;
        notifyAll();
        return first;
    }
}
