package io.tardis.listener;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a stream into lines, as bytes, in bounded memory. A line is handed out as soon as its
 * newline has been read; nothing waits for a buffer to fill. Of a line over the limit only the
 * beginning is kept. For one thread.
 */
final class CtrLineReader {

    /** How a line ended. */
    enum Ending {
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
    record Line(byte[] buffer, int offset, int length, Ending ending) {

        /** The text between two places of the buffer. */
        String text(int from, int to) {
            return new String(buffer, from, to - from, StandardCharsets.UTF_8);
        }
    }

    private static final int FIRST_BUFFER_SIZE = 64 * 1024;

    private final InputStream in;
    private final int maxLength;
    private byte[] buffer;
    private int start;
    private int scanned;
    private int end;

    /** Whether the beginning of the line was handed out, and the rest of it is still to come. */
    private boolean skipping;

    /**
     * A reader of {@code in}, which stays the caller's to close.
     *
     * @param in the stream
     * @param maxLength the longest line to hand out whole, in bytes without its newline
     */
    CtrLineReader(InputStream in, int maxLength) {
        this.in = in;
        this.maxLength = maxLength;
        this.buffer = new byte[Math.min(FIRST_BUFFER_SIZE, maxLength + 1)];
    }

    /**
     * The next line, or null at the end of the stream.
     *
     * @throws IOException if the stream cannot be read
     */
    @Nullable Line next() throws IOException {
        while (true) {
            while (scanned < end) {
                if (buffer[scanned++] == '\n') {
                    Line line = lineUpTo(scanned - 1, Ending.NEWLINE);
                    if (!skipping) {
                        return line;
                    }
                    skipping = false;
                }
            }
            if (skipping) {
                start = end;
            } else if (end - start > maxLength) {
                skipping = true;
                return lineUpTo(start + maxLength, Ending.TOO_LONG);
            }
            if (!fill()) {
                return start == end ? null : lineUpTo(end, Ending.END_OF_STREAM);
            }
        }
    }

    /** All that was scanned is done with: the line, and what ends it. */
    private Line lineUpTo(int lineEnd, Ending ending) {
        Line line = new Line(buffer, start, lineEnd - start, ending);
        start = scanned;
        return line;
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
        end += Math.max(0, n);
        return n >= 0;
    }
}
