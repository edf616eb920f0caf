package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.listener.ShimProtocol.Exit;
import io.tardis.listener.ShimProtocol.Frame;
import io.tardis.listener.ShimProtocol.State;
import java.io.IOException;
import java.net.ProtocolException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Frames that the shim of Debian's containerd 1.6.20 took and sent, for {@code ctr run -d ... tc
 * /bin/sh -c '/bin/sleep 3; exit 7'}.
 */
class ShimProtocolTest {

    private static final String STATE_REQUEST =
            "000000260000000101000a17636f6e7461696e6572642e7461736b2e76322e5461736b120553746174651a040a02"
                    + "7463";
    private static final String WAIT_REQUEST =
            "000000250000000301000a17636f6e7461696e6572642e7461736b2e76322e5461736b1204576169741a040a0274"
                    + "63";

    /** It has Go's zero time for the exit. */
    private static final String RUNNING =
            "000000d900000001020012d6010a027463123d2f746d702f7368696d772f6331362f73746174652f696f2e636f6e"
                    + "7461696e6572642e72756e74696d652e76322e7461736b2f64656661756c742f746318e8fd0120022a28"
                    + "2f72756e2f636f6e7461696e6572642f6669666f2f313335383638333337322f74632d737464696e3229"
                    + "2f72756e2f636f6e7461696e6572642f6669666f2f313335383638333337322f74632d7374646f75743a"
                    + "292f72756e2f636f6e7461696e6572642f6669666f2f313335383638333337322f74632d737464657272"
                    + "520b088092b8c398feffffff01";

    private static final String STOPPED =
            "000000dc00000001020012d9010a027463123d2f746d702f7368696d772f6331362f73746174652f696f2e636f6e"
                    + "7461696e6572642e72756e74696d652e76322e7461736b2f64656661756c742f746318e8fd0120032a28"
                    + "2f72756e2f636f6e7461696e6572642f6669666f2f313335383638333337322f74632d737464696e3229"
                    + "2f72756e2f636f6e7461696e6572642f6669666f2f313335383638333337322f74632d7374646f75743a"
                    + "292f72756e2f636f6e7461696e6572642f6669666f2f313335383638333337322f74632d737464657272"
                    + "4807520c08e0f0add80610ced293eb02";
    private static final String ENDED = "0000001200000003020012100807120c08e0f0add80610ced293eb02";
    private static final String NOT_FOUND =
            "000000260000000102000a2408051220636f6e7461696e6572206e6f7420637265617465643a206e6f7420666f75"
                    + "6e64";
    private static final String NO_SUCH_SERVICE =
            "000000250000000302000a23080c121f7365727669636520636f6e7461696e6572642e7461736b2e76332e546173"
                    + "6b";

    private static final Exit EXIT = new Exit(7, Instant.parse("2026-11-29T00:57:04.761588046Z"));

    @Test
    void asksAsContainerdDoes() {
        String service = "containerd.task.v2.Task";

        assertThat(ShimProtocol.state(service, "tc")).isEqualTo(bytes(STATE_REQUEST));
        assertThat(ShimProtocol.await(service, "tc")).isEqualTo(bytes(WAIT_REQUEST));
    }

    @Test
    void readsTheStateOfAContainerThatRuns() throws IOException {
        Frame frame = frame(RUNNING);

        assertThat(frame.stream()).isEqualTo(ShimProtocol.STATE);
        assertThat(state(frame)).isEqualTo(new State("tc", 32_488, false, Optional.empty()));
    }

    @Test
    void readsTheStateOfAContainerThatHasStopped() throws IOException {
        assertThat(state(frame(STOPPED)))
                .isEqualTo(new State("tc", 32_488, true, Optional.of(EXIT)));
    }

    @Test
    void readsAnEnd() throws IOException {
        Frame frame = frame(ENDED);

        assertThat(frame.stream()).isEqualTo(ShimProtocol.WAIT);
        assertThat(end(frame)).hasValue(EXIT);
    }

    @Test
    void takesAnErrorForNoEnd() throws IOException {
        assertThatThrownBy(() -> state(frame(NOT_FOUND)))
                .hasMessage("error 5, container not created: not found");
        assertThatThrownBy(() -> end(frame(NO_SUCH_SERVICE)))
                .hasMessage("error 12, service containerd.task.v3.Task");
        byte[] both =
                FakeShim.frame(
                        ShimProtocol.WAIT,
                        FakeShim.join(
                                FakeShim.field(2, FakeShim.time(2, EXIT.at())),
                                FakeShim.field(1, FakeShim.field(1, 13))));
        assertThatThrownBy(() -> end(frame(both))).hasMessage("error 13, ");
    }

    @Test
    void readsTheLargestNumbersAndPassesOverUnknownFields() throws IOException {
        byte[] payload =
                FakeShim.join(
                        FakeShim.field(1_000, -1),
                        FakeShim.field(1, 0xFFFF_FFFFL),
                        FakeShim.varint(7 << 3 | 1),
                        new byte[8],
                        FakeShim.varint(8 << 3 | 5),
                        new byte[4],
                        FakeShim.field(9, new byte[300]),
                        FakeShim.time(2, EXIT.at()));

        assertThat(end(frame(FakeShim.response(ShimProtocol.WAIT, payload))))
                .hasValue(new Exit(0xFFFF_FFFFL, EXIT.at()));
    }

    /** A status of 2^32 cut to 32 bits would be 0. */
    @ParameterizedTest
    @ValueSource(longs = {0x1_0000_0000L, -1, Long.MIN_VALUE})
    void refusesAStatusThatIsOutOfRange(long status) {
        byte[] payload = FakeShim.join(FakeShim.field(1, status), FakeShim.time(2, EXIT.at()));

        assertThatThrownBy(() -> end(frame(FakeShim.response(ShimProtocol.WAIT, payload))))
                .isInstanceOf(ProtocolException.class);
    }

    @Test
    void refusesATimeThatIsOutOfRange() {
        for (byte[] time :
                List.of(
                        FakeShim.field(1, Long.MAX_VALUE),
                        FakeShim.field(1, Long.MIN_VALUE),
                        FakeShim.field(1, 253_402_300_800L),
                        FakeShim.field(2, -1),
                        FakeShim.field(2, 1_000_000_000))) {
            byte[] frame = FakeShim.response(ShimProtocol.WAIT, FakeShim.field(2, time));
            assertThatThrownBy(() -> end(frame(frame))).isInstanceOf(ProtocolException.class);
        }
    }

    @Test
    void knowsNoEndWithoutATime() throws IOException {
        assertThat(end(frame(FakeShim.response(ShimProtocol.WAIT, new byte[0])))).isEmpty();
        assertThat(end(frame(FakeShim.frame(ShimProtocol.WAIT, new byte[0])))).isEmpty();
    }

    @Test
    void knowsALengthOnlyFromAWholeHeader() throws IOException {
        byte[] all = bytes(ENDED);
        for (int length = 0; length < ShimProtocol.HEADER; length++) {
            assertThat(ShimProtocol.frameLength(ByteBuffer.wrap(all, 0, length))).isZero();
        }
        assertThat(ShimProtocol.frameLength(ByteBuffer.wrap(all))).isEqualTo(all.length);
    }

    /** What a shim did not send as a whole is no end with other numbers. */
    @Test
    void takesNoPartOfAMessageForAnother() throws IOException {
        byte[] data = bytes(STOPPED);
        byte[] whole = Arrays.copyOfRange(data, ShimProtocol.HEADER + 3, data.length);
        for (int length = 0; length < whole.length; length++) {
            byte[] part = Arrays.copyOf(whole, length);
            try {
                State state = ShimProtocol.decodeState(ByteBuffer.wrap(part));
                assertThat(state.exit()).as("of %d bytes", length).isEmpty();
            } catch (ProtocolException _) {
                // as it should be
            }
        }
    }

    @Test
    void readsAnyBytesOrRefusesThem() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int round = 0; round < 50_000; round++) {
            byte[] noise = bytes(round % 2 == 0 ? STOPPED : ENDED);
            for (int change = 0; change < 1 + round % 4; change++) {
                noise[ShimProtocol.HEADER + random.nextInt(noise.length - ShimProtocol.HEADER)] =
                        (byte) random.nextInt();
            }
            try {
                ByteBuffer payload = ShimProtocol.payload(frame(noise).data());
                var _ = ShimProtocol.decodeState(payload.duplicate());
                var _ = ShimProtocol.decodeWait(payload);
            } catch (IOException _) {
                // refused
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    private static State state(Frame frame) throws IOException {
        return ShimProtocol.decodeState(ShimProtocol.payload(frame.data()));
    }

    private static Optional<Exit> end(Frame frame) throws IOException {
        return ShimProtocol.decodeWait(ShimProtocol.payload(frame.data()));
    }

    private static Frame frame(String hex) throws IOException {
        return frame(bytes(hex));
    }

    private static Frame frame(byte[] bytes) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        return ShimProtocol.frame(in, ShimProtocol.frameLength(in));
    }

    private static byte[] bytes(String hex) {
        return HexFormat.of().parseHex(hex);
    }
}
