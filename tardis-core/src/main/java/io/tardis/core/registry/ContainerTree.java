package io.tardis.core.registry;

import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.attribute.BasicFileAttributeView;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Removes {@code ROOT/NS/ID/} with everything in it.
 *
 * <p>Whoever can write in that directory must not be able to point the removal elsewhere, also not
 * by swapping a directory for a link while it runs. So every step goes through the descriptor of
 * the directory above ({@code openat}, {@code unlinkat}) and opens nothing through a link: a link
 * is removed, and what it names stays.
 */
public final class ContainerTree {

    /** Deeper trees are refused: every level holds a descriptor. */
    private static final int MAX_DEPTH = 128;

    private ContainerTree() {}

    /**
     * Removes the container's directory below {@code root}; does nothing where there is none.
     *
     * @param root the directory that holds {@code NS/ID/}; it may itself be reached through links
     * @param container names the directory
     * @throws IOException if something could not be removed; the rest is gone
     */
    public static void remove(Path root, ContainerKey container) throws IOException {
        remove(root, container, Optional.empty());
    }

    /** As {@link #remove(Path, ContainerKey)}, and the entry {@code first} goes first. */
    static void remove(Path root, ContainerKey container, Optional<Path> first) throws IOException {
        if (!Files.exists(root)) {
            return; // most nodes have no checkpoints: the exception would cost more than the look
        }
        Path name = Path.of(container.id());
        try (SecureDirectoryStream<Path> rootStream = open(root);
                SecureDirectoryStream<Path> namespace =
                        openBelow(rootStream, Path.of(container.namespace()))) {
            removeEntry(namespace, name, first, 0);
        } catch (NoSuchFileException e) {
            return; // nothing was kept
        }
    }

    private static void removeEntry(
            SecureDirectoryStream<Path> parent, Path name, Optional<Path> first, int depth)
            throws IOException {
        if (!isDirectory(parent, name)) {
            parent.deleteFile(name);
            return;
        }
        if (depth == MAX_DEPTH) {
            throw new IOException("more than " + MAX_DEPTH + " directories deep at " + name);
        }
        try (SecureDirectoryStream<Path> children = openBelow(parent, name)) {
            if (first.isPresent()) {
                removeIfThere(children, first.get(), depth + 1);
            }
            removeAll(children, depth + 1);
        }
        parent.deleteDirectory(name);
    }

    private static void removeIfThere(SecureDirectoryStream<Path> parent, Path name, int depth)
            throws IOException {
        try {
            removeEntry(parent, name, Optional.empty(), depth);
        } catch (NoSuchFileException _) {
            // Somebody else removed it meanwhile, or it never was there.
        }
    }

    /** Removes what can be removed, and fails afterwards if that was not all. */
    private static void removeAll(SecureDirectoryStream<Path> children, int depth)
            throws IOException {
        @Nullable IOException failure = null;
        try {
            for (Path child : children) {
                try {
                    removeIfThere(children, child.getFileName(), depth);
                } catch (IOException e) {
                    failure = suppressing(failure, e);
                }
            }
        } catch (DirectoryIteratorException e) {
            failure = suppressing(failure, new IOException("a directory cannot be listed", e));
        }
        if (failure != null) {
            throw failure;
        }
    }

    private static IOException suppressing(@Nullable IOException first, IOException next) {
        if (first == null) {
            return next;
        }
        first.addSuppressed(next);
        return first;
    }

    private static boolean isDirectory(SecureDirectoryStream<Path> parent, Path name)
            throws IOException {
        return parent.getFileAttributeView(
                        name, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                .readAttributes()
                .isDirectory();
    }

    @SuppressWarnings("StreamResourceLeak") // the caller closes what this returns
    private static SecureDirectoryStream<Path> open(Path directory) throws IOException {
        DirectoryStream<Path> stream = Files.newDirectoryStream(directory);
        if (stream instanceof SecureDirectoryStream<Path> secure) {
            return secure;
        }
        stream.close();
        throw new NotDirectoryException(directory + " (its file system has no openat)");
    }

    private static SecureDirectoryStream<Path> openBelow(
            SecureDirectoryStream<Path> parent, Path name) throws IOException {
        return parent.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS);
    }
}
