package io.tardis.listener;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.util.Collections.nCopies;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/** A function of the C library that answers a number, or -1 and {@code errno}. */
final class SystemCall {

    /** {@code EINTR}: a signal came first. */
    private static final int EINTR = 4;

    /** A call that failed. */
    static final class Failure extends IOException {
        @java.io.Serial private static final long serialVersionUID = 1L;

        private Failure(String name, int errno) {
            super(name + " failed with errno " + errno);
        }
    }

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout CAPTURED = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO =
            CAPTURED.varHandle(MemoryLayout.PathElement.groupElement("errno"));

    /** The most arguments that one of the functions takes. */
    private static final int ARGUMENTS = 4;

    /**
     * Calls any of them. To link a signature costs the start of a JVM ten milliseconds or more, so
     * there is one for all. Arguments are passed in registers on every 64-bit Linux: an int or a
     * pointer in all of one, and one argument too many is not looked at.
     */
    private static final MethodHandle CALL = link();

    private static final SystemCall CLOSE = of("close");

    private final String name;
    private final MemorySegment function;

    private SystemCall(String name, MemorySegment function) {
        this.name = name;
        this.function = function;
    }

    @SuppressWarnings("restricted") // calling C is what this class is for
    private static MethodHandle link() {
        MemoryLayout[] arguments = nCopies(ARGUMENTS, JAVA_LONG).toArray(MemoryLayout[]::new);
        return LINKER.downcallHandle(
                FunctionDescriptor.of(JAVA_LONG, arguments),
                Linker.Option.captureCallState("errno"));
    }

    /** The function {@code name}, of at most {@value #ARGUMENTS} ints, longs and pointers. */
    static SystemCall of(String name) {
        return new SystemCall(name, LINKER.defaultLookup().findOrThrow(name));
    }

    /** Closes a file descriptor. */
    static void close(int descriptor) throws Failure {
        CLOSE.call(descriptor);
    }

    /**
     * Calls it, again where a signal came first. (No {@code close} of a pipe, socket or process
     * descriptor is interrupted.)
     *
     * @param arguments its arguments; of a pointer, the address
     * @return what it returned; of an int, the lower half counts
     * @throws Failure if it returned -1
     */
    long call(long... arguments) throws Failure {
        long[] all = Arrays.copyOf(arguments, ARGUMENTS);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment errno = arena.allocate(CAPTURED);
            while (true) {
                long result =
                        (long) CALL.invokeExact(function, errno, all[0], all[1], all[2], all[3]);
                int error = (int) ERRNO.get(errno, 0L);
                if ((int) result != -1) {
                    return result;
                } else if (error != EINTR) {
                    throw new Failure(name, error);
                }
            }
        } catch (Failure | RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("a C function throws nothing", e);
        }
    }
}
