package io.tardis.listener;

import io.tardis.core.event.Rfc3339;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.ProtocolException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Optional;

/**
 * Two calls of a containerd shim's task service as bytes. A message of ttrpc is a frame
 * (containerd/ttrpc, {@code PROTOCOL.md}; numbers are big-endian) with a protobuf message in it:
 *
 * <pre>
 * length 4   of the data
 * stream 4   odd, another one for each call
 * type   1   1: request, 2: response
 * flags  1   0
 * data       request:  1 service, 2 method, 3 payload
 *            response: 1 status {1 code, 2 message}, 2 payload
 *
 * State, Wait       {1 container id}
 * answer to State   {1 id, 3 pid, 4 status (3: stopped), 9 exit status, 10 exited at}
 * answer to Wait    {1 exit status, 2 exited at}
 * a time            {1 seconds, 2 nanoseconds}
 * </pre>
 *
 * Zero values are not sent, so an exit status that is not there is 0. An answer with an error, or
 * without the time of the exit, has none.
 */
final class ShimProtocol {

    /** The streams of the two calls. */
    static final int STATE = 1;

    static final int WAIT = 3;

    static final int HEADER = 10;

    /** The longest data that is taken from a shim. Its real answers have some 300 bytes. */
    static final int MAX_DATA = 64 * 1024;

    private static final byte REQUEST = 1;
    private static final byte RESPONSE = 2;
    private static final int STOPPED = 3;
    private static final int MAX_MESSAGE = 200;
    private static final long MAX_NANOS = 999_999_999;

    /** How a process ended: an unsigned 32-bit number, and when. */
    record Exit(long status, Instant at) {}

    /**
     * An answer to {@code State}.
     *
     * @param pid 0 if the shim does not know it
     * @param exit only counts if it is stopped; empty if the shim does not know it
     */
    record State(String id, long pid, boolean isStopped, Optional<Exit> exit) {}

    /** A frame from a shim. */
    record Frame(int stream, ByteBuffer data) {}

    private ShimProtocol() {}

    /** The frame that asks for the state of {@code container}. */
    static byte[] state(String service, String container) {
        return request(STATE, service, "State", container);
    }

    /** The frame that asks for the end of {@code container}; it is answered then. */
    static byte[] await(String service, String container) {
        return request(WAIT, service, "Wait", container);
    }

    private static byte[] request(int stream, String service, String method, String container) {
        byte[] payload = field(1, container.getBytes(StandardCharsets.UTF_8));
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        data.writeBytes(field(1, service.getBytes(StandardCharsets.UTF_8)));
        data.writeBytes(field(2, method.getBytes(StandardCharsets.UTF_8)));
        data.writeBytes(field(3, payload));
        return ByteBuffer.allocate(HEADER + data.size())
                .putInt(data.size())
                .putInt(stream)
                .put(REQUEST)
                .put((byte) 0)
                .put(data.toByteArray())
                .array();
    }

    /** All are shorter than 128 bytes, so the length takes one. */
    private static byte[] field(int number, byte[] bytes) {
        return ByteBuffer.allocate(2 + bytes.length)
                .put((byte) (number << 3 | 2))
                .put((byte) bytes.length)
                .put(bytes)
                .array();
    }

    /** The length of the frame that begins at the position of {@code in}; 0 if not known yet. */
    static int frameLength(ByteBuffer in) throws ProtocolException {
        if (in.remaining() < HEADER) {
            return 0;
        }
        int length = in.getInt(in.position());
        if (length < 0 || length > MAX_DATA) {
            throw new ProtocolException("a frame is too long: " + Integer.toUnsignedLong(length));
        }
        return HEADER + length;
    }

    /** Takes the frame of {@code length} bytes, which {@code in} has as a whole. */
    static Frame frame(ByteBuffer in, int length) throws ProtocolException {
        ByteBuffer frame = in.slice(in.position(), length);
        in.position(in.position() + length);
        int stream = frame.position(Integer.BYTES).getInt();
        if (frame.get() != RESPONSE) {
            throw new ProtocolException("a frame is no response");
        }
        frame.get();
        return new Frame(stream, frame);
    }

    /**
     * The payload of a response.
     *
     * @throws IOException if the shim answers with an error
     */
    static ByteBuffer payload(ByteBuffer response) throws IOException {
        ByteBuffer payload = ByteBuffer.allocate(0);
        for (ProtobufReader in = new ProtobufReader(response); in.next(); ) {
            switch (in.field()) {
                case 1 -> checkStatus(in.bytes());
                case 2 -> payload = in.bytes();
                default -> {}
            }
        }
        return payload;
    }

    private static void checkStatus(ByteBuffer status) throws IOException {
        long code = 0;
        String message = "";
        for (ProtobufReader in = new ProtobufReader(status); in.next(); ) {
            switch (in.field()) {
                case 1 -> code = in.number();
                case 2 -> message = in.text();
                default -> {}
            }
        }
        if (code != 0) {
            String shown = message.substring(0, Math.min(message.length(), MAX_MESSAGE));
            throw new IOException("error " + code + ", " + shown.replaceAll("\\p{Cntrl}", "?"));
        }
    }

    static State decodeState(ByteBuffer payload) throws ProtocolException {
        String id = "";
        long pid = 0;
        long status = 0;
        long exitStatus = 0;
        Instant exitedAt = Instant.EPOCH;
        for (ProtobufReader in = new ProtobufReader(payload); in.next(); ) {
            switch (in.field()) {
                case 1 -> id = in.text();
                case 3 -> pid = in.uint32();
                case 4 -> status = in.number();
                case 9 -> exitStatus = in.uint32();
                case 10 -> exitedAt = time(in.bytes());
                default -> {}
            }
        }
        return new State(id, pid, status == STOPPED, exit(exitStatus, exitedAt));
    }

    static Optional<Exit> decodeWait(ByteBuffer payload) throws ProtocolException {
        long exitStatus = 0;
        Instant exitedAt = Instant.EPOCH;
        for (ProtobufReader in = new ProtobufReader(payload); in.next(); ) {
            switch (in.field()) {
                case 1 -> exitStatus = in.uint32();
                case 2 -> exitedAt = time(in.bytes());
                default -> {}
            }
        }
        return exit(exitStatus, exitedAt);
    }

    /**
     * A shim sets both at once. One that deleted a task without having seen its end sends the
     * status 0 and Go's zero time, which is in the year 1.
     */
    private static Optional<Exit> exit(long status, Instant at) {
        return at.isAfter(Instant.EPOCH) ? Optional.of(new Exit(status, at)) : Optional.empty();
    }

    private static Instant time(ByteBuffer timestamp) throws ProtocolException {
        long seconds = 0;
        long nanos = 0;
        for (ProtobufReader in = new ProtobufReader(timestamp); in.next(); ) {
            switch (in.field()) {
                case 1 -> seconds = in.number();
                case 2 -> nanos = in.number();
                default -> {}
            }
        }
        try {
            if (nanos < 0 || nanos > MAX_NANOS) {
                throw new DateTimeException("more than a second");
            }
            return Rfc3339.inRange(Instant.ofEpochSecond(seconds, nanos));
        } catch (DateTimeException _) {
            throw new ProtocolException("a time is out of range");
        }
    }
}
