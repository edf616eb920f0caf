package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CommandProtocolTest {

    private static byte[] request(String... texts) {
        byte[] body = (String.join("\0", texts) + "\0").getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(12 + body.length)
                .put("TARDISC1".getBytes(StandardCharsets.US_ASCII))
                .putInt(body.length)
                .put(body)
                .array();
    }

    private static CommandProtocol.Request read(byte[] bytes) throws IOException {
        ReadableByteChannel in = Channels.newChannel(new ByteArrayInputStream(bytes));
        return CommandProtocol.readRequest(in, CommandProtocol.readLength(in));
    }

    @Test
    void readsArgumentsFactsAndVariables() throws IOException {
        CommandProtocol.Request request =
                read(
                        request(
                                "1.0",
                                "io-u",
                                "3",
                                "get",
                                "",
                                "jürgen",
                                "COLUMNS=80",
                                "TARDIS_X=a=b"));

        assertThat(request)
                .isEqualTo(
                        new CommandProtocol.Request(
                                "1.0",
                                true,
                                true,
                                List.of("get", "", "jürgen"),
                                Map.of("COLUMNS", "80", "TARDIS_X", "a=b")));
        assertThat(read(request("1.0", "i-e-", "0")))
                .isEqualTo(new CommandProtocol.Request("1.0", false, false, List.of(), Map.of()));
    }

    @Test
    void refusesEveryTruncation() {
        byte[] whole = request("1.0", "----", "1", "ls");
        for (int length = 0; length < whole.length; length++) {
            byte[] cut = new byte[length];
            System.arraycopy(whole, 0, cut, 0, length);

            assertThatThrownBy(() -> read(cut)).isInstanceOf(EOFException.class);
        }
    }

    @Test
    void refusesWhatIsNoRequest() {
        for (byte[] bytes :
                List.of(
                        request("1.0"),
                        request("1.0", "----"),
                        request("1.0", "----", "one"),
                        request("1.0", "----", "-1"),
                        request("1.0", "----", "2", "ls"),
                        request("1.0", "----", "0", "=value"),
                        request("1.0", "----", "0", "NAME"),
                        "TARDISC2\0\0\0\1\0".getBytes(StandardCharsets.US_ASCII),
                        "TARDISC1\0\0\0\1x".getBytes(StandardCharsets.US_ASCII),
                        "TARDISC1\0\0\0\0".getBytes(StandardCharsets.US_ASCII),
                        "TARDISC1\0\2\0\1".getBytes(StandardCharsets.US_ASCII),
                        "TARDISC1\u007f\0\0\0".getBytes(StandardCharsets.US_ASCII))) {
            assertThatThrownBy(() -> read(bytes)).isInstanceOf(IOException.class);
        }
    }

    @Test
    void randomBytesAreRefusedOrRead() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < 10_000; i++) {
            byte[] bytes = request("1.0", "----", "2", "get", "tc", "A=b");
            for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            try {
                assertThat(read(bytes).arguments()).as("seed %d", seed).isNotNull();
            } catch (IOException e) {
                assertThat(e).as("seed %d", seed).hasMessageMatching("(?s).*[a-z].*");
            }
        }
    }

    @Test
    void outputIsCollectedInFramesUntilItIsNeeded() throws IOException {
        ByteArrayOutputStream sent = new ByteArrayOutputStream();
        FrameWriter writer = new FrameWriter(Channels.newChannel(sent));

        writer.out().write("one\n".getBytes(StandardCharsets.UTF_8));
        writer.out().flush();
        assertThat(sent.size()).isZero();
        writer.err().write("two\n".getBytes(StandardCharsets.UTF_8));
        writer.out().write(new byte[40_000]);
        writer.end(3);
        writer.err().write("late".getBytes(StandardCharsets.UTF_8));

        ByteBuffer frames = ByteBuffer.wrap(sent.toByteArray());
        assertThat(next(frames)).isEqualTo("Oone\n");
        assertThat(next(frames)).isEqualTo("Etwo\n");
        int zeros = 0;
        String frame = next(frames);
        while (frame.startsWith("O")) {
            zeros += frame.length() - 1;
            assertThat(frame.length()).isLessThanOrEqualTo(64 * 1024);
            frame = next(frames);
        }
        assertThat(zeros).isEqualTo(40_000);
        assertThat(frame).isEqualTo("X\u0003");
        assertThat(frames.hasRemaining()).isFalse();
    }

    /** Type and payload. */
    private static String next(ByteBuffer frames) {
        int head = frames.getInt();
        byte[] payload = new byte[head & 0xffffff];
        frames.get(payload);
        return (char) (head >>> 24) + new String(payload, StandardCharsets.ISO_8859_1);
    }
}
