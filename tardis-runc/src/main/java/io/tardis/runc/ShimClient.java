package io.tardis.runc;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.SocketException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import jdk.net.ExtendedSocketOptions;

/** Speaks to the daemon on {@code tardis.sock}, as the native launcher does. */
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

    /** Whether a daemon answers on {@code socket} now. */
    public static boolean isAnswered(Path socket) {
        return ask(socket, LauncherProtocol::writePing);
    }

    /**
     * Hands a call to the daemon and waits until it says go.
     *
     * @return whether the daemon said go; another user who listens there is sent nothing
     */
    public static boolean call(Path socket, RuncCall call) {
        return ask(socket, out -> LauncherProtocol.writeCall(out, call));
    }

    private interface Request {
        void write(DataOutputStream out) throws IOException;
    }

    private static boolean ask(Path socket, Request request) {
        // A blocking channel has no timeout: the call runs in a thread of its own, and closing the
        // channel ends it.
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            checkServer(channel);
            DataInputStream in = new DataInputStream(Channels.newInputStream(channel));
            request.write(
                    new DataOutputStream(
                            new BufferedOutputStream(Channels.newOutputStream(channel))));
            Duration wait = FIRST_REPLY;
            while (!wait.isZero()) {
                wait = within(wait, in);
            }
            return true;
        } catch (IOException | IllegalArgumentException e) {
            return false;
        }
    }

    /** As the launcher does: another user who listens there is neither sent a call nor believed. */
    private static void checkServer(SocketChannel channel) throws IOException {
        String server = channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user().getName();
        if (!server.equals("root") && !server.equals(System.getProperty("user.name"))) {
            throw new ConnectException("the socket is served by " + server);
        }
    }

    private static Duration within(Duration wait, DataInputStream in) throws IOException {
        FutureTask<Duration> reply = new FutureTask<>(() -> LauncherProtocol.readReply(in));
        Thread reader = Thread.ofPlatform().daemon().name("tardis-runc-reply").start(reply);
        try {
            return reply.get(wait.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new SocketException("no reply within " + wait.toMillis() + " ms");
        } catch (ExecutionException e) {
            throw new ConnectException("the daemon broke off: " + e.getCause());
        } catch (InterruptedException e) {
            reader.interrupt();
            Thread.currentThread().interrupt();
            throw new ConnectException("interrupted");
        }
    }
}
