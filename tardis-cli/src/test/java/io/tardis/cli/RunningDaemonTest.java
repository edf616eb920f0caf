package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunningDaemonTest {

    @TempDir private Path directory;
    private Path place; // with a short name: that of a socket has at most 107 bytes, and holds two

    @BeforeEach
    void makePlace() throws IOException {
        place = Files.createTempDirectory(Path.of("/tmp"), "");
    }

    @AfterEach
    void removePlace() throws IOException {
        Files.walkFileTree(
                place,
                new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                            throws IOException {
                        Files.delete(file);
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult postVisitDirectory(Path path, IOException failure)
                            throws IOException {
                        Files.delete(path);
                        return FileVisitResult.CONTINUE;
                    }
                });
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
