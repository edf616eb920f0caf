package io.tardis.listener;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.listener.CtrLineReader.Ending;
import io.tardis.listener.CtrLineReader.Line;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CtrLineReaderTest {

    private static final int MIB = 1024 * 1024;

    /** A line as the test can keep it. */
    private record Copy(String text, Ending ending) {}

    /** Hands out at most {@code chunk} bytes per read, as a pipe does. */
    private static final class SlowStream extends InputStream {
        private final ByteArrayInputStream bytes;
        private final int chunk;
        private int read;

        SlowStream(byte[] bytes, int chunk) {
            this.bytes = new ByteArrayInputStream(bytes);
            this.chunk = chunk;
        }

        @Override
        public int read() {
            throw new UnsupportedOperationException("byte by byte is too slow for a pipe");
        }

        @Override
        public int read(byte[] target, int offset, int length) {
            assertThat(length).as("room in the buffer").isPositive();
            int n = bytes.read(target, offset, Math.min(length, chunk));
            read += Math.max(0, n);
            return n;
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7, 100})
    void cutsStreamAtNewlines(int chunk) throws IOException {
        InputStream in = new SlowStream("a\n\nbb\r\nccc\n".getBytes(ISO_8859_1), chunk);

        assertThat(readAll(new CtrLineReader(in, 8)))
                .containsExactly(
                        new Copy("a", Ending.NEWLINE),
                        new Copy("", Ending.NEWLINE),
                        new Copy("bb\r", Ending.NEWLINE),
                        new Copy("ccc", Ending.NEWLINE));
    }

    @Test
    void handsOutNothingOfEmptyStream() throws IOException {
        assertThat(new CtrLineReader(InputStream.nullInputStream(), 8).next()).isNull();
    }

    @Test
    void keepsReturningNullAfterEnd() throws IOException {
        CtrLineReader reader = reader("a\nb", 8);
        readAll(reader);

        assertThat(reader.next()).isNull();
        assertThat(reader.next()).isNull();
    }

    @Test
    void reportsThatStreamEndedInMiddleOfLine() throws IOException {
        assertThat(readAll(reader("a\nhalf", 8)))
                .containsExactly(
                        new Copy("a", Ending.NEWLINE), new Copy("half", Ending.END_OF_STREAM));
    }

    /** The limit itself is whole; one byte more is not, and the next line is not hurt. */
    @ParameterizedTest
    @ValueSource(ints = {1, 3, 4, 5, 6, 100})
    void keepsOnlyBeginningOfLineOverLimit(int chunk) throws IOException {
        String text = "1234\n12345\n1234567890123\nok\n12345\n12345";
        InputStream in = new SlowStream(text.getBytes(ISO_8859_1), chunk);

        assertThat(readAll(new CtrLineReader(in, 4)))
                .containsExactly(
                        new Copy("1234", Ending.NEWLINE),
                        new Copy("1234", Ending.TOO_LONG),
                        new Copy("1234", Ending.TOO_LONG),
                        new Copy("ok", Ending.NEWLINE),
                        new Copy("1234", Ending.TOO_LONG),
                        new Copy("1234", Ending.TOO_LONG));
    }

    /** The first buffer is smaller than this, so it has to grow, with other lines in front. */
    @Test
    void growsForLongLineWithinLimit() throws IOException {
        String longLine = "x".repeat(MIB);
        CtrLineReader reader = reader("short\n" + longLine + "\n" + longLine + "y\nok\n", MIB);

        assertThat(readAll(reader))
                .containsExactly(
                        new Copy("short", Ending.NEWLINE),
                        new Copy(longLine, Ending.NEWLINE),
                        new Copy(longLine, Ending.TOO_LONG),
                        new Copy("ok", Ending.NEWLINE));
    }

    @Test
    void handsOutLineBeforeNextOneArrives() throws IOException {
        InputStream broken =
                new InputStream() {
                    @Override
                    public int read() throws IOException {
                        throw new IOException("nothing more yet");
                    }

                    @Override
                    public int read(byte[] target, int offset, int length) throws IOException {
                        return read();
                    }
                };
        InputStream in = new SequenceInputStream(new SlowStream(bytes("a\nb"), 10), broken);
        CtrLineReader reader = new CtrLineReader(in, 8);

        assertThat(copy(requireNonNull(reader.next()))).isEqualTo(new Copy("a", Ending.NEWLINE));
        assertThatThrownBy(reader::next).hasMessage("nothing more yet");
    }

    /** 16 MiB without a newline take no more than the limit and the buffer. */
    @Test
    void readsEndlessLineInBoundedMemory() throws IOException {
        byte[] text = new byte[16 * MIB + 4];
        System.arraycopy(bytes("\nok\n"), 0, text, 16 * MIB, 4);
        SlowStream in = new SlowStream(text, 64 * 1024);
        CtrLineReader reader = new CtrLineReader(in, 64 * 1024);

        Line endless = requireNonNull(reader.next());

        assertThat(endless.ending()).isEqualTo(Ending.TOO_LONG);
        assertThat(endless.length()).isEqualTo(64 * 1024);
        assertThat(endless.buffer()).hasSizeLessThanOrEqualTo(64 * 1024 + 1);
        assertThat(copy(requireNonNull(reader.next()))).isEqualTo(new Copy("ok", Ending.NEWLINE));
        assertThat(in.read).isEqualTo(text.length);
    }

    @Test
    void cutsRandomStreamsAsSplittingDoes() throws IOException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < 2_000; round++) {
            int limit = 1 + random.nextInt(20);
            StringBuilder text = new StringBuilder();
            List<Copy> expected = new ArrayList<>();
            for (int lines = random.nextInt(30); lines > 0; lines--) {
                String line = "z".repeat(random.nextInt(25));
                text.append(line).append('\n');
                expected.add(
                        line.length() > limit
                                ? new Copy(line.substring(0, limit), Ending.TOO_LONG)
                                : new Copy(line, Ending.NEWLINE));
            }
            InputStream in = new SlowStream(bytes(text.toString()), 1 + random.nextInt(40));

            assertThat(readAll(new CtrLineReader(in, limit)))
                    .as("seed %d, round %d", seed, round)
                    .isEqualTo(expected);
        }
    }

    private static CtrLineReader reader(String text, int maxLength) {
        return new CtrLineReader(new ByteArrayInputStream(bytes(text)), maxLength);
    }

    private static List<Copy> readAll(CtrLineReader reader) throws IOException {
        List<Copy> lines = new ArrayList<>();
        for (Line line = reader.next(); line != null; line = reader.next()) {
            lines.add(copy(line));
        }
        return lines;
    }

    private static Copy copy(Line line) {
        return new Copy(
                new String(line.buffer(), line.offset(), line.length(), ISO_8859_1), line.ending());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(ISO_8859_1);
    }
}
