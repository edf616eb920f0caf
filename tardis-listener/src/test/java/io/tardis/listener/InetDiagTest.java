package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class InetDiagTest {

    private static final InetSocketAddress CLIENT = at("127.0.0.1", 0x1234);
    private static final InetSocketAddress SERVER = at("127.0.0.1", 5581);
    private static final int SEQUENCE = 77;

    private final InetDiag question = new InetDiag(CLIENT, SERVER, SEQUENCE);

    /** As the kernel of a little-endian machine takes it. */
    @Test
    void looksForTheClientsSocketByItsAddressesAlone() {
        String head = littleEndian() ? "48000000 1400 0100 4d000000 00000000" : "";
        String states = "ffffffff";
        String ports = "1234 15cd";
        String addresses = "7f000001" + "00".repeat(12) + "7f000001" + "00".repeat(12);
        String rest = "00000000" + "ff".repeat(8);
        assertThat(HexFormat.of().formatHex(question.request()))
                .endsWith(bare("02 06 00 00" + states + ports + addresses + rest))
                .startsWith(bare(head))
                .hasSize(2 * 72);
    }

    @Test
    void looksForSocketsOfIpv6() {
        InetDiag six = new InetDiag(at("::1", 0x1234), at("::1", 1), 0);

        assertThat(HexFormat.of().formatHex(six.request()))
                .contains("0a060000")
                .contains("12340001" + "00".repeat(15) + "01" + "00".repeat(15) + "01");
    }

    @Test
    void knowsTheUserOfTheSocket() throws IOException {
        assertThat(question.uid(reply(CLIENT, SERVER, 1, 65_534, 4711)))
                .isEqualTo(OptionalInt.of(65_534));
        assertThat(question.uid(reply(CLIENT, SERVER, 1, -2, 4711))).hasValue(-2);
    }

    @Test
    void knowsASocketOfIpv6WithAnAddressOfIpv4() throws IOException {
        ByteBuffer reply = reply(CLIENT, SERVER, 1, 5, 4711);
        reply.put(16, (byte) 10);
        byte[] mapped = HexFormat.of().parseHex("00".repeat(10) + "ffff7f000001");
        reply.put(16 + 8, mapped).put(16 + 24, mapped);

        assertThat(question.uid(reply)).hasValue(5);
    }

    @Test
    void aSocketThatListensIsNotTheClients() throws IOException {
        InetSocketAddress nobody = at("0.0.0.0", 0);

        assertThat(question.uid(reply(CLIENT, nobody, 10, 0, 4711))).isEmpty();
        assertThat(question.uid(reply(CLIENT, nobody, 1, 0, 4711))).isEmpty();
        assertThat(question.uid(reply(SERVER, CLIENT, 1, 0, 4711))).isEmpty();
    }

    /** The kernel says root of it, whoever had it. */
    @Test
    void aSocketThatNoProcessHasAnyMoreIsNobodys() throws IOException {
        for (int state = 0; state < 14; state++) {
            assertThat(question.uid(reply(CLIENT, SERVER, state, 0, 0))).isEmpty();
            if (state != 1) {
                assertThat(question.uid(reply(CLIENT, SERVER, state, 0, 4711))).isEmpty();
            }
        }
    }

    @Test
    void aSocketThatDoesNotExistHasNoUser() throws IOException {
        assertThat(question.uid(error(2))).isEmpty();
    }

    @Test
    void saysWhyTheKernelDoesNotAnswer() {
        assertThatThrownBy(() -> question.uid(error(1)))
                .isInstanceOf(IOException.class)
                .hasMessage("it refuses with errno 1");
    }

    @Test
    void aReplyThatIsCutIsNoAnswer() {
        ByteBuffer whole = reply(CLIENT, SERVER, 1, 0, 4711);
        for (int length = 16; length < whole.limit(); length++) {
            ByteBuffer cut = whole.slice(0, length);
            assertThatThrownBy(() -> question.uid(cut)).isInstanceOf(IOException.class);
        }
        for (int length = 0; length < 16; length++) {
            assertThat(question.isAnsweredBy(whole.slice(0, length))).isFalse();
        }
    }

    @Test
    void aReplyToAnotherQuestionIsNoAnswer() {
        assertThat(question.isAnsweredBy(error(2))).isTrue();
        assertThat(new InetDiag(CLIENT, SERVER, SEQUENCE + 1).isAnsweredBy(error(2))).isFalse();
    }

    private static ByteBuffer reply(
            InetSocketAddress own, InetSocketAddress peer, int state, int uid, int inode) {
        ByteBuffer reply = ByteBuffer.allocate(88).order(ByteOrder.nativeOrder());
        reply.putInt(88).putShort((short) 20).putShort((short) 0).putInt(SEQUENCE).putInt(0);
        reply.put((byte) 2).put((byte) state).putShort((short) 0);
        reply.order(ByteOrder.BIG_ENDIAN);
        reply.putShort((short) own.getPort()).putShort((short) peer.getPort());
        reply.put(16 + 8, own.getAddress().getAddress());
        reply.put(16 + 24, peer.getAddress().getAddress());
        reply.order(ByteOrder.nativeOrder()).putInt(16 + 64, uid).putInt(16 + 68, inode);
        return reply.rewind();
    }

    private static ByteBuffer error(int errno) {
        ByteBuffer reply = ByteBuffer.allocate(36).order(ByteOrder.nativeOrder());
        reply.putInt(36).putShort((short) 2).putShort((short) 0).putInt(SEQUENCE).putInt(0);
        return reply.putInt(-errno).rewind();
    }

    private static InetSocketAddress at(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }

    private static boolean littleEndian() {
        return ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
    }

    private static String bare(String hex) {
        return hex.replace(" ", "");
    }
}
