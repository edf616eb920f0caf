package io.tardis.listener;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/**
 * Cuts a stream into lines, as bytes, in bounded memory. A line is handed out as soon as its
 * newline has been read; nothing waits for a buffer to fill. Of a line over the limit only the
 * beginning is kept. For one thread.
 */
final class CtrLineReader {

    /** How a line ended. */
    public enum Ending {
        /** With a newline. */
        NEWLINE,
        /** It is longer than the limit: only its beginning is here. */
        TOO_LONG,
        /** The stream ended in the middle of it. */
        END_OF_STREAM
    }

    /**
     * A line without its newline. The bytes belong to the reader, and only until its next call.
     *
     * @param buffer holds the line
     * @param offset where it begins
     * @param length how many bytes it has
     * @param ending how it ended
     */
    @SuppressWarnings(
            "ArrayRecordComponent") // a view for the length of one call, never kept or compared
    public record Line(byte[] buffer, int offset, int length, Ending ending) {}

    private static final int FIRST_BUFFER_SIZE = 64 * 1024;

    private final InputStream in;
    private final int maxLength;
    private byte[] buffer;
    private int start;
    private int scanned;
    private int end;

    /**
     * A reader of {@code in}, which stays the caller's to close.
     *
     * @param in the stream
     * @param maxLength the longest line to hand out whole, in bytes without its newline
     */
    public CtrLineReader(InputStream in, int maxLength) {
        this.in = in;
        this.maxLength = maxLength;
        this.buffer = new byte[Math.min(FIRST_BUFFER_SIZE, maxLength + 1)];
    }

    /**
     * The next line, or null at the end of the stream.
     *
     * @throws IOException if the stream cannot be read
     */
    public @org.jspecify.annotations.Nullable Line next() throws IOException {
        while (true) {
            for (; scanned < end; scanned++) {
                if (buffer[scanned] == '\n') {
                    return lineUpTo(scanned, Ending.NEWLINE, scanned + 1);
                }
            }
            if (end - start > maxLength) {
                return tooLong();
            }
            if (!fill()) {
                return start == end ? null : lineUpTo(end, Ending.END_OF_STREAM, end);
            }
        }
    }

    private Line lineUpTo(int lineEnd, Ending ending, int next) {
        Line line = new Line(buffer, start, lineEnd - start, ending);
        start = next;
        scanned = next;
        return line;
    }

    /**
     * Keeps the beginning at the front of the buffer and reads the rest of the line over what is
     * behind it.
     */
    private Line tooLong() throws IOException {
        byte[] beginning = Arrays.copyOfRange(buffer, start, start + maxLength);
        start = 0;
        end = 0;
        scanned = 0;
        boolean ended = false;
        while (!ended) {
            int n = in.read(buffer, 0, buffer.length);
            if (n < 0) {
                break;
            }
            for (int i = 0; i < n && !ended; i++) {
                if (buffer[i] == '\n') {
                    start = i + 1;
                    scanned = start;
                    end = n;
                    ended = true;
                }
            }
        }
        return new Line(beginning, 0, maxLength, Ending.TOO_LONG);
    }

    private boolean fill() throws IOException {
        if (end == buffer.length) {
            int length = end - start;
            byte[] target = buffer;
            if (length > buffer.length / 2) {
                target = new byte[(int) Math.min(2L * buffer.length, maxLength + 1L)];
            }
            System.arraycopy(buffer, start, target, 0, length);
            buffer = target;
            scanned -= start;
            start = 0;
            end = length;
        }
        int n = in.read(buffer, end, buffer.length - end);
        if (n > 0) {
            end += n;
        }
        return n >= 0;
    }
}
