package io.tardis.listener;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.tardis.core.zmq.ConnectionOwners;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetSocketAddress;
import java.util.OptionalInt;

/**
 * Asks the kernel whose a TCP connection is, by a netlink socket. It looks up one socket by its
 * addresses, which takes as long with many as with few. The kernel answers within the call that
 * sends the request.
 *
 * <p>It is in this module since this one calls C. From any thread.
 */
public final class SockDiag implements ConnectionOwners, AutoCloseable {

    private static final int AF_NETLINK = 16;
    private static final int SOCK_RAW_CLOEXEC = 3 | 0x80000;
    private static final int NETLINK_SOCK_DIAG = 4;

    /** {@code struct sockaddr_nl}: family (2), pad (2), port 0 (the kernel), groups. */
    private static final long ADDRESS_BYTES = 12;

    /** {@code struct pollfd}: the descriptor, what to wait for, what has happened. */
    private static final long POLLFD_SIZE = 8;

    private static final long WANTED_OFFSET = 4;
    private static final short POLLIN = 1;

    private static final int PATIENCE_MILLIS = 100;

    /** The replies to requests that were given up, of which there is one at the most. */
    private static final int MAX_REPLIES = 4;

    private static final SystemCall SOCKET = SystemCall.of("socket");
    private static final SystemCall CONNECT = SystemCall.of("connect");
    private static final SystemCall SEND = SystemCall.of("send");
    private static final SystemCall RECV = SystemCall.of("recv");
    private static final SystemCall POLL = SystemCall.of("poll");

    private static final int NONE = -1;

    // guarded by this
    private int fd = NONE;
    private int sequence;

    /** Opens its socket with the first question. */
    public SockDiag() {
        // to have its comment, as an exported class must
    }

    @Override
    public synchronized OptionalInt uidOf(InetSocketAddress client, InetSocketAddress server)
            throws IOException {
        try {
            if (fd == NONE) {
                open();
            }
            sequence++;
            return ask(new InetDiag(client, server, sequence));
        } catch (IOException e) {
            close(); // the next one gets another socket
            throw e;
        }
    }

    /** Connected to the kernel, it receives from nobody else. */
    private void open() throws SystemCall.Failure {
        fd = (int) SOCKET.call(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment kernel = arena.allocate(ADDRESS_BYTES, Integer.BYTES);
            kernel.set(JAVA_SHORT, 0, (short) AF_NETLINK);
            CONNECT.call(fd, kernel.address(), ADDRESS_BYTES);
        }
    }

    private OptionalInt ask(InetDiag question) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = arena.allocateFrom(JAVA_BYTE, question.request());
            SEND.call(fd, request.address(), request.byteSize(), 0);
            MemorySegment reply = arena.allocate(InetDiag.REPLY_BYTES);
            for (int i = 0; i < MAX_REPLIES && isReadable(arena); i++) {
                long length = RECV.call(fd, reply.address(), reply.byteSize(), 0);
                var bytes = reply.asSlice(0, length).asByteBuffer();
                if (question.isAnsweredBy(bytes)) {
                    return question.uid(bytes);
                }
            }
        }
        throw new IOException("it does not answer");
    }

    private boolean isReadable(Arena arena) throws SystemCall.Failure {
        MemorySegment waiting = arena.allocate(POLLFD_SIZE, Integer.BYTES);
        waiting.set(JAVA_INT, 0, fd);
        waiting.set(JAVA_SHORT, WANTED_OFFSET, POLLIN);
        return (int) POLL.call(waiting.address(), 1, PATIENCE_MILLIS) == 1;
    }

    /** Safe twice; the next question opens another socket. */
    @Override
    public synchronized void close() {
        int open = fd;
        fd = NONE;
        if (open != NONE) {
            try {
                SystemCall.close(open);
            } catch (SystemCall.Failure e) {
                throw new IllegalStateException("a netlink socket cannot be closed", e);
            }
        }
    }
}
