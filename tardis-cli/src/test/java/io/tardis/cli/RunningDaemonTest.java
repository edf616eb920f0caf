package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.AnnotatedElementContext;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.io.TempDirFactory;

class RunningDaemonTest {

    @TempDir private Path directory;

    /** With a short name: that of a socket has at most 107 bytes, and holds two. */
    @TempDir(factory = ShortName.class)
    private Path place;

    static final class ShortName implements TempDirFactory {
        @Override
        public Path createTempDirectory(AnnotatedElementContext element, ExtensionContext context)
                throws IOException {
            return Files.createTempDirectory(Path.of("/tmp"), "");
        }
    }

    /** Any user can bind a socket to such a name, and give it the number of a socket of theirs. */
    @Test
    void aRowThatSomebodyHasForgedMakesNobodyTheDaemon() throws IOException {
        Tardis tardis = new Tardis(directory);
        tardis.set("TARDIS_RUN_DIR", place.resolve("run").toString());
        Path socket = tardis.environment().settings().socket();
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                ServerSocketChannel forger = listener(forged(inode(other), socket))) {
            assertThat(ListeningSockets.unix()).containsValue(socket);

            assertThat(RunningDaemon.find(tardis.environment().settings())).isEmpty();

            assertThat(forger.isOpen()).isTrue();
        }
    }

    private Path forged(long inode, Path socket) {
        return Path.of(place + "/\n0: 2 0 10000 1 1 " + inode + " " + socket);
    }

    private static ServerSocketChannel listener(Path path) throws IOException {
        Files.createDirectories(Objects.requireNonNull(path.getParent()));
        ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        return channel.bind(UnixDomainSocketAddress.of(path));
    }

    private static long inode(ServerSocket socket) throws IOException {
        return ListeningSockets.onPort(socket.getLocalPort()).iterator().next();
    }
}
