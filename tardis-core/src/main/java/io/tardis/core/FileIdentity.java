package io.tardis.core;

import java.io.IOException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Which file has a name, to notice that another one has it by now. Links are not followed. */
public final class FileIdentity {

    private static final Logger LOG = LoggerFactory.getLogger(FileIdentity.class);

    private FileIdentity() {}

    /** The device and inode of what has that name; null if nothing has it. */
    public static @Nullable Object of(Path file) throws IOException {
        BasicFileAttributes attributes = attributes(file);
        return attributes == null ? null : attributes.fileKey();
    }

    /** As {@link #of}; what cannot be looked at counts as not there. */
    public static @Nullable Object ofVisible(Path file) {
        try {
            return of(file);
        } catch (IOException e) {
            LOG.debug("{} cannot be looked at, and counts as not there", file, e);
            return null;
        }
    }

    /**
     * Null if there is no such file. Not by {@code Files.exists}, which takes a file that this user
     * cannot look at for none.
     */
    public static @Nullable BasicFileAttributes attributes(Path file) throws IOException {
        return file.getFileSystem()
                .provider()
                .readAttributesIfExists(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    }
}
