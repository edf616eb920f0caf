package io.tardis.core.registry;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.attribute.BasicFileAttributeView;

/** Directories by their descriptors, so that no link can lead elsewhere. */
final class DirectoryStreams {

    private DirectoryStreams() {}

    /** Opens {@code directory}, which may be reached through links. Linux has openat. */
    @SuppressWarnings("StreamResourceLeak") // the caller closes what this returns
    static SecureDirectoryStream<Path> open(Path directory) throws IOException {
        return (SecureDirectoryStream<Path>) Files.newDirectoryStream(directory);
    }

    /** Opens the directory {@code name} in {@code parent}; a link is refused. */
    static SecureDirectoryStream<Path> openBelow(SecureDirectoryStream<Path> parent, Path name)
            throws IOException {
        return parent.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS);
    }

    /** Whether the entry {@code name} of {@code parent} is a directory, and no link to one. */
    static boolean isDirectory(SecureDirectoryStream<Path> parent, Path name) throws IOException {
        return parent.getFileAttributeView(
                        name, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                .readAttributes()
                .isDirectory();
    }
}
