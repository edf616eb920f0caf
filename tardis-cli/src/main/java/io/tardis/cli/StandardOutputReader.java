package io.tardis.cli;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Whether whoever reads standard output has gone: the next program of a pipe, a connection, a
 * terminal. A write would say so, but a program that waits writes nothing, and a write of no bytes
 * to a pipe succeeds without a reader. poll(2) finds out; Java has nothing that does.
 */
final class StandardOutputReader {

    private static final int STANDARD_OUTPUT = 1;

    /** The kernel reports both without being asked to. */
    private static final int POLLERR_OR_POLLHUP = 0x8 | 0x10;

    /** {@code struct pollfd}: the descriptor, what to wait for, what has happened. */
    private static final long POLLFD_SIZE = 8;

    private static final long HAPPENED_OFFSET = 6;

    private static final MethodHandle POLL = poll();

    private StandardOutputReader() {}

    @SuppressWarnings("restricted") // calling C is what this class is for
    private static MethodHandle poll() {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(
                linker.defaultLookup().findOrThrow("poll"),
                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
    }

    /** Returns at once. A regular file has no reader that could go. */
    static boolean hasGone() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pollfd = arena.allocate(POLLFD_SIZE, Integer.BYTES);
            pollfd.set(JAVA_INT, 0, STANDARD_OUTPUT);
            int _ = (int) POLL.invokeExact(pollfd, 1L, 0);
            return (pollfd.get(JAVA_SHORT, HAPPENED_OFFSET) & POLLERR_OR_POLLHUP) != 0;
        } catch (Throwable e) { // a C function throws nothing
            throw new IllegalStateException("poll(2) cannot be called", e);
        }
    }
}
