package io.tardis.listener;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.OptionalInt;

/**
 * The kernel's messages about one TCP socket (sock_diag(7), {@code include/uapi/linux/inet_diag.h}
 * of Linux 6.18, unchanged since 3.3). Addresses and ports are in the network's order, all else in
 * the machine's.
 *
 * <pre>
 * nlmsghdr          16  length, type (2), flags (2), sequence, port
 * inet_diag_req_v2  56  family (1), protocol (1), ext (1), pad (1), states, sockid
 * inet_diag_msg     72  family (1), state (1), timer (1), retrans (1), sockid,
 *                       expires, rqueue, wqueue, uid, inode
 * sockid            48  own port (2), peer's port (2), own address (16), peer's address (16),
 *                       interface, cookie (8)
 * nlmsgerr              error, the request
 * </pre>
 */
final class InetDiag {

    /** A reply, of which attributes that nobody asked for may be cut. */
    static final int REPLY_BYTES = 512;

    private static final int HEADER_BYTES = 16;
    private static final int REQUEST_BYTES = HEADER_BYTES + 56;
    private static final int MESSAGE_BYTES = 72;
    private static final int ADDRESS_BYTES = 16;

    private static final short NLMSG_ERROR = 2;
    private static final short SOCK_DIAG_BY_FAMILY = 20;
    private static final short NLM_F_REQUEST = 1;
    private static final byte AF_INET = 2;
    private static final byte AF_INET6 = 10;
    private static final byte IPPROTO_TCP = 6;
    private static final int ESTABLISHED = 1;
    private static final int ALL_STATES = -1;

    /** {@code INET_DIAG_NOCOOKIE}, twice. */
    private static final long NO_COOKIE = -1;

    private static final int ENOENT = 2;

    private final InetSocketAddress own;
    private final InetSocketAddress peer;
    private final int sequence;

    /** Looks for the socket with the address {@code own} that is connected to {@code peer}. */
    InetDiag(InetSocketAddress own, InetSocketAddress peer, int sequence) {
        this.own = own;
        this.peer = peer;
        this.sequence = sequence;
    }

    byte[] request() {
        byte[] from = own.getAddress().getAddress();
        byte[] to = peer.getAddress().getAddress();
        ByteBuffer request = ByteBuffer.allocate(REQUEST_BYTES).order(ByteOrder.nativeOrder());
        request.putInt(REQUEST_BYTES).putShort(SOCK_DIAG_BY_FAMILY).putShort(NLM_F_REQUEST);
        request.putInt(sequence).putInt(0);
        request.put(from.length == ADDRESS_BYTES ? AF_INET6 : AF_INET).put(IPPROTO_TCP);
        request.putShort((short) 0).putInt(ALL_STATES);
        putPort(request, own.getPort());
        putPort(request, peer.getPort());
        request.put(Arrays.copyOf(from, ADDRESS_BYTES)).put(Arrays.copyOf(to, ADDRESS_BYTES));
        request.putInt(0).putLong(NO_COOKIE);
        return request.array();
    }

    private static void putPort(ByteBuffer request, int port) {
        request.put((byte) (port >> Byte.SIZE)).put((byte) port);
    }

    /** Whether a reply is to this request, and not to one before that was given up. */
    boolean isAnsweredBy(ByteBuffer reply) {
        return reply.remaining() >= HEADER_BYTES
                && reply.order(ByteOrder.nativeOrder()).getInt(8) == sequence;
    }

    /**
     * The user who made the socket, from a reply to this request.
     *
     * <p>A socket counts while it is connected and a process has it. For one that was closed, and
     * goes on sending what was written, the kernel says root.
     *
     * <p>Where no socket has both addresses, the kernel finds one that listens on the first: so the
     * reply is compared with what was asked for.
     *
     * @return empty if there is no such socket
     * @throws IOException if the kernel refuses to say
     */
    OptionalInt uid(ByteBuffer reply) throws IOException {
        reply.order(ByteOrder.nativeOrder());
        short type = reply.getShort(4);
        if (type == NLMSG_ERROR && reply.remaining() >= HEADER_BYTES + Integer.BYTES) {
            int errno = -reply.getInt(HEADER_BYTES);
            if (errno == ENOENT) {
                return OptionalInt.empty();
            }
            throw new IOException("it refuses with errno " + errno);
        }
        if (type != SOCK_DIAG_BY_FAMILY || reply.remaining() < HEADER_BYTES + MESSAGE_BYTES) {
            throw new IOException(
                    "its reply has the type %d and %d bytes".formatted(type, reply.remaining()));
        }
        ByteBuffer message = reply.slice(HEADER_BYTES, MESSAGE_BYTES);
        message.order(ByteOrder.nativeOrder());
        boolean isIt =
                address(message, 4, 8).equals(own)
                        && address(message, 6, 24).equals(peer)
                        && message.get(1) == ESTABLISHED
                        && message.getInt(68) != 0; // the inode
        return isIt ? OptionalInt.of(message.getInt(64)) : OptionalInt.empty();
    }

    /** IPv4's are also those that an IPv6 socket writes as {@code ::ffff:127.0.0.1}. */
    private static InetSocketAddress address(ByteBuffer message, int portAt, int addressAt)
            throws UnknownHostException {
        boolean isIpv6 = message.get(0) == AF_INET6;
        byte[] address = new byte[isIpv6 ? ADDRESS_BYTES : Integer.BYTES];
        message.get(addressAt, address);
        int port =
                Byte.toUnsignedInt(message.get(portAt)) << Byte.SIZE
                        | Byte.toUnsignedInt(message.get(portAt + 1));
        return new InetSocketAddress(InetAddress.getByAddress(address), port);
    }
}
