package io.tardis.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Sends what a command prints to its client. Standard output is collected, until the command waits
 * for something, writes to standard error, or ends. A client that reads slowly blocks the thread
 * that writes, and no other. From any thread.
 */
final class FrameWriter {

    private static final int BUFFER = 16 * 1024;

    /** What is put behind the collected output without a look at the space. */
    private static final int RESERVE = 64;

    private final WritableByteChannel channel;

    /** Collected output behind the room for its head; null before the first byte. */
    private @Nullable ByteBuffer collected;

    private boolean ended;

    /** Since when a write is blocked, by the monotonic clock; 0: none is. */
    private volatile long blockedSince;

    FrameWriter(WritableByteChannel channel) {
        this.channel = channel;
    }

    /** Standard output of the command. Flushing it does nothing: {@link #flush} does. */
    OutputStream out() {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                collect(bytes, offset, length);
            }
        };
    }

    /** Standard error of the command. */
    OutputStream err() {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                FrameWriter.this.flush();
                for (int done = 0; done < length; done += BUFFER) {
                    int some = Math.min(BUFFER, length - done);
                    send(frame(CommandProtocol.ERR, bytes, offset + done, some));
                }
            }
        };
    }

    private synchronized void collect(byte[] bytes, int offset, int length) throws IOException {
        int done = 0;
        while (done < length) {
            ByteBuffer buffer = buffer();
            int some = Math.min(length - done, BUFFER + CommandProtocol.HEAD - buffer.position());
            buffer.put(bytes, offset + done, some);
            done += some;
            if (buffer.position() == BUFFER + CommandProtocol.HEAD) {
                flush();
            }
        }
    }

    private ByteBuffer buffer() {
        ByteBuffer buffer = collected;
        if (buffer == null) {
            buffer = ByteBuffer.allocate(CommandProtocol.HEAD + BUFFER + RESERVE);
            buffer.position(CommandProtocol.HEAD);
            collected = buffer;
        }
        return buffer;
    }

    /** Sends the output that was collected. */
    synchronized void flush() throws IOException {
        ByteBuffer buffer = collected;
        if (buffer != null && buffer.position() > CommandProtocol.HEAD) {
            putOutputHead(buffer);
            sendCollected(buffer);
        }
    }

    private static void putOutputHead(ByteBuffer buffer) {
        int end = buffer.position();
        buffer.position(0);
        CommandProtocol.putHead(buffer, CommandProtocol.OUT, end - CommandProtocol.HEAD);
        buffer.position(end);
    }

    private void sendCollected(ByteBuffer buffer) throws IOException {
        send(buffer.flip());
        buffer.clear().position(CommandProtocol.HEAD);
    }

    /** Sends the output that was collected, and the last frame, in one piece. */
    synchronized void end(int status) throws IOException {
        sendCollected(withHead(CommandProtocol.EXIT, 1).put((byte) status));
        ended = true;
    }

    /** The output that was collected, if any, and behind it the head of another frame. */
    private ByteBuffer withHead(byte type, int length) {
        ByteBuffer buffer = buffer();
        if (buffer.position() > CommandProtocol.HEAD) {
            putOutputHead(buffer);
        } else {
            buffer.position(0);
        }
        CommandProtocol.putHead(buffer, type, length);
        return buffer;
    }

    /** The output that was collected, and up to which exit that is all. */
    synchronized void position(long seq) throws IOException {
        sendCollected(withHead(CommandProtocol.POSITION, Long.BYTES).putLong(seq));
    }

    /** Sends a frame without a payload. */
    void send(byte type) throws IOException {
        send(frame(type, new byte[0], 0, 0));
    }

    /** Sends why no command runs. */
    void refuse(String why) throws IOException {
        byte[] text = why.getBytes(StandardCharsets.UTF_8);
        send(frame(CommandProtocol.BUSY, text, 0, text.length));
    }

    private static ByteBuffer frame(byte type, byte[] bytes, int offset, int length) {
        ByteBuffer frame = ByteBuffer.allocate(CommandProtocol.HEAD + length);
        CommandProtocol.putHead(frame, type, length);
        return frame.put(bytes, offset, length).flip();
    }

    private synchronized void send(ByteBuffer frame) throws IOException {
        if (ended) {
            return; // the client expects nothing more
        }
        try {
            while (frame.hasRemaining()) {
                blockedSince = System.nanoTime() | 1;
                channel.write(frame);
            }
        } finally {
            blockedSince = 0;
        }
    }

    /** For how long the client has read nothing of a write, in nanoseconds; 0: none is blocked. */
    long blockedFor() {
        long since = blockedSince;
        return since == 0 ? 0 : System.nanoTime() - since;
    }
}
