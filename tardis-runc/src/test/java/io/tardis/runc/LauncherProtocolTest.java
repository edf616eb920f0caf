package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LauncherProtocolTest {

    private static final LauncherProtocol.Request REQUEST =
            new LauncherProtocol.Request(
                    Path.of("/run/bündle"),
                    List.of("--root", "/r/default", "", "create", "--bundle", "/b €", "tc"));

    @Test
    void writesARequestAsTheLauncherDoes() throws IOException {
        byte[] bytes =
                written(new LauncherProtocol.Request(Path.of("/"), List.of("delete", "", "tc")));

        assertThat(bytes).isEqualTo(ascii("TARDIS1\n\0\0\0\r/\0delete\0\0tc\0"));
    }

    @Test
    void readsWhatItWrites() throws IOException {
        assertThat(read(written(REQUEST))).isEqualTo(REQUEST);
    }

    @Test
    void readsARequestWithoutArguments() throws IOException {
        assertThat(read(ascii("TARDIS1\n\0\0\0\2/\0")))
                .isEqualTo(new LauncherProtocol.Request(Path.of("/"), List.of()));
    }

    @Test
    void leavesWhatFollowsARequest() throws IOException {
        DataInputStream in = in(ascii("TARDIS1\n\0\0\0\2/\0rest"));

        LauncherProtocol.readRequest(in);

        assertThat(in.readAllBytes()).isEqualTo(ascii("rest"));
    }

    @Test
    void refusesEveryTruncation() throws IOException {
        byte[] whole = written(REQUEST);
        for (int length = 0; length < whole.length; length++) {
            byte[] broken = Arrays.copyOf(whole, length);
            assertThatIOException()
                    .as("%d of %d bytes", length, whole.length)
                    .isThrownBy(() -> read(broken));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "TARDIS2\n\0\0\0\2/\0",
                "tardis1\n\0\0\0\2/\0",
                "GET / HTTP/1.1\r\n\r\n",
                "\0\0\0\0\0\0\0\0\0\0\0\2/\0"
            })
    void refusesAnotherVersionOrProtocol(String bytes) {
        assertThatThrownBy(() -> read(ascii(bytes)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("not a request of this version's launcher");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 65_537, Integer.MAX_VALUE, Integer.MIN_VALUE, -1})
    void refusesALengthThatCannotBe(int length) {
        byte[] head = ByteBuffer.allocate(12).put(ascii("TARDIS1\n")).putInt(length).array();

        assertThatThrownBy(() -> read(head))
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "a request of " + Integer.toUnsignedString(length) + " bytes is refused");
    }

    @Test
    void takesTheLongestRequestAndWritesNoLongerOne() throws IOException {
        // The directory and the end of the argument take three bytes.
        String longest = "x".repeat(LauncherProtocol.MAX_LENGTH - 3);
        LauncherProtocol.Request fits =
                new LauncherProtocol.Request(Path.of("/"), List.of(longest));
        LauncherProtocol.Request tooLong =
                new LauncherProtocol.Request(Path.of("/"), List.of(longest + "x"));

        assertThat(read(written(fits))).isEqualTo(fits);
        assertThatThrownBy(() -> written(tooLong))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("too long");
    }

    @ParameterizedTest
    @ValueSource(strings = {"TARDIS1\n\0\0\0\1/", "TARDIS1\n\0\0\0\4/\0tc"})
    void refusesATextWithoutEnd(String bytes) {
        assertThatThrownBy(() -> read(ascii(bytes)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("has no end");
    }

    @Test
    void readsBytesThatAreNotUtf8WithoutFailing() throws IOException {
        byte[] bytes = ascii("TARDIS1\n\0\0\0\5/\0??\0");
        bytes[14] = (byte) 0xff;
        bytes[15] = (byte) 0xc3;

        LauncherProtocol.Request request = read(bytes);

        // No container has such a name, so the runtime gets the command line untouched.
        assertThat(request.arguments()).containsExactly("\ufffd\ufffd");
    }

    @Test
    void survivesRandomBytesBehindAGoodHead() throws IOException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < 2_000; i++) {
            byte[] body = new byte[1 + random.nextInt(64)];
            random.nextBytes(body);
            body[body.length - 1] = 0;
            byte[] bytes =
                    ByteBuffer.allocate(12 + body.length)
                            .put(ascii("TARDIS1\n"))
                            .putInt(body.length)
                            .put(body)
                            .array();

            assertThat(read(bytes).directory()).as("seed %d", seed).isNotNull();
        }
    }

    @Test
    void readsTheRepliesThatItWrites() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        LauncherProtocol.writeWait(out, Duration.ofMillis(1234));
        LauncherProtocol.writeGo(out);

        assertThat(bytes.toByteArray()).isEqualTo(new byte[] {'W', 0, 0, 4, (byte) 0xd2, 'G'});
        DataInputStream in = in(bytes.toByteArray());
        assertThat(LauncherProtocol.readReply(in)).isEqualTo(Duration.ofMillis(1234));
        assertThat(LauncherProtocol.readReply(in)).isEqualTo(Duration.ZERO);
    }

    @Test
    void neverTakesAWaitForGo() throws IOException {
        assertThat(LauncherProtocol.readReply(in(ascii("W\0\0\0\0")))).isPositive();
        assertThat(LauncherProtocol.readReply(in(new byte[] {'W', -1, -1, -1, -1}))).isPositive();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "W", "W\0\0\0"})
    void refusesAReplyThatBreaksOff(String bytes) {
        assertThatThrownBy(() -> LauncherProtocol.readReply(in(ascii(bytes))))
                .isInstanceOf(EOFException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"g", "X", "\0"})
    void refusesAReplyWithoutMeaning(String bytes) {
        assertThatThrownBy(() -> LauncherProtocol.readReply(in(ascii(bytes))))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("has no meaning");
    }

    private static byte[] written(LauncherProtocol.Request request) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        LauncherProtocol.writeRequest(new DataOutputStream(bytes), request);
        return bytes.toByteArray();
    }

    private static LauncherProtocol.Request read(byte[] bytes) throws IOException {
        return LauncherProtocol.readRequest(in(bytes));
    }

    private static DataInputStream in(byte[] bytes) {
        return new DataInputStream(new ByteArrayInputStream(bytes));
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }
}
