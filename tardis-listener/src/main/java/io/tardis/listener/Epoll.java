package io.tardis.listener;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.stream.LongStream;

/**
 * Waits for the reaping of many processes at once (epoll(7)). Any thread may add; one waits.
 *
 * <p>A pidfd is watched for nothing but the hang-up, which epoll always reports: it comes with the
 * reaping, when the exit status is there. POLLIN would come before, with the end of the process,
 * and again and again until its parent has reaped it.
 */
final class Epoll implements AutoCloseable {

    /** For both kinds of descriptors. */
    private static final int CLOEXEC = 0x80000;

    private static final int EPOLL_CTL_ADD = 1;
    private static final int MAX_EVENTS = 64;

    /** On x86-64 alone the kernel packs {@code struct epoll_event}. */
    private static final long DATA_OFFSET = System.getProperty("os.arch").equals("amd64") ? 4 : 8;

    private static final long EVENT_SIZE = DATA_OFFSET + Long.BYTES;

    private static final int EPOLLIN = 1;
    private static final int EPOLLONESHOT = 1 << 30;

    /** The data of {@link #wake}; processes have others. */
    private static final long WAKE = -1;

    private static final SystemCall EVENTFD = SystemCall.of("eventfd");
    private static final SystemCall EVENTFD_WRITE = SystemCall.of("eventfd_write");
    private static final SystemCall CREATE = SystemCall.of("epoll_create1");
    private static final SystemCall CTL = SystemCall.of("epoll_ctl");
    private static final SystemCall WAIT = SystemCall.of("epoll_wait");

    private final int fd;
    private final int wakeFd;

    /**
     * Where that fails, for want of descriptors, one of the two stays open: a process tries at its
     * start only.
     */
    Epoll() throws SystemCall.Failure {
        fd = (int) CREATE.call(CLOEXEC);
        wakeFd = (int) EVENTFD.call(0, CLOEXEC);
        add(wakeFd, EPOLLIN, WAKE);
    }

    /**
     * Has {@link #await} return {@code data} once when the process was reaped, at once if it is
     * already. The kernel forgets the process when its descriptor is closed; what was reaped just
     * before may still be returned.
     *
     * @param data not negative; each process has its own
     */
    void add(Pidfd process, long data) throws SystemCall.Failure {
        add(process.fd(), EPOLLONESHOT, data);
    }

    private void add(int descriptor, int events, long data) throws SystemCall.Failure {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment event = arena.allocate(EVENT_SIZE);
            event.set(JAVA_INT_UNALIGNED, 0, events);
            event.set(JAVA_LONG_UNALIGNED, DATA_OFFSET, data);
            CTL.call(fd, EPOLL_CTL_ADD, descriptor, event.address());
        }
    }

    /** Lets {@link #await} return at once, now and from now on. */
    void wake() throws SystemCall.Failure {
        EVENTFD_WRITE.call(wakeFd, 1);
    }

    /** The data of processes that were reaped; none when the time is over, or after a wake. */
    long[] await(Duration timeout) throws SystemCall.Failure {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment events = arena.allocate(EVENT_SIZE * MAX_EVENTS);
            int count = (int) WAIT.call(fd, events.address(), MAX_EVENTS, timeout.toMillis());
            return LongStream.range(0, count)
                    .map(i -> events.get(JAVA_LONG_UNALIGNED, i * EVENT_SIZE + DATA_OFFSET))
                    .filter(data -> data != WAKE)
                    .toArray();
        }
    }

    @Override
    public void close() throws SystemCall.Failure {
        SystemCall.close(wakeFd);
        SystemCall.close(fd);
    }
}
