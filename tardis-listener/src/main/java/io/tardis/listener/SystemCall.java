package io.tardis.listener;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodType;
import java.lang.invoke.VarHandle;

/** A function of the C library that answers a number, or -1 and {@code errno}. */
final class SystemCall {

    /** {@code EINTR}: a signal came first; the call is to be made again. */
    static final int EINTR = 4;

    /** A call that failed. */
    static final class Failure extends IOException {
        @java.io.Serial private static final long serialVersionUID = 1L;

        private final int errno;

        private Failure(String name, int errno) {
            super(name + " failed with errno " + errno);
            this.errno = errno;
        }

        /** The kernel's number of the error. */
        int errno() {
            return errno;
        }
    }

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout CAPTURED = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO =
            CAPTURED.varHandle(MemoryLayout.PathElement.groupElement("errno"));

    private static final SystemCall CLOSE =
            of("close", ValueLayout.JAVA_INT, 1, ValueLayout.JAVA_INT);

    private final String name;
    private final MethodHandle function;

    private SystemCall(String name, MethodHandle function) {
        this.name = name;
        this.function = function;
    }

    /**
     * The function {@code name}.
     *
     * @param result what it returns, an int or a long
     * @param fixed how many arguments come before the variable ones; all, if it has none
     * @param arguments its arguments
     */
    @SuppressWarnings("restricted") // calling C is what this class is for
    static SystemCall of(String name, ValueLayout result, int fixed, ValueLayout... arguments) {
        Linker.Option captured = Linker.Option.captureCallState("errno");
        FunctionDescriptor descriptor = FunctionDescriptor.of(result, arguments);
        MemorySegment address = LINKER.defaultLookup().findOrThrow(name);
        MethodHandle handle =
                fixed == arguments.length
                        ? LINKER.downcallHandle(address, descriptor, captured)
                        : LINKER.downcallHandle(
                                address,
                                descriptor,
                                captured,
                                Linker.Option.firstVariadicArg(fixed));
        MethodType type = handle.type().changeReturnType(long.class);
        return new SystemCall(
                name, handle.asType(type).asSpreader(Object[].class, arguments.length));
    }

    /** Closes a file descriptor. */
    static void close(int descriptor) throws Failure {
        CLOSE.call(descriptor);
    }

    /**
     * Calls it.
     *
     * @throws Failure if it returns -1
     */
    long call(Object... arguments) throws Failure {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment errno = arena.allocate(CAPTURED);
            long result = (long) function.invokeExact(errno, arguments);
            if (result < 0) {
                throw new Failure(name, (int) ERRNO.get(errno, 0L));
            }
            return result;
        } catch (Failure | RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("a C function throws nothing", e);
        }
    }
}
