package io.tardis.testkit;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Calls the daemon on {@code tardis.sock} as the native launcher does. {@code LauncherProtocol} of
 * tardis-runc has the format; the fields of a call are kind, namespace, id, root, bundle and force.
 */
public final class FakeLauncher {

    private static final byte[] MAGIC = "TARDIS2\n".getBytes(StandardCharsets.US_ASCII);
    private static final int FIRST_REPLY_MILLIS = 500;

    private FakeLauncher() {}

    /** The bytes of a call, or of any other request. */
    public static byte[] request(String... fields) {
        byte[] body = (String.join("\0", fields) + '\0').getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(MAGIC.length + Integer.BYTES + body.length)
                .put(MAGIC)
                .putInt(body.length)
                .put(body)
                .array();
    }

    /**
     * Hands a call to the daemon, and waits for the end of its reply.
     *
     * @return whether the daemon answered go, each step in time
     */
    public static boolean call(Path socket, String... fields) {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            channel.write(ByteBuffer.wrap(request(fields)));
            DataInputStream in = new DataInputStream(Channels.newInputStream(channel));
            int millis = FIRST_REPLY_MILLIS;
            while (millis > 0) {
                // Nothing else ends the reading of a blocking channel in time but its closing.
                FutureTask<Integer> reply = new FutureTask<>(() -> readReply(in));
                Thread.ofPlatform().daemon().start(reply);
                millis = reply.get(millis, TimeUnit.MILLISECONDS);
            }
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } catch (IOException | ExecutionException | TimeoutException e) {
            return false;
        }
    }

    /** How long to wait for the next step of the reply, in milliseconds; 0 for go. */
    private static int readReply(DataInputStream in) throws IOException {
        int step = in.readUnsignedByte();
        return switch (step) {
            case 'G' -> 0;
            case 'W' -> Math.max(1, in.readInt());
            default -> throw new IOException("the daemon answered " + step + ", not go");
        };
    }
}
