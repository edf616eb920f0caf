package io.tardis.listener;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** A containerd shim's socket; the test itself says what it answers. */
final class FakeShim implements AutoCloseable {

    static final int RUNNING = 2;
    static final int STOPPED = 3;

    private static final int BACKLOG = 1_024;

    private final Path socket;
    private final ServerSocketChannel server =
            ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    private final List<Connection> accepted = new ArrayList<>();

    FakeShim(Path socket) throws IOException {
        this(socket, BACKLOG);
    }

    FakeShim(Path socket, int backlog) throws IOException {
        this.socket = socket;
        server.bind(UnixDomainSocketAddress.of(socket), backlog);
    }

    /** Makes a bundle with this shim's address, as containerd 1.6 does. */
    Path bundle(Path bundle) throws IOException {
        Files.createDirectories(bundle);
        Files.writeString(bundle.resolve("address"), "unix://" + socket);
        return bundle;
    }

    Connection accept() throws IOException {
        Connection connection = new Connection(server.accept());
        accepted.add(connection);
        return connection;
    }

    /** Accepts, and takes both requests. */
    Connection acceptAsked() throws IOException {
        Connection connection = accept();
        connection.request();
        connection.request();
        return connection;
    }

    @Override
    public void close() throws IOException {
        for (Connection each : accepted) {
            each.close();
        }
        server.close();
        Files.deleteIfExists(socket);
    }

    /** A request as its fields, which are all texts but the payload: that has one text. */
    record Request(int stream, String service, String method, String id) {}

    record Connection(SocketChannel channel) implements AutoCloseable {

        Request request() throws IOException {
            ByteBuffer header = read(ShimProtocol.HEADER);
            int length = header.getInt();
            int stream = header.getInt();
            String service = "";
            String method = "";
            String id = "";
            for (ProtobufReader in = new ProtobufReader(read(length)); in.next(); ) {
                switch (in.field()) {
                    case 1 -> service = in.text();
                    case 2 -> method = in.text();
                    case 3 -> {
                        ProtobufReader payload = new ProtobufReader(in.bytes());
                        payload.next();
                        id = payload.text();
                    }
                    default -> throw new IOException("unexpected field " + in.field());
                }
            }
            return new Request(stream, service, method, id);
        }

        private ByteBuffer read(int length) throws IOException {
            ByteBuffer bytes = ByteBuffer.allocate(length);
            while (bytes.hasRemaining()) {
                if (channel.read(bytes) < 0) {
                    throw new EOFException();
                }
            }
            return bytes.flip();
        }

        /** Waits until the other side has closed the connection. */
        void awaitEnd() throws IOException {
            try {
                while (channel.read(ByteBuffer.allocate(1_024)) >= 0) {
                    // what it still had sent
                }
            } catch (SocketException _) {
                return; // it ended with bytes that it had not read
            }
        }

        Connection write(byte[] bytes) throws IOException {
            ByteBuffer rest = ByteBuffer.wrap(bytes);
            while (rest.hasRemaining()) {
                channel.write(rest);
            }
            return this;
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    // Answers as frames.

    static byte[] running(String id, long pid) {
        return state(id, pid, RUNNING, 0, Instant.EPOCH);
    }

    /** Where {@code at} is the epoch, there is no time. */
    static byte[] state(String id, long pid, int status, long exitStatus, Instant at) {
        return response(
                ShimProtocol.STATE,
                join(
                        field(1, id.getBytes(StandardCharsets.UTF_8)),
                        field(2, "/bundle".getBytes(StandardCharsets.UTF_8)),
                        field(3, pid),
                        field(4, status),
                        field(9, exitStatus),
                        time(10, at)));
    }

    static byte[] ended(long exitStatus, Instant at) {
        return response(ShimProtocol.WAIT, join(field(1, exitStatus), time(2, at)));
    }

    static byte[] error(int stream, int code, String message) {
        return frame(
                stream,
                field(1, join(field(1, code), field(2, message.getBytes(StandardCharsets.UTF_8)))));
    }

    static byte[] response(int stream, byte[] payload) {
        return frame(stream, field(2, payload));
    }

    static byte[] frame(int stream, byte[] data) {
        return ByteBuffer.allocate(ShimProtocol.HEADER + data.length)
                .putInt(data.length)
                .putInt(stream)
                .put((byte) 2)
                .put((byte) 0)
                .put(data)
                .array();
    }

    static byte[] time(int number, Instant at) {
        return at.equals(Instant.EPOCH)
                ? new byte[0]
                : field(number, join(field(1, at.getEpochSecond()), field(2, at.getNano())));
    }

    /** Nothing for zero, as protobuf does. */
    static byte[] field(int number, long value) {
        return value == 0 ? new byte[0] : join(varint(number << 3), varint(value));
    }

    static byte[] field(int number, byte[] bytes) {
        return join(varint(number << 3 | 2), varint(bytes.length), bytes);
    }

    static byte[] varint(long value) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        long rest = value;
        for (; (rest & ~0x7FL) != 0; rest >>>= 7) {
            out.write((int) ((rest & 0x7F) | 0x80));
        }
        out.write((int) rest);
        return out.toByteArray();
    }

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }
}
