package io.tardis.listener;

import io.tardis.core.FileIdentity;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Optional;

/** Reads small files that others write, without trust in what has their names. */
final class SmallFile {

    private SmallFile() {}

    /**
     * The text of {@code file}; empty if there is none, it is longer than {@code max} bytes, or it
     * is no regular file: a link is not followed, and a pipe not opened.
     *
     * @throws IOException if it cannot be read now, for want of descriptors for instance
     */
    static Optional<String> read(Path file, int max) throws IOException {
        BasicFileAttributes attributes = FileIdentity.attributes(file);
        if (attributes == null || !attributes.isRegularFile()) {
            return Optional.empty();
        }
        try (InputStream in = Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS)) {
            byte[] bytes = in.readNBytes(max + 1);
            return bytes.length > max
                    ? Optional.empty()
                    : Optional.of(new String(bytes, StandardCharsets.UTF_8));
        } catch (NoSuchFileException _) {
            return Optional.empty();
        }
    }
}
