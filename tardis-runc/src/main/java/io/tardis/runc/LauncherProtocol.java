package io.tardis.runc;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What the native launcher and the daemon say to each other on {@code tardis.sock}. The same is
 * written in {@code tardis-runc.c}.
 *
 * <pre>
 * launcher:  "TARDIS1\n"   8 bytes; another version has another number
 *            length        u32, big-endian: how many bytes follow, at most 65536
 *            directory     the current directory, ended by NUL
 *            argument      each argument of runc, ended by NUL; none at all asks only whether somebody is there
 * daemon:    'W' time      at work, or still at it: wait up to this many milliseconds (u32, big-endian) from now
 *            'G'           go on to the runtime
 *            'N'           leave a note of this call ({@link MissedNotes}), and go on
 * </pre>
 */
final class LauncherProtocol {

    static final int MAX_LENGTH = 64 * 1024;

    private static final byte[] MAGIC = "TARDIS1\n".getBytes(StandardCharsets.US_ASCII);
    private static final int GO = 'G';
    private static final int WAIT = 'W';
    private static final int NOTE = 'N';

    /**
     * A request.
     *
     * @param directory the launcher's current directory
     * @param arguments runc's arguments, without the program itself
     */
    record Request(Path directory, List<String> arguments) {
        Request {
            arguments = List.copyOf(arguments);
        }
    }

    /** A request that is whole, and names what this JVM has no name for. */
    static final class UnusableTextException extends IOException {
        @java.io.Serial private static final long serialVersionUID = 1L;

        private UnusableTextException(String message, Exception cause) {
            super(message, cause);
        }
    }

    private LauncherProtocol() {}

    static void writeRequest(DataOutputStream out, Request request) throws IOException {
        StringBuilder text = new StringBuilder(request.directory().toString()).append('\0');
        request.arguments().forEach(argument -> text.append(argument).append('\0'));
        byte[] body = text.toString().getBytes(StandardCharsets.UTF_8);
        if (body.length > MAX_LENGTH) {
            throw new IOException(
                    "a command line of " + body.length + " bytes is too long for the daemon");
        }
        out.write(MAGIC);
        out.writeInt(body.length);
        out.write(body);
        out.flush();
    }

    /**
     * Reads a request.
     *
     * @throws EOFException if it breaks off
     * @throws UnusableTextException if it is whole, but has a path that cannot be used here
     * @throws IOException if there is none, or it is not one of this version
     */
    static Request readRequest(DataInputStream in) throws IOException {
        byte[] magic = in.readNBytes(MAGIC.length);
        if (magic.length < MAGIC.length
                && Arrays.equals(magic, 0, magic.length, MAGIC, 0, magic.length)) {
            throw new EOFException("the request broke off");
        }
        if (!Arrays.equals(magic, MAGIC)) {
            throw new IOException("this is not a request of this version's launcher");
        }
        int length = in.readInt();
        if (length < 1 || length > MAX_LENGTH) {
            throw new IOException(
                    "a request of " + Integer.toUnsignedString(length) + " bytes is refused");
        }
        byte[] body = in.readNBytes(length);
        if (body.length < length) {
            throw new EOFException("the request broke off");
        }
        List<String> texts = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < length; i++) {
            if (body[i] == 0) {
                texts.add(new String(body, start, i - start, StandardCharsets.UTF_8));
                start = i + 1;
            }
        }
        if (start != length) {
            throw new IOException("the last text of the request has no end");
        }
        try {
            return new Request(Path.of(texts.getFirst()), texts.subList(1, texts.size()));
        } catch (InvalidPathException e) {
            throw new UnusableTextException(
                    "the directory '%s' is no path in this locale (%s)"
                            .formatted(texts.getFirst(), System.getProperty("sun.jnu.encoding")),
                    e);
        }
    }

    static void writeWait(DataOutputStream out, Duration time) throws IOException {
        out.writeByte(WAIT);
        out.writeInt((int) time.toMillis());
        out.flush();
    }

    static void writeNote(DataOutputStream out) throws IOException {
        out.writeByte(NOTE);
        out.flush();
    }

    static void writeGo(DataOutputStream out) throws IOException {
        out.writeByte(GO);
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
