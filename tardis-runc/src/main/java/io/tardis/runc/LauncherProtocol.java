package io.tardis.runc;

import io.tardis.core.Owner;
import io.tardis.core.event.ContainerKey;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import jdk.net.ExtendedSocketOptions;

/**
 * What the native launcher and the daemon say to each other on {@code tardis.sock}. The launcher's
 * side is {@code daemon.c}.
 *
 * <pre>
 * launcher:  "TARDIS2\n"   8 bytes; another version has another number
 *            length        u32, big-endian: how many bytes follow, at most 16384
 *            kind          "create" (of restore, too), "start" or "delete"; "ping" asks only whether somebody is there
 *            namespace
 *            id
 *            root          the runtime's root, an absolute path
 *            bundle        the bundle, an absolute path; only "create" has it
 *            force         "1" or "0"; only "delete" has "1"
 * daemon:    'W' time      at work, or still at it: wait up to this many milliseconds (u32, big-endian) from now
 *            'G'           go on to the runtime
 *            'N'           leave a note of this call ({@link MissedNotes}), and go on
 * </pre>
 *
 * <p>The fields of a request are texts in UTF-8, each ended by NUL. What a kind does not have is
 * empty.
 */
final class LauncherProtocol {

    static final int MAX_LENGTH = 16 * 1024;

    private static final byte[] MAGIC = "TARDIS2\n".getBytes(StandardCharsets.US_ASCII);
    private static final int FIELDS = 6;
    private static final String PING = "ping";
    private static final int GO = 'G';
    private static final int WAIT = 'W';
    private static final int NOTE = 'N';

    /** A request that is whole, but has a field that cannot be used here. */
    static final class UnusableRequestException extends IOException {
        @java.io.Serial private static final long serialVersionUID = 1L;

        private UnusableRequestException(String message) {
            super(message);
        }
    }

    private LauncherProtocol() {}

    /** Both sides speak with their own user and root alone, also if the socket lets others in. */
    static void checkPeer(SocketChannel connection) throws IOException {
        UserPrincipal peer = connection.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
        if (!Owner.isUs(peer) && !peer.getName().equals("root")) {
            throw new IOException("it belongs to " + peer.getName() + ", who is not served here");
        }
    }

    static void writePing(DataOutputStream out) throws IOException {
        String body = String.join("\0", PING, "", "", "", "", "0", "");
        out.write(MAGIC);
        out.writeInt(body.length());
        out.writeBytes(body);
        out.flush();
    }

    /**
     * Reads a request.
     *
     * @return the call; empty for a ping
     * @throws EOFException if it breaks off
     * @throws UnusableRequestException if it is whole, but cannot be used
     * @throws IOException if there is none, or it is not one of this version
     */
    static Optional<RuncCall> readRequest(DataInputStream in) throws IOException {
        if (!Arrays.equals(read(in, MAGIC.length), MAGIC)) {
            throw new IOException("this is not a request of this version's launcher");
        }
        int length = in.readInt();
        if (length < 1 || length > MAX_LENGTH) {
            throw new IOException(
                    "a request of " + Integer.toUnsignedString(length) + " bytes is refused");
        }
        String[] fields = new String(read(in, length), StandardCharsets.UTF_8).split("\0", -1);
        if (fields.length != FIELDS + 1 || !fields[FIELDS].isEmpty()) {
            throw new UnusableRequestException("it has not " + FIELDS + " fields");
        }
        try {
            return fields[0].equals(PING) ? Optional.empty() : Optional.of(call(fields));
        } catch (IllegalArgumentException e) {
            throw new UnusableRequestException(String.valueOf(e.getMessage()));
        }
    }

    private static byte[] read(DataInputStream in, int length) throws IOException {
        byte[] bytes = in.readNBytes(length);
        if (bytes.length < length) {
            throw new EOFException("the request broke off");
        }
        return bytes;
    }

    private static RuncCall call(String[] fields) {
        ContainerKey container = new ContainerKey(fields[1], fields[2]);
        Path root = path("root", fields[3]).normalize(); // as runc does
        boolean force = fields[5].equals("1");
        if (!force && !fields[5].equals("0")) {
            throw new IllegalArgumentException("force is '" + fields[5] + "', not 0 or 1");
        }
        return switch (fields[0]) {
            case "create" -> new RuncCall.Create(container, root, path("bundle", fields[4]));
            case "start" -> new RuncCall.Start(container, root);
            case "delete" -> new RuncCall.Delete(container, root, force);
            default ->
                    throw new IllegalArgumentException(
                            "'" + fields[0] + "' is no call that is known");
        };
    }

    /** One that this JVM cannot name in its locale is refused, too. */
    private static Path path(String field, String text) {
        Path path = Path.of(text);
        if (!path.isAbsolute()) {
            throw new IllegalArgumentException("the " + field + " '" + text + "' is not absolute");
        }
        return path;
    }

    static void writeWait(DataOutputStream out, Duration time) throws IOException {
        out.writeByte(WAIT);
        out.writeInt((int) time.toMillis());
        out.flush();
    }

    /** The launcher may go on; what is not done, it notes. */
    static void writeEnd(DataOutputStream out, boolean isDone) throws IOException {
        out.writeByte(isDone ? GO : NOTE);
        out.flush();
    }

    /**
     * Reads one step of the reply.
     *
     * @return how long to wait for the next one; zero for go
     * @throws IOException if the daemon broke off or says something else
     */
    static Duration readReply(DataInputStream in) throws IOException {
        int step = in.readUnsignedByte();
        return switch (step) {
            case GO -> Duration.ZERO;
            case WAIT -> Duration.ofMillis(Math.max(1, in.readInt()));
            default -> throw new IOException("the daemon says " + step + ", which has no meaning");
        };
    }
}
