package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.event.ContainerKey;
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
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LauncherProtocolTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final Path ROOT = Path.of("/r/default");
    private static final RuncCall CREATE =
            new RuncCall.Create(TC, Path.of("/r €/default"), Path.of("/run/bündle"));

    @Test
    void writesAPingAsTheLauncherDoes() throws IOException {
        assertThat(ping()).isEqualTo(request("ping|||||0|"));
    }

    @Test
    void readsWhatTheLauncherWrites() throws IOException {
        for (RuncCall call :
                List.of(
                        CREATE,
                        new RuncCall.Start(TC, ROOT),
                        new RuncCall.Delete(TC, ROOT, false),
                        new RuncCall.Delete(TC, ROOT, true))) {
            assertThat(read(Requests.of(call))).hasValue(call);
        }
        assertThat(read(ping())).isEmpty();
    }

    @Test
    void normalizesTheRootAsRuncDoesAndNotTheBundle() throws IOException {
        assertThat(read(request("create|default|tc|/r/../x/./default/|/b/../c|0|")))
                .hasValue(new RuncCall.Create(TC, Path.of("/x/default"), Path.of("/b/../c")));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '"',
            value = {
                "run|default|tc|/r/default|/b|0|; 'run' is no call",
                "|default|tc|/r/default|/b|0|; '' is no call",
                "create|de/fault|tc|/r/default|/b|0|; not a containerd namespace: 'de/fault'",
                "create||tc|/r/default|/b|0|; not a containerd namespace: ''",
                "start|default|..|/r/default||0|; not a container id: '..'",
                "start|default|tc|r/default||0|; the root 'r/default' is not absolute",
                "start|default|tc|||0|; the root '' is not absolute",
                "create|default|tc|/r/default|b|0|; the bundle 'b' is not absolute",
                "create|default|tc|/r/default||0|; the bundle '' is not absolute",
                "delete|default|tc|/r/default||2|; force is '2', not 0 or 1",
                "delete|default|tc|/r/default|||; force is '', not 0 or 1",
                "delete|default|tc|/r/default||; it has not 6 fields",
                "delete|default|tc|/r/default||1||; it has not 6 fields",
                "delete|default|tc|/r/default||1; it has not 6 fields",
                "ping; it has not 6 fields"
            })
    void refusesARequestWithABadFieldAndLeavesWhatFollows(String fields, String reason)
            throws IOException {
        DataInputStream in = in(concat(request(fields), ascii("rest")));

        assertThatThrownBy(() -> LauncherProtocol.readRequest(in))
                .isInstanceOf(LauncherProtocol.UnusableRequestException.class)
                .hasMessageContaining(reason);
        assertThat(in.readAllBytes()).isEqualTo(ascii("rest"));
    }

    @Test
    void leavesWhatFollowsARequest() throws IOException {
        DataInputStream in = in(concat(ping(), ascii("rest")));

        assertThat(LauncherProtocol.readRequest(in)).isEmpty();

        assertThat(in.readAllBytes()).isEqualTo(ascii("rest"));
    }

    @Test
    void refusesEveryTruncation() throws IOException {
        byte[] whole = Requests.of(CREATE);
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
                "TARDIS1\n\0\0\0\2/\0",
                "TARDIS3\n\0\0\0\2/\0",
                "tardis2\n\0\0\0\2/\0",
                "GET / HTTP/1.1\r\n\r\n",
                "\0\0\0\0\0\0\0\0\0\0\0\2/\0"
            })
    void refusesAnotherVersionOrProtocol(String bytes) {
        assertThatThrownBy(() -> read(ascii(bytes)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("not a request of this version's launcher");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 16_385, Integer.MAX_VALUE, Integer.MIN_VALUE, -1})
    void refusesALengthThatCannotBe(int length) {
        byte[] head = ByteBuffer.allocate(12).put(ascii("TARDIS2\n")).putInt(length).array();

        assertThatThrownBy(() -> read(head))
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "a request of " + Integer.toUnsignedString(length) + " bytes is refused");
    }

    @Test
    void takesTheLongestRequest() throws IOException {
        int others = "start|default|tc|/||0|".length();
        String longest = "/" + "x".repeat(LauncherProtocol.MAX_LENGTH - others);
        RuncCall fits = new RuncCall.Start(TC, Path.of(longest));

        assertThat(Requests.of(fits)).hasSize(12 + LauncherProtocol.MAX_LENGTH);
        assertThat(read(Requests.of(fits))).hasValue(fits);
    }

    @Test
    void readsBytesThatAreNotUtf8WithoutFailing() throws IOException {
        byte[] bytes = request("create|default|tc|/r/default|/??|0|");
        bytes[bytes.length - 5] = (byte) 0xff;
        bytes[bytes.length - 4] = (byte) 0xc3;

        // No bundle has such a name, which the shim logs.
        assertThat(read(bytes)).hasValue(new RuncCall.Create(TC, ROOT, Path.of("/\ufffd\ufffd")));
    }

    @Test
    void survivesRandomBytesInAGoodRequest() throws IOException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        byte[] good = request("create|default|tc|/r/default|/b|0|");
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = good.clone();
            for (int j = random.nextInt(4); j >= 0; j--) {
                bytes[12 + random.nextInt(bytes.length - 12)] = (byte) random.nextInt(256);
            }

            try {
                RuncCall call = read(bytes).orElseThrow();
                assertThat(read(Requests.of(call))).as("seed %d", seed).hasValue(call);
                assertThat(call.root()).as("seed %d", seed).isAbsolute().isNormalized();
            } catch (LauncherProtocol.UnusableRequestException e) {
                assertThat(e).as("seed %d", seed).message().isNotBlank().hasSizeLessThan(200);
            }
        }
    }

    @Test
    void readsTheRepliesThatItWrites() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        LauncherProtocol.writeWait(out, Duration.ofMillis(1234));
        LauncherProtocol.writeEnd(out, true);

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

    private static byte[] ping() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        LauncherProtocol.writePing(new DataOutputStream(bytes));
        return bytes.toByteArray();
    }

    /** A request of these fields, each ended by a bar. */
    private static byte[] request(String fields) {
        byte[] body = ascii(fields.replace('|', '\0'));
        return ByteBuffer.allocate(12 + body.length)
                .put(ascii("TARDIS2\n"))
                .putInt(body.length)
                .put(body)
                .array();
    }

    private static byte[] concat(byte[] first, byte[] second) {
        return ByteBuffer.allocate(first.length + second.length).put(first).put(second).array();
    }

    private static Optional<RuncCall> read(byte[] bytes) throws IOException {
        return LauncherProtocol.readRequest(in(bytes));
    }

    private static DataInputStream in(byte[] bytes) {
        return new DataInputStream(new ByteArrayInputStream(bytes));
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }
}
