package io.tardis.cli;

import io.tardis.listener.StandardStreams;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What a command prints. Java's {@code PrintWriter} swallows the errors of its stream, so a command
 * whose output did not fit on the disk would end with 0. Here the first error is remembered, and
 * {@link #statusAfter} makes it the exit status of the process: no command can forget to look, and
 * picocli's own help cannot either. For one thread.
 */
final class Output {

    private static final Path STANDARD_OUTPUT = Path.of("/proc/self/fd/1");

    private final OutputStream sink;
    private final BooleanSupplier readerGone;
    private final boolean onDisk;
    private final PrintWriter writer;
    private @Nullable IOException failure;

    /**
     * Output that goes to {@code sink}, and no further.
     *
     * @param readerGone whether nobody will read what is written
     */
    Output(OutputStream sink, BooleanSupplier readerGone) {
        this(sink, readerGone, false);
    }

    private Output(OutputStream sink, BooleanSupplier readerGone, boolean onDisk) {
        this.sink = sink;
        this.readerGone = readerGone;
        this.onDisk = onDisk;
        this.writer =
                new PrintWriter(
                        new OutputStreamWriter(new RememberingStream(), StandardCharsets.UTF_8),
                        true);
    }

    /** Standard output. */
    static Output standard() {
        return new Output(
                new FileOutputStream(FileDescriptor.out), // System.out swallows errors itself
                StandardStreams::isReaderGone,
                Files.isRegularFile(STANDARD_OUTPUT));
    }

    /** Prints; its errors are remembered here. */
    PrintWriter writer() {
        return writer;
    }

    /** Whether more may be printed: nothing has failed, and the reader has not gone. */
    boolean isWanted() {
        return !writer.checkError() && !readerGone.getAsBoolean();
    }

    /** Ends a line that was torn before, so that the next one is whole. */
    void beginLine() {
        try {
            if (onDisk && isWithinLine()) {
                writer.println();
            }
        } catch (IOException _) {
            return; // a file that may be written and not read: nothing is known to be torn
        }
    }

    /** Whether what is there from before ends within a line, as a full disk leaves it. */
    private static boolean isWithinLine() throws IOException {
        try (FileChannel channel = FileChannel.open(STANDARD_OUTPUT)) {
            ByteBuffer last = ByteBuffer.allocate(1);
            return channel.size() > 0
                    && channel.read(last, channel.size() - 1) == 1
                    && last.get(0) != '\n';
        }
    }

    /**
     * Returns when all that was printed is out of this process, and on the disk where it goes to a
     * file.
     *
     * @return whether nothing of it failed
     */
    boolean force() {
        if (!writer.checkError() && onDisk) {
            try {
                FileDescriptor.out.sync();
            } catch (IOException e) {
                failure = e;
            }
        }
        return failure == null;
    }

    /**
     * The exit status of the process, when the command has ended with {@code status}. Says on
     * {@code err} what failed; nothing where the reader has gone, like every other program.
     */
    int statusAfter(int status, PrintWriter err) {
        writer.flush();
        IOException failed = failure;
        if (failed == null) {
            return status;
        }
        boolean gone = readerGone.getAsBoolean();
        if (!gone) {
            err.println("tardis: standard output cannot be written: " + failed.getMessage());
        }
        return switch (status) {
            case ExitStatus.OK, ExitStatus.READER_GONE ->
                    gone ? ExitStatus.READER_GONE : ExitStatus.FAILED;
            default -> status;
        };
    }

    private final class RememberingStream extends OutputStream {
        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (failure != null) {
                throw failure; // nothing may follow what is missing
            }
            try {
                sink.write(bytes, offset, length);
            } catch (IOException e) {
                failure = e;
                throw e;
            }
        }
    }
}
