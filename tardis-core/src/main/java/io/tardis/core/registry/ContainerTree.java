package io.tardis.core.registry;

import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes {@code ROOT/NS/ID/} with everything in it out of its place, in a time that does not depend
 * on how much that is.
 *
 * <h2>How</h2>
 *
 * <p>A directory that holds nothing but a life's file is removed. Another one is renamed to a
 * unique name in {@code ROOT/.removed/}, where {@link RemovedTrees} removes it later. The kernel
 * refuses both for a mount point, and the rename for a directory that is not on the file system of
 * {@code ROOT} (EBUSY, EXDEV), also for a bind mount of the same device.
 *
 * <p>What is mounted below the directory would move with it. So the mount points are looked up
 * first, and everything beside the way to them is renamed instead: what is mounted keeps its path
 * and its content.
 *
 * <h2>Whom it does not trust</h2>
 *
 * <p>Whoever can write in that directory must not be able to point the removal elsewhere, also not
 * by swapping a directory for a link while it runs. So every step goes through the descriptor of
 * the directory above ({@code openat}, {@code renameat}, {@code unlinkat}) and opens nothing
 * through a link: a link is removed, and what it names stays.
 */
final class ContainerTree {

    private static final Logger LOG = LoggerFactory.getLogger(ContainerTree.class);

    /** So many entries beside a mount point are renamed; a delete waits for it. */
    private static final int MAX_MOVES = 1_000;

    private final SecureDirectoryStream<Path> removed;
    private final MountPoints mounts;

    /** How many entries were renamed. */
    private int moves;

    private ContainerTree(SecureDirectoryStream<Path> removed, MountPoints mounts) {
        this.removed = removed;
        this.mounts = mounts;
    }

    /**
     * Takes the container's directory below {@code root} out of its place; does nothing where there
     * is none. What is mounted in it stays where it is, which is logged.
     *
     * @param root the directory that holds {@code NS/ID/}; it may itself be reached through links
     * @param container names the directory
     * @param isOfLives whether lives have their files there: that goes first, also where the rest
     *     has to stay
     * @throws IOException if that could not be done
     */
    static void remove(Path root, ContainerKey container, boolean isOfLives) throws IOException {
        if (!Files.exists(root)) {
            return; // most nodes have no checkpoints: the exception would cost more than the look
        }
        Path name = Path.of(container.id());
        try (SecureDirectoryStream<Path> rootStream = DirectoryStreams.open(root);
                SecureDirectoryStream<Path> namespace =
                        DirectoryStreams.openBelow(rootStream, Path.of(container.namespace()))) {
            if (!DirectoryStreams.isDirectory(namespace, name)) {
                namespace.deleteFile(name);
            } else if (!isOfLives || !isRemoved(namespace, name)) {
                String parent = root.toRealPath().resolve(container.namespace()).toString();
                String path = parent + "/" + name;
                if (MountPoints.of(parent).isAt(parent)) {
                    LOG.warn("{} is left alone, for something is mounted on {}", path, parent);
                    return;
                }
                MountPoints mounts = MountPoints.of(path);
                if (!mounts.isEmpty()) {
                    LOG.warn("what is mounted in {} is left alone: {}", path, mounts);
                }
                try (SecureDirectoryStream<Path> removed = RemovedTrees.open(root, rootStream)) {
                    ContainerTree tree = new ContainerTree(removed, mounts);
                    tree.move(namespace, name, path);
                    if (tree.moves == MAX_MOVES) {
                        LOG.warn(
                                "{} holds more than {} entries beside what is mounted there; the others stay",
                                path,
                                MAX_MOVES);
                    }
                }
            }
        } catch (NoSuchFileException e) {
            LOG.trace("nothing is kept for {} below {}", container, root, e);
        }
    }

    /** Removes the life's file, and the directory if it is empty then. */
    private static boolean isRemoved(SecureDirectoryStream<Path> namespace, Path name)
            throws IOException {
        try (SecureDirectoryStream<Path> children = DirectoryStreams.openBelow(namespace, name)) {
            children.deleteFile(ContainerRegistry.OPEN);
        } catch (FileSystemException e) {
            LOG.trace("no life's file is removed in {}", name, e);
        }
        try {
            namespace.deleteDirectory(name);
            return true;
        } catch (FileSystemException e) {
            LOG.trace("{} is not empty, or a mount point", name, e);
            return false;
        }
    }

    /** Moves an entry away, but for mount points and the directories that lead to them. */
    private void move(SecureDirectoryStream<Path> parent, Path name, String path)
            throws IOException {
        if (!mounts.isAt(path) && !mounts.isBelow(path)) {
            parent.move(name, removed, Path.of(UUID.randomUUID().toString()));
            moves++;
        } else if (!mounts.isAt(path)) {
            try (SecureDirectoryStream<Path> children = DirectoryStreams.openBelow(parent, name)) {
                for (Path child : children) {
                    if (moves == MAX_MOVES) {
                        return;
                    }
                    move(children, child.getFileName(), path + "/" + child.getFileName());
                }
            } catch (DirectoryIteratorException e) {
                throw e.getCause();
            }
        }
    }
}
