package io.tardis.runc;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Looks for a daemon on {@code tardis.sock}. */
public final class ShimClient {

    private static final Duration FIRST_REPLY = Duration.ofMillis(500);

    private ShimClient() {}

    /** Whether a daemon accepts connections on {@code socket}. */
    public static boolean isServed(Path socket) {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            return channel.isConnected();
        } catch (IOException | IllegalArgumentException e) {
            return false;
        }
    }

    /**
     * Whether a daemon answers on {@code socket} now. Another user who listens there is sent
     * nothing.
     */
    public static boolean isAnswered(Path socket) {
        // A blocking channel has no timeout: each reply is read in a thread of its own, and closing
        // the channel ends it.
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            LauncherProtocol.checkPeer(channel); // nobody else is asked, or believed
            DataInputStream in = new DataInputStream(Channels.newInputStream(channel));
            LauncherProtocol.writePing(
                    new DataOutputStream(
                            new BufferedOutputStream(Channels.newOutputStream(channel))));
            Duration wait = FIRST_REPLY;
            while (!wait.isZero()) {
                FutureTask<Duration> reply = new FutureTask<>(() -> LauncherProtocol.readReply(in));
                Thread.ofPlatform().daemon().name("tardis-runc-reply").start(reply);
                wait = reply.get(wait.toMillis(), TimeUnit.MILLISECONDS);
            }
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } catch (IOException | IllegalArgumentException | ExecutionException | TimeoutException e) {
            return false;
        }
    }
}
