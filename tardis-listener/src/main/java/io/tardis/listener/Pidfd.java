package io.tardis.listener;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.OptionalInt;

/**
 * A descriptor that stands for one process, whatever becomes of its pid. Numbers and layouts are
 * those of Linux 6.15 ({@code include/uapi/linux/pidfd.h}).
 *
 * @param fd the file descriptor
 */
record Pidfd(int fd) implements AutoCloseable {

    /** The same on every architecture; older C libraries have no function for it. */
    private static final long SYS_PIDFD_OPEN = 434;

    /** {@code _IOWR(0xFF, 11, struct pidfd_info)}, with the first layout, of 64 bytes. */
    private static final long PIDFD_GET_INFO = 0xC040FF0BL;

    private static final long INFO_SIZE = 64;
    private static final long MASK_OFFSET = 0;
    private static final long EXIT_CODE_OFFSET = 60;
    private static final long PIDFD_INFO_EXIT = 1L << 3;

    private static final SystemCall SYSCALL = SystemCall.of("syscall");
    private static final SystemCall IOCTL = SystemCall.of("ioctl");

    /**
     * Stands for the process that has {@code pid} now, also if it is a zombie.
     *
     * @throws SystemCall.Failure if there is none, no descriptor is left, or the kernel has no
     *     pidfds
     */
    static Pidfd open(long pid) throws SystemCall.Failure {
        return new Pidfd((int) SYSCALL.call(SYS_PIDFD_OPEN, pid, 0));
    }

    /**
     * How the process ended, as in wait(2): known once its parent has reaped it.
     *
     * @throws SystemCall.Failure if this kernel cannot report it
     */
    OptionalInt waitStatus() throws SystemCall.Failure {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(INFO_SIZE, Long.BYTES);
            info.set(JAVA_LONG, MASK_OFFSET, PIDFD_INFO_EXIT);
            IOCTL.call(fd, PIDFD_GET_INFO, info.address());
            boolean known = (info.get(JAVA_LONG, MASK_OFFSET) & PIDFD_INFO_EXIT) != 0;
            return known
                    ? OptionalInt.of(info.get(JAVA_INT, EXIT_CODE_OFFSET))
                    : OptionalInt.empty();
        }
    }

    @Override
    public void close() throws SystemCall.Failure {
        SystemCall.close(fd);
    }
}
