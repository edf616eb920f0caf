package io.tardis.core;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;

/** Small files that a crash of the machine leaves whole. */
public final class DurableFile {

    private DurableFile() {}

    /**
     * Writes a new file, which is on the disk when this returns. To be called with a name beside
     * the file's place: what a killed process has left there is replaced.
     *
     * @param permissions such as {@code rw-------}, from the file's beginning on
     */
    public static void create(Path file, String permissions, String text) throws IOException {
        Files.deleteIfExists(file);
        Files.createFile(
                file,
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions)));
        Files.writeString(
                file,
                text,
                StandardOpenOption.WRITE,
                StandardOpenOption.SYNC,
                LinkOption.NOFOLLOW_LINKS);
    }

    /** Makes the names in the directory of {@code file} survive such a crash, too. */
    public static void forceDirectory(Path file) throws IOException {
        try (FileChannel directory = FileChannel.open(file.resolveSibling("."))) {
            directory.force(true);
        }
    }
}
