package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The native command, with a daemon that says what a test wants; its JVM is a script. */
@Timeout(120)
class NativeClientTest {

    private static final Path BUILT = Path.of("target/native/tardis").toAbsolutePath();

    private record Result(int status, String out, String err) {}

    private interface Daemon {
        void serve(SocketChannel client) throws IOException;
    }

    @TempDir private Path directory;
    private ServerSocketChannel server;
    private Path program;

    @BeforeEach
    void install() throws IOException {
        program = Files.createDirectories(directory.resolve("home/bin")).resolve("tardis");
        Files.copy(BUILT, program);
        Path script = Files.createDirectory(directory.resolve("home/lib")).resolve("tardis-jvm");
        Files.writeString(script, "#!/bin/sh\necho \"JVM $*\"\nexit 7\n");
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(directory.resolve("tardis.env"), "");
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(directory.resolve("client.sock")));
    }

    @AfterEach
    void close() throws IOException {
        server.close();
    }

    private Result run(Daemon daemon, String... command) throws Exception {
        Path out = directory.resolve("out");
        Path err = directory.resolve("err");
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().keySet().removeIf(it -> it.startsWith("TARDIS_"));
        builder.environment()
                .putAll(
                        Map.of(
                                "TARDIS_CONFIG", directory.resolve("tardis.env").toString(),
                                "TARDIS_RUN_DIR", directory.toString()));
        Process process =
                builder.redirectOutput(out.toFile())
                        .redirectError(err.toFile())
                        .redirectInput(Path.of("/dev/null").toFile())
                        .start();
        Thread serving =
                Thread.ofPlatform()
                        .daemon()
                        .start(() -> {
                            try (SocketChannel client = server.accept()) {
                                daemon.serve(client);
                            } catch (IOException _) {
                                // the client has gone
                            }
                            try (SocketChannel again = server.accept()) {
                                send(again, "J");
                            } catch (IOException _) {
                                // it did not come again
                            }
                        });
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        server.close();
        serving.join();
        return new Result(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    private Result get(Daemon daemon) throws Exception {
        return run(daemon, program.toString(), "get", "tc");
    }

    private static void send(SocketChannel client, String type, byte... payload)
            throws IOException {
        ByteBuffer frame = ByteBuffer.allocate(4 + payload.length);
        CommandProtocol.putHead(frame, (byte) type.charAt(0), payload.length);
        client.write(frame.put(payload).flip());
    }

    private static CommandProtocol.Request request(SocketChannel client) throws IOException {
        send(client, "A");
        return CommandProtocol.readRequest(client, CommandProtocol.readLength(client));
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void printsWhatTheDaemonSendsAndEndsWithItsStatus() throws Exception {
        CommandProtocol.Request[] got = new CommandProtocol.Request[1];

        Result result =
                get(client -> {
                    got[0] = request(client);
                    send(client, "O", text("one\n"));
                    send(client, "E", text("two\n"));
                    send(client, "X", (byte) 3);
                });

        assertThat(result).isEqualTo(new Result(3, "one\n", "two\n"));
        assertThat(got[0].arguments()).containsExactly("get", "tc");
        assertThat(got[0].version()).isEqualTo(Version.text());
        assertThat(got[0].isTerminal()).isFalse();
        assertThat(got[0].variables()).containsKeys("TARDIS_CONFIG", "TARDIS_RUN_DIR");
    }

    @Test
    void becomesAJvmWhereTheDaemonDoesNotRunTheCommand() throws Exception {
        assertThat(get(client -> send(client, "J"))).isEqualTo(new Result(7, "JVM get tc\n", ""));
    }

    @Test
    void becomesAJvmWhereTheDaemonBreaksOffOrIsAnother() throws Exception {
        assertThat(get(client -> {})).isEqualTo(new Result(7, "JVM get tc\n", ""));
        assertThat(get(_ -> {}).out()).as("nobody listens").isEqualTo("JVM get tc\n");
    }

    @Test
    void becomesAJvmWhereTheDaemonIsSilent() throws Exception {
        Result result =
                get(client -> {
                    ByteBuffer any = ByteBuffer.allocate(4096);
                    while (client.read(any) >= 0) {
                        any.clear();
                    }
                });

        assertThat(result).isEqualTo(new Result(7, "JVM get tc\n", ""));
    }

    @Test
    void saysThatItIsBusy() throws Exception {
        assertThat(get(client -> send(client, "B", text("the daemon is busy"))))
                .isEqualTo(new Result(1, "", "tardis: the daemon is busy\n"));
    }

    @Test
    void doesNotPrintTwiceWhereTheDaemonBreaksOffLate() throws Exception {
        Result result =
                get(client -> {
                    request(client);
                    send(client, "O", text("one\n"));
                });

        assertThat(result.status()).isEqualTo(ExitStatus.NOT_KNOWN);
        assertThat(result.out()).isEqualTo("one\n");
        assertThat(result.err()).contains("the daemon broke off");
    }

    @Test
    void aWatchGoesOnWithTheNextDaemonOrInAJvm() throws Exception {
        Result result =
                get(client -> {
                    request(client);
                    send(client, "O", text("one\n"));
                    send(
                            client,
                            "P",
                            ByteBuffer.allocate(8).putLong(1_732_330_000_123_001L).array());
                });

        assertThat(result.out()).isEqualTo("one\nJVM get tc --after 1732330000123001\n");
    }

    @Test
    void saysThatItsOutputCannotBeWritten() throws Exception {
        Result result =
                run(
                        client -> {
                            request(client);
                            send(client, "O", text("one\n"));
                            ByteBuffer said = ByteBuffer.allocate(1);
                            client.read(said); // that nothing more is wanted
                            send(client, "X", (byte) (said.get(0) == 'G' ? 0 : 9));
                        },
                        "sh",
                        "-c",
                        program + " get tc >/dev/full");

        assertThat(result.status()).isEqualTo(ExitStatus.FAILED);
        assertThat(result.err())
                .isEqualTo("tardis: standard output cannot be written: No space left on device\n");
    }

    @Test
    void noticesWithoutOutputThatItsReaderHasGone() throws Exception {
        Result result =
                run(
                        client -> {
                            request(client);
                            ByteBuffer said = ByteBuffer.allocate(1);
                            client.read(said);
                            send(client, "X", (byte) (said.get(0) == 'G' ? 141 : 9));
                        },
                        "bash",
                        "-c",
                        program + " get tc | :; exit ${PIPESTATUS[0]}");

        assertThat(result.status()).isEqualTo(ExitStatus.READER_GONE);
    }

    @Test
    void randomFramesEndInOneWayOrTheOther() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < 100; i++) {
            byte[] bytes = new byte[random.nextInt(200)];
            random.nextBytes(bytes);
            for (int at = 0; at < bytes.length; at += 1 + random.nextInt(40)) {
                bytes[at] = (byte) "AOELPXBJ".charAt(random.nextInt(8));
            }
            server.close();
            Files.deleteIfExists(directory.resolve("client.sock"));
            server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            server.bind(UnixDomainSocketAddress.of(directory.resolve("client.sock")));

            // Bytes that are no UTF-8 are printed as they are: the files are not read as text.
            Result result =
                    run(
                            client -> client.write(ByteBuffer.wrap(bytes)),
                            "sh",
                            "-c",
                            program + " get tc >/dev/null 2>&1");

            assertThat(result.status()).as("seed %d", seed).isBetween(0, 255).isNotIn(134, 139);
        }
    }

    @Test
    void isFoundByALinkAndByItsOwnPlace() throws Exception {
        server.close();
        Path link = directory.resolve("tardis");
        Files.createSymbolicLink(link, program);
        Path other = Files.createSymbolicLink(directory.resolve("opt"), directory.resolve("home"));

        for (List<String> command :
                List.of(
                        List.of(link.toString(), "stop"),
                        List.of(other.resolve("bin/tardis").toString(), "stop"),
                        List.of("sh", "-c", "cd " + directory + " && ./tardis stop"),
                        List.of("sh", "-c", "PATH=" + directory + ":$PATH tardis stop"))) {
            assertThat(run(_ -> {}, command.toArray(String[]::new)))
                    .isEqualTo(new Result(7, "JVM stop\n", ""));
        }
    }
}
