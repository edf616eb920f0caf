package io.tardis.listener;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * The lock on a whole file as the kernel knows it, which is also what the JDK's locks are
 * (fcntl(2)). Numbers and layouts are those of Linux on 64 bits.
 *
 * <p>The kernel is asked about the file itself. Its list of all locks ({@code /proc/locks}) names
 * files by their inodes, and anybody can make a file of the same inode on another device, whose
 * number that list shows differently from stat(2) on some file systems.
 */
final class PosixLock {

    private static final int O_CLOEXEC = 0x80000;
    private static final int F_GETLK = 5;
    private static final short F_WRLCK = 1;

    /** {@code struct flock}: type and whence, start and length (0: to the end), pid. */
    private static final long FLOCK_SIZE = 32;

    private static final long TYPE_OFFSET = 0;
    private static final long PID_OFFSET = 24;

    private static final SystemCall OPEN = SystemCall.of("open");
    private static final SystemCall FCNTL = SystemCall.of("fcntl");

    private PosixLock() {}

    /**
     * The process that holds the exclusive lock on {@code file}; empty if none does, or if it is in
     * another pid namespace.
     *
     * <p>Not to be called by a process that holds it: the kernel does not report that, and takes
     * the lock away when the file is closed here.
     *
     * @throws SystemCall.Failure if the file cannot be opened
     */
    static OptionalLong holder(Path file) throws SystemCall.Failure {
        try (Arena arena = Arena.ofConfined()) {
            int fd = (int) OPEN.call(arena.allocateFrom(file.toString()).address(), O_CLOEXEC);
            try {
                MemorySegment lock = arena.allocate(FLOCK_SIZE, Long.BYTES);
                lock.set(JAVA_SHORT, TYPE_OFFSET, F_WRLCK);
                FCNTL.call(fd, F_GETLK, lock.address());
                int pid = lock.get(JAVA_INT, PID_OFFSET);
                return lock.get(JAVA_SHORT, TYPE_OFFSET) == F_WRLCK && pid > 0
                        ? OptionalLong.of(pid)
                        : OptionalLong.empty();
            } finally {
                SystemCall.close(fd);
            }
        }
    }
}
