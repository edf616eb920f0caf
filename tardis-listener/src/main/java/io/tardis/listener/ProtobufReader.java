package io.tardis.listener;

import io.tardis.core.event.TaskExit;
import java.net.ProtocolException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Reads the fields of one protobuf message in their order. A field is a tag, {@code number << 3 |
 * type}, and a value:
 *
 * <pre>
 * type 0   a varint: 7 bits a byte, the lowest first; the highest bit says that another byte comes
 * type 1   8 bytes
 * type 2   a length as a varint, and as many bytes: a text, or another message
 * type 5   4 bytes
 * </pre>
 *
 * Fields that have their zero value are not sent. The caller passes over fields that it does not
 * know. Memory is bounded by the message.
 */
final class ProtobufReader {

    private static final int TYPE_BITS = 3;
    private static final int MAX_VARINT_BITS = 70;

    private final ByteBuffer in;
    private int field;
    private boolean isNumber;
    private long number;
    private ByteBuffer bytes = ByteBuffer.allocate(0);

    /** Reads {@code message} from its position to its limit. */
    ProtobufReader(ByteBuffer message) {
        this.in = message.slice();
    }

    /**
     * Reads the next field.
     *
     * @return false if there is none
     * @throws ProtocolException if the message is malformed
     */
    boolean next() throws ProtocolException {
        if (!in.hasRemaining()) {
            return false;
        }
        long tag = varint();
        if (tag >>> TYPE_BITS == 0 || tag < 0 || tag > TaskExit.MAX_UINT32) {
            throw new ProtocolException("a field has no number");
        }
        field = (int) (tag >>> TYPE_BITS);
        int type = (int) tag & 7;
        isNumber = type == 0;
        switch (type) {
            case 0 -> number = varint();
            case 1 -> bytes = take(Long.BYTES);
            case 2 -> bytes = take(varint());
            case 5 -> bytes = take(Integer.BYTES);
            default -> throw new ProtocolException("a field has the unknown type " + type);
        }
        return true;
    }

    /** The number of the field that was read last. */
    int field() {
        return field;
    }

    /** Its value, a signed number. */
    long number() throws ProtocolException {
        if (!isNumber) {
            throw new ProtocolException("field " + field + " is not a number");
        }
        return number;
    }

    /** Its value, a number of containerd's type {@code uint32}. */
    long uint32() throws ProtocolException {
        if (number() < 0 || number > TaskExit.MAX_UINT32) {
            throw new ProtocolException("field " + field + " is out of range");
        }
        return number;
    }

    /** Its value, bytes or another message. */
    ByteBuffer bytes() throws ProtocolException {
        if (isNumber) {
            throw new ProtocolException("field " + field + " is a number");
        }
        return bytes;
    }

    /** Its value, a text. */
    String text() throws ProtocolException {
        return StandardCharsets.UTF_8.decode(bytes().duplicate()).toString();
    }

    private long varint() throws ProtocolException {
        long value = 0;
        for (int shift = 0; shift < MAX_VARINT_BITS && in.hasRemaining(); shift += 7) {
            byte next = in.get();
            value |= (next & 0x7FL) << shift;
            if (next >= 0) {
                return value;
            }
        }
        throw new ProtocolException("a number does not end");
    }

    private ByteBuffer take(long length) throws ProtocolException {
        if (length < 0 || length > in.remaining()) {
            throw new ProtocolException("a field is longer than its message");
        }
        ByteBuffer taken = in.slice(in.position(), (int) length);
        in.position(in.position() + (int) length);
        return taken;
    }
}
