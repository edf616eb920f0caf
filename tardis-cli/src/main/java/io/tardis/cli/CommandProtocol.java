package io.tardis.cli;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What the native {@code tardis} and the daemon say to each other on {@code client.sock}. The
 * client's side is {@code request.c} and {@code call.c}.
 *
 * <pre>
 * client:  "TARDISC1"   8 bytes; another version has another number
 *          length       u32, big-endian: how many bytes follow, at most 131072
 *          version      the client's; a daemon of another one does not run its command
 *          facts        'i', 'o', 'e' where standard input, output, error are a terminal, 'u' where
 *                       the locale is UTF-8; '-' where they are not
 *          count        how many arguments follow, in decimal
 *          arguments
 *          variables    NAME=VALUE; those that are left
 * then:    'G'          standard output cannot be written: nothing more is wanted
 *          'L'          asks whether the daemon is still at work
 *
 * daemon:  type         u8
 *          length       u24, big-endian: how many bytes follow, at most 65536
 *          payload
 * </pre>
 *
 * The texts of a request are in UTF-8, each ended by NUL. These are the frames:
 *
 * <pre>
 * 'A'      somebody listens; the first one, before the request is read
 * 'O' 'E'  bytes for standard output and standard error
 * 'L'      still at work
 * 'P'      u64, big-endian: all exits up to this number are printed ({@code tardis watch})
 * 'X'      u8: the exit status; the last one
 * 'J'      the command is to run in a JVM of its own; the last one, and nothing was printed
 * 'B'      why the daemon runs no command now, a text; the last one, and nothing was printed
 * </pre>
 *
 * <p>The end of the connection before the last frame ends the command, whichever side it comes
 * from.
 */
final class CommandProtocol {

    static final int MAX_REQUEST = 128 * 1024;

    static final byte ACCEPTED = 'A';
    static final byte OUT = 'O';
    static final byte ERR = 'E';
    static final byte ALIVE = 'L';
    static final byte POSITION = 'P';
    static final byte EXIT = 'X';
    static final byte JVM = 'J';
    static final byte BUSY = 'B';

    /** What a client says after its request. */
    static final byte UNWANTED = 'G';

    static final int HEAD = 4;

    private static final byte[] MAGIC = "TARDISC1".getBytes(StandardCharsets.US_ASCII);
    private static final int FIXED_FIELDS = 3;

    /**
     * A command line, and what the daemon cannot see of the client.
     *
     * @param isTerminal whether both standard input and standard output are one
     * @param isUtf8 whether the client's locale is UTF-8
     */
    record Request(
            String version,
            boolean isTerminal,
            boolean isUtf8,
            List<String> arguments,
            Map<String, String> variables) {

        Request {
            arguments = List.copyOf(arguments);
            variables = Map.copyOf(variables);
        }
    }

    private CommandProtocol() {}

    /**
     * Reads how long the request is that follows.
     *
     * @throws EOFException if it breaks off
     * @throws IOException if there is none, it is not one of this version, or it is too long
     */
    static int readLength(ReadableByteChannel in) throws IOException {
        ByteBuffer head = read(in, MAGIC.length + Integer.BYTES);
        byte[] magic = new byte[MAGIC.length];
        head.get(magic);
        if (!Arrays.equals(magic, MAGIC)) {
            throw new IOException("this is not a request of this version's tardis");
        }
        int length = head.getInt();
        if (length < 1 || length > MAX_REQUEST) {
            throw new IOException(
                    "a request of " + Integer.toUnsignedString(length) + " bytes is refused");
        }
        return length;
    }

    /**
     * Reads the request itself.
     *
     * @throws EOFException if it breaks off
     * @throws IOException if it cannot be understood
     */
    static Request readRequest(ReadableByteChannel in, int length) throws IOException {
        String text = new String(read(in, length).array(), StandardCharsets.UTF_8);
        if (!text.endsWith("\0")) {
            throw new IOException("the last text of a request does not end");
        }
        String[] fields = text.substring(0, text.length() - 1).split("\0", -1);
        int count = fields.length < FIXED_FIELDS ? -1 : count(fields[2]);
        if (count < 0 || count > fields.length - FIXED_FIELDS) {
            throw new IOException("a request has not as many texts as it says");
        }
        List<String> rest = Arrays.asList(fields).subList(FIXED_FIELDS, fields.length);
        Map<String, String> variables = new HashMap<>();
        for (String variable : rest.subList(count, rest.size())) {
            int equals = variable.indexOf('=');
            if (equals < 1) {
                throw new IOException("a variable of a request has no name");
            }
            variables.putIfAbsent(variable.substring(0, equals), variable.substring(equals + 1));
        }
        String facts = fields[1];
        return new Request(
                fields[0],
                facts.contains("i") && facts.contains("o"),
                facts.contains("u"),
                rest.subList(0, count),
                variables);
    }

    private static int count(String text) {
        return text.matches("[0-9]{1,6}") ? Integer.parseInt(text) : -1;
    }

    private static ByteBuffer read(ReadableByteChannel in, int length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(length);
        while (bytes.hasRemaining()) {
            if (in.read(bytes) < 0) {
                throw new EOFException("the request broke off");
            }
        }
        return bytes.flip();
    }

    /** The head of a frame. */
    static void putHead(ByteBuffer frame, byte type, int length) {
        frame.putInt(type << 24 | length);
    }
}
