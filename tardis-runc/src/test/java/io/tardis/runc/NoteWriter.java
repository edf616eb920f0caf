package io.tardis.runc;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Adds a record to a file as the launcher does, in a process of its own: under a lock. */
final class NoteWriter {

    private static final int POLL_MILLIS = 10;

    private NoteWriter() {}

    /** Locks the first file; when the third is there, it appends the second to the first. */
    public static void main(String[] files) throws IOException, InterruptedException {
        byte[] record = Files.readAllBytes(Path.of(files[1]));
        try (FileChannel channel = FileChannel.open(Path.of(files[0]), StandardOpenOption.APPEND);
                FileLock _ = channel.lock()) {
            System.out.println("locked");
            while (!Files.exists(Path.of(files[2]))) {
                Thread.sleep(POLL_MILLIS);
            }
            channel.write(ByteBuffer.wrap(record));
        }
        System.out.println("written");
    }
}
