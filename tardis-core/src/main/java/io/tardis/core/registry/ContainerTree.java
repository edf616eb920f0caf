package io.tardis.core.registry;

import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.util.Optional;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes {@code ROOT/NS/ID/} with everything in it out of its place, in a time that does not depend
 * on how much that is.
 *
 * <h2>How</h2>
 *
 * <p>The directory is renamed to a unique name in {@code ROOT/.removed/}. A few files are removed
 * there at once; for a larger tree {@link RemovedTrees} does that later. The rename is also what
 * finds out, in one step, whether the directory is on the file system of {@code ROOT} and no mount
 * point: the kernel refuses it otherwise (EXDEV, EBUSY), also for a bind mount of the same device.
 *
 * <p>What is mounted below the directory would move with it. So where there are subdirectories, the
 * mount points are looked up first, and everything beside the way to them is renamed instead: what
 * is mounted keeps its path and its content.
 *
 * <h2>Whom it does not trust</h2>
 *
 * <p>Whoever can write in that directory must not be able to point the removal elsewhere, also not
 * by swapping a directory for a link while it runs. So every step goes through the descriptor of
 * the directory above ({@code openat}, {@code renameat}, {@code unlinkat}) and opens nothing
 * through a link: a link is removed, and what it names stays.
 */
public final class ContainerTree {

    private static final Logger LOG = LoggerFactory.getLogger(ContainerTree.class);

    /** So many files are removed at once: the registry's own are two. */
    private static final int FEW = 16;

    /** So many entries beside a mount point are renamed; a delete waits for it. */
    private static final int MAX_MOVES = 1_000;

    private final Path root;
    private final SecureDirectoryStream<Path> rootStream;
    private final SecureDirectoryStream<Path> namespace;
    private final Path name;

    /** The container's directory, for comparisons and the log. */
    private final Path directory;

    private ContainerTree(
            Path root,
            SecureDirectoryStream<Path> rootStream,
            SecureDirectoryStream<Path> namespace,
            ContainerKey container) {
        this.root = root;
        this.rootStream = rootStream;
        this.namespace = namespace;
        this.name = Path.of(container.id());
        this.directory = root.resolve(container.namespace()).resolve(container.id());
    }

    /**
     * Takes the container's directory below {@code root} out of its place; does nothing where there
     * is none. What is mounted in it stays where it is, which is logged.
     *
     * @param root the directory that holds {@code NS/ID/}; it may itself be reached through links
     * @param container names the directory
     * @throws IOException if that could not be done
     */
    public static void remove(Path root, ContainerKey container) throws IOException {
        remove(root, container, Optional.empty());
    }

    /**
     * As {@link #remove(Path, ContainerKey)}, and the file {@code first} goes first, also where the
     * rest has to stay.
     */
    static void remove(Path root, ContainerKey container, Optional<Path> first) throws IOException {
        if (!Files.exists(root)) {
            return; // most nodes have no checkpoints: the exception would cost more than the look
        }
        try (SecureDirectoryStream<Path> rootStream = DirectoryStreams.open(root);
                SecureDirectoryStream<Path> namespace =
                        DirectoryStreams.openBelow(rootStream, Path.of(container.namespace()))) {
            new ContainerTree(root, rootStream, namespace, container).remove(first);
        } catch (NoSuchFileException e) {
            LOG.trace("nothing is kept for {} below {}", container, root, e);
        }
    }

    private void remove(Optional<Path> first) throws IOException {
        if (!DirectoryStreams.isDirectory(namespace, name)) {
            namespace.deleteFile(name);
            return;
        }
        boolean few = removeFirst(first);
        try (SecureDirectoryStream<Path> removed = RemovedTrees.open(root, rootStream)) {
            if (few) {
                removeFew(removed);
                return;
            }
            MountPoints mounts = MountPoints.of(realPath());
            if (mounts.isEmpty() || mounts.isAt(realPath())) {
                Optional<Path> _ = move(removed);
            } else {
                moveAround(removed, mounts);
            }
        }
    }

    private String realPath() throws IOException {
        return root.toRealPath().resolve(root.relativize(directory)).toString();
    }

    /** Returns whether only a few files are left, and no directory that may hold a mount point. */
    private boolean removeFirst(Optional<Path> first) throws IOException {
        int count = 0;
        try (SecureDirectoryStream<Path> children = DirectoryStreams.openBelow(namespace, name)) {
            if (first.isPresent() && !isDirectoryNow(children, first.get())) {
                removeIfThere(children, first.get());
            }
            for (Path child : children) {
                if (++count > FEW || isDirectoryNow(children, child.getFileName())) {
                    return false;
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        return true;
    }

    private static boolean isDirectoryNow(SecureDirectoryStream<Path> parent, Path child)
            throws IOException {
        try {
            return DirectoryStreams.isDirectory(parent, child);
        } catch (NoSuchFileException _) {
            return false; // somebody else removed it meanwhile
        }
    }

    /** Moves the directory away; returns its new name, or empty if it had to stay. */
    private Optional<Path> move(SecureDirectoryStream<Path> removed) throws IOException {
        Path away = Path.of(UUID.randomUUID().toString());
        try {
            namespace.move(name, removed, away);
            return Optional.of(away);
        } catch (NoSuchFileException e) {
            throw e;
        } catch (FileSystemException e) {
            leaveIfMounted(e);
            return Optional.empty();
        }
    }

    /** A file that is a mount point cannot be unlinked: then all goes back to where it was. */
    private void removeFew(SecureDirectoryStream<Path> removed) throws IOException {
        Optional<Path> away = move(removed);
        if (away.isEmpty()) {
            return;
        }
        try (SecureDirectoryStream<Path> children =
                DirectoryStreams.openBelow(removed, away.get())) {
            for (Path child : children) {
                removeIfThere(children, child.getFileName());
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        } catch (FileSystemException e) {
            removed.move(away.get(), namespace, name);
            leaveIfMounted(e);
            return;
        }
        try {
            removed.deleteDirectory(away.get());
        } catch (DirectoryNotEmptyException e) {
            LOG.debug("somebody still writes to what was {}", directory, e);
        }
    }

    /** Logs that the directory stays, if something is mounted there; else it is a failure. */
    private void leaveIfMounted(FileSystemException cause) throws IOException {
        String path = realPath();
        String parent = path.substring(0, path.lastIndexOf('/'));
        MountPoints mounts = MountPoints.of(parent);
        boolean mounted = mounts.isAt(parent) || mounts.isAt(path) || mounts.isBelow(path);
        if (!mounted) {
            throw cause;
        }
        LOG.warn("{} is left alone, for something is mounted there: {}", directory, mounts);
    }

    private static void removeIfThere(SecureDirectoryStream<Path> parent, Path file)
            throws IOException {
        try {
            parent.deleteFile(file);
        } catch (NoSuchFileException _) {
            // Somebody else removed it meanwhile, or it never was there.
        }
    }

    /** Leaves the mount points and the directories that lead to them; the rest goes. */
    private void moveAround(SecureDirectoryStream<Path> removed, MountPoints mounts)
            throws IOException {
        LOG.warn("what is mounted below {} is left alone: {}", directory, mounts);
        int moved;
        try (SecureDirectoryStream<Path> children = DirectoryStreams.openBelow(namespace, name)) {
            moved = moveAround(children, realPath(), removed, mounts, 0);
        }
        if (moved == MAX_MOVES) {
            LOG.warn(
                    "{} holds more than {} entries beside what is mounted there; the others stay",
                    directory,
                    MAX_MOVES);
        }
    }

    /** Moves what is in {@code parent}; returns how many entries were moved since the beginning. */
    private static int moveAround(
            SecureDirectoryStream<Path> parent,
            String path,
            SecureDirectoryStream<Path> removed,
            MountPoints mounts,
            int before)
            throws IOException {
        int moved = before;
        try {
            for (Path entry : parent) {
                Path child = entry.getFileName();
                String childPath = path + "/" + child;
                if (moved == MAX_MOVES) {
                    return moved;
                }
                if (mounts.isAt(childPath)) {
                    continue;
                }
                if (mounts.isBelow(childPath)) {
                    try (SecureDirectoryStream<Path> below =
                            DirectoryStreams.openBelow(parent, child)) {
                        moved = moveAround(below, childPath, removed, mounts, moved);
                    }
                } else {
                    parent.move(child, removed, Path.of(UUID.randomUUID().toString()));
                    moved++;
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        return moved;
    }
}
