package io.tardis.listener;

import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/**
 * Takes standard output and standard error away from everything in this process that writes there
 * by their numbers: the JVM itself (a thread dump, a warning) writes in the middle of a safepoint,
 * and one that blocks then stops every thread. It is in this module since this one calls C.
 *
 * <p>What is written there comes out of a pipe that never blocks its writers: what does not fit is
 * lost. The real standard error is still there, for a thread that may block.
 */
public final class StandardStreams {

    private static final int STDOUT = 1;
    private static final int STDERR = 2;

    // Of <fcntl.h>, the same on all architectures of Linux that have a JDK 25.
    private static final int F_SETFL = 4;
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int F_SETPIPE_SZ = 1031;
    private static final int O_WRONLY = 1;
    private static final int O_NONBLOCK = 0x800;
    private static final int O_CLOEXEC = 0x80000;

    /** Several thread dumps; the most that the kernel gives without a privilege. */
    private static final int PIPE_BYTES = 1 << 20;

    private static final SystemCall FCNTL = SystemCall.of("fcntl");
    private static final SystemCall DUP2 = SystemCall.of("dup2");
    private static final SystemCall PIPE2 = SystemCall.of("pipe2");
    private static final SystemCall WRITE = SystemCall.of("write");
    private static final SystemCall POLL = SystemCall.of("poll");

    /** {@code struct pollfd}: the descriptor, what to wait for, what has happened. */
    private static final long POLLFD_SIZE = 8;

    private static final long HAPPENED_OFFSET = 6;

    /** The kernel reports both without being asked to. */
    private static final int POLLERR_OR_POLLHUP = 0x8 | 0x10;

    private final InputStream printed;
    private final int error;

    private StandardStreams() throws IOException {
        error = (int) FCNTL.call(STDERR, F_DUPFD_CLOEXEC, STDERR + 1);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ends = arena.allocate(ValueLayout.JAVA_INT, 2);
            PIPE2.call(ends.address(), O_CLOEXEC);
            int readEnd = ends.getAtIndex(ValueLayout.JAVA_INT, 0);
            int writeEnd = ends.getAtIndex(ValueLayout.JAVA_INT, 1);
            FCNTL.call(writeEnd, F_SETFL, O_WRONLY | O_NONBLOCK);
            FCNTL.call(writeEnd, F_SETPIPE_SZ, PIPE_BYTES);
            printed = new FileInputStream("/proc/self/fd/" + readEnd);
            SystemCall.close(readEnd); // the stream has one of its own
            DUP2.call(writeEnd, STDOUT);
            DUP2.call(writeEnd, STDERR);
            SystemCall.close(writeEnd);
        }
    }

    /** Takes them; once in the life of a process. */
    public static StandardStreams take() throws IOException {
        return new StandardStreams();
    }

    /**
     * Whether whoever reads standard output has gone: the next program of a pipe, a connection, a
     * terminal. A write would fail, but a program that waits writes nothing, and a write of no
     * bytes to a pipe succeeds without a reader. Returns at once. A regular file has no reader that
     * could go.
     */
    public static boolean isReaderGone() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pollfd = arena.allocate(POLLFD_SIZE, Integer.BYTES);
            pollfd.set(ValueLayout.JAVA_INT, 0, STDOUT);
            POLL.call(pollfd.address(), 1, 0);
            return (pollfd.get(ValueLayout.JAVA_SHORT, HAPPENED_OFFSET) & POLLERR_OR_POLLHUP) != 0;
        } catch (SystemCall.Failure e) {
            throw new IllegalStateException("standard output cannot be polled", e);
        }
    }

    /** What is written to standard output and standard error from now on. */
    public InputStream printed() {
        return printed;
    }

    /**
     * Gives them back, and {@link #printed} ends. For the end of the process: the JVM waits 300 ms
     * for each exit while a thread is in a read (HotSpot 25, {@code vmOperations.cpp}, {@code
     * wait_for_threads_in_native_to_block}).
     */
    public void giveBack() throws IOException {
        DUP2.call(error, STDOUT);
        DUP2.call(error, STDERR);
    }

    /**
     * Writes to what was standard error; blocks as long as nobody reads there.
     *
     * @throws IOException if nobody ever will
     */
    public void writeError(byte[] bytes) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment all = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
            long written = 0;
            while (written < bytes.length) {
                written += WRITE.call(error, all.address() + written, bytes.length - written);
            }
        }
    }

    /** What was standard error, by the kernel's name for it. */
    public Path error() {
        return Path.of("/proc/self/fd/" + error);
    }
}
