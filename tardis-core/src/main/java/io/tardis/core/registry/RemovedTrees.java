package io.tardis.core.registry;

import io.tardis.core.Owner;
import io.tardis.core.Worker;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Removes, in a thread of its own, what {@link ContainerTree} has moved to {@code ROOT/.removed/};
 * what a daemon has left there, the next one removes when it starts.
 *
 * <p>The directory is the list of what is to be done, so nothing is remembered and nothing can be
 * forgotten. It takes the same care as {@link ContainerTree}: nothing is opened through a link, and
 * no mount point is entered. Mount points are looked up when the tree is in {@code .removed}
 * already, where nobody knows its path, so none can be added behind the look-up.
 *
 * <p>A tree may have any depth: what is too deep to hold a descriptor for each level is moved to
 * the top and is the next tree. What cannot be removed is logged once and stays until the next
 * start.
 */
public final class RemovedTrees implements AutoCloseable {

    /** The directory's name: no containerd namespace can be called so. */
    static final String NAME = ".removed";

    private static final Logger LOG = LoggerFactory.getLogger(RemovedTrees.class);

    private static final String FOR_ITS_USER = "rwx------";

    /** Every level holds a descriptor. */
    private static final int MAX_DEPTH = 64;

    private final List<Path> roots;
    private final Worker worker = new Worker("tardis-runc-removal", this::run);

    /** What could not be removed. For the thread alone. */
    private final Set<Path> left = new HashSet<>();

    /**
     * A remover that does nothing yet.
     *
     * @param roots the directories that {@link ContainerTree#remove} is called with
     */
    public RemovedTrees(List<Path> roots) {
        this.roots = List.copyOf(roots);
    }

    /** Starts, with what is left of an earlier process. */
    public void start() {
        worker.start();
    }

    /** Something may be there to be removed. From any thread; does not wait. */
    public void look() {
        worker.wake();
    }

    /** Stops within an entry; the rest is for the next start. May be called twice. */
    @Override
    public void close() {
        worker.close();
    }

    /**
     * Opens {@code ROOT/.removed}, which is made if it is not there.
     *
     * @throws IOException if it is not a directory of this process's user alone
     */
    @SuppressWarnings("StreamResourceLeak") // the caller closes what this returns
    static SecureDirectoryStream<Path> open(Path root, SecureDirectoryStream<Path> rootStream)
            throws IOException {
        Path directory = root.resolve(NAME);
        Files.createDirectories(directory);
        SecureDirectoryStream<Path> stream =
                DirectoryStreams.openBelow(rootStream, directory.getFileName());
        PosixFileAttributeView view = stream.getFileAttributeView(PosixFileAttributeView.class);
        UserPrincipal owner = view.getOwner();
        if (!Owner.isUs(owner)) {
            stream.close();
            throw new IOException(directory + " " + Owner.complaint(owner) + "; remove it");
        }
        view.setPermissions(PosixFilePermissions.fromString(FOR_ITS_USER));
        return stream;
    }

    private void run() throws InterruptedException {
        while (!worker.isStopping()) {
            roots.forEach(this::removeIn);
            worker.await();
        }
    }

    private void removeIn(Path root) {
        Path directory = root.resolve(NAME);
        if (!Files.isDirectory(root)) {
            return; // no container was ever registered, or had a checkpoint
        }
        // From here on .removed is there: when it is needed, the disk may be full.
        try (SecureDirectoryStream<Path> rootStream = DirectoryStreams.open(root)) {
            String realPath = root.toRealPath().resolve(NAME).toString();
            boolean more = true;
            while (more && !worker.isStopping()) {
                more = false;
                try (SecureDirectoryStream<Path> trees = open(root, rootStream)) {
                    for (Path entry : trees) {
                        Path tree = directory.resolve(entry.getFileName());
                        if (!left.contains(tree)) {
                            more = true;
                            remove(trees, tree, realPath + "/" + tree.getFileName());
                        }
                    }
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            LOG.warn("what is in {} cannot be removed now, but at the next start", directory, e);
        }
    }

    private void remove(SecureDirectoryStream<Path> trees, Path tree, String path)
            throws IOException {
        Removal removal = new Removal(trees, MountPoints.of(path));
        if (!removal.remove(trees, tree.getFileName(), path, 0) && !worker.isStopping()) {
            left.add(tree);
            LOG.warn("{} is left, and is tried again at the next start: {}", tree, removal.reason);
        }
    }

    /** The removal of one tree. */
    private final class Removal {

        private final SecureDirectoryStream<Path> top;
        private final MountPoints mounts;

        /** Why something is left: the first cause. */
        private String reason = "";

        Removal(SecureDirectoryStream<Path> top, MountPoints mounts) {
            this.top = top;
            this.mounts = mounts;
        }

        /** Returns whether the entry has gone. */
        boolean remove(SecureDirectoryStream<Path> parent, Path name, String path, int depth) {
            try {
                return !worker.isStopping() && removeEntry(parent, name, path, depth);
            } catch (NoSuchFileException _) {
                return true; // somebody else removed it meanwhile
            } catch (IOException e) {
                return isLeft(path + " cannot be removed: " + e);
            }
        }

        private boolean removeEntry(
                SecureDirectoryStream<Path> parent, Path name, String path, int depth)
                throws IOException {
            if (mounts.isAt(path)) {
                return isLeft("something is mounted on " + path);
            }
            if (!DirectoryStreams.isDirectory(parent, name)) {
                parent.deleteFile(name);
                return true;
            }
            if (depth == MAX_DEPTH) {
                if (mounts.isBelow(path)) {
                    return isLeft("something is mounted far below " + path);
                }
                parent.move(name, top, Path.of(UUID.randomUUID().toString()));
                return true;
            }
            boolean empty = true;
            try (SecureDirectoryStream<Path> children = DirectoryStreams.openBelow(parent, name)) {
                for (Path child : children) {
                    Path childName = child.getFileName();
                    empty &= remove(children, childName, path + "/" + childName, depth + 1);
                }
            } catch (DirectoryIteratorException e) {
                throw e.getCause();
            }
            if (empty) {
                parent.deleteDirectory(name);
            }
            return empty;
        }

        private boolean isLeft(String why) {
            if (reason.isEmpty()) {
                reason = why;
            }
            return false;
        }
    }
}
