package io.tardis.core.registry;

import io.tardis.core.FileIdentity;
import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The open lives of Tardis-enabled containers, and what is kept for each: the directories {@code
 * STATE_DIR/containers/NS/ID/}.
 *
 * <ul>
 *   <li>{@code life.json} is there from {@code create} to {@code delete}: the open life. The native
 *       launcher looks for this name, and the next daemon reads it.
 *   <li>Everything else belongs to whoever keeps something for the container. It goes with the
 *       directory after a clean exit, and stays otherwise; an empty directory goes at last, too.
 * </ul>
 *
 * <p>The daemon that owns the state directory is the only one that writes lives. So it answers from
 * memory, and the files are for the launcher and for its successor. From any thread.
 */
public final class ContainerRegistry {

    private static final Logger LOG = LoggerFactory.getLogger(ContainerRegistry.class);
    static final Path OPEN = Path.of("life.json");

    /** Written by versions that kept the life before, also where it had ended. */
    private static final Path FORMER = Path.of("last-life.json");

    private static final int LIVES_LOOK = 10;

    private final Path containersDir;
    private final Map<ContainerKey, Life> lives = new HashMap<>();

    /** The directory's device and inode, when it was looked at last; null: it was never there. */
    private @Nullable Object directoryKey;

    private int looks;

    /**
     * An empty registry.
     *
     * @param containersDir {@code STATE_DIR/containers}, which is made when first needed
     */
    public ContainerRegistry(Path containersDir) {
        this.containersDir = containersDir;
    }

    /**
     * Reads the lives that a daemon before this one left open. A file that holds none, or cannot be
     * read, is logged and passed over.
     *
     * @return the lives before them, which earlier versions kept, too; their files are gone then
     */
    public synchronized List<Life> load() {
        List<Life> former = new ArrayList<>();
        for (ContainerKey container : registered()) {
            read(container, OPEN).ifPresent(it -> lives.put(container, it));
            read(container, FORMER).ifPresent(former::add);
            deleteQuietly(directory(container).resolve(FORMER));
        }
        directoryKey = FileIdentity.ofVisible(containersDir);
        return former;
    }

    /**
     * Begins a life, in the place of one whose delete was missed.
     *
     * @throws IOException if it cannot be written; then it is not registered
     */
    public synchronized void register(Life life) throws IOException {
        try {
            write(life);
        } catch (IOException e) {
            removeIfEmpty(life.container());
            throw e;
        }
        lives.put(life.container(), life);
        if (directoryKey == null) {
            directoryKey = FileIdentity.ofVisible(containersDir);
        }
    }

    /**
     * Replaces an open life by a later state of itself.
     *
     * @return whether it is still open
     * @throws IOException if it cannot be written; memory has the later state all the same
     */
    public synchronized boolean update(Life life) throws IOException {
        if (!isOpen(life)) {
            return false;
        }
        lives.put(life.container(), life);
        try {
            LifeFile.append(file(life.container()), life);
        } catch (NoSuchFileException e) {
            LOG.debug("the life of {} was removed, and is written again", life.container(), e);
            register(life);
        }
        return true;
    }

    /** The life of the container that is not deleted yet. */
    public synchronized Optional<Life> open(ContainerKey container) {
        return Optional.ofNullable(lives.get(container));
    }

    /** Every open life, in no particular order. */
    public synchronized List<Life> openLives() {
        return List.copyOf(lives.values());
    }

    /**
     * Ends a life, if it is open. What is kept for the container stays; of a life without a
     * process, whose create failed, nothing does.
     *
     * @return whether it was open
     * @throws IOException if its file cannot be removed
     */
    public synchronized boolean close(Life life) throws IOException {
        if (!isOpen(life)) {
            return false;
        }
        Files.deleteIfExists(file(life.container()));
        lives.remove(life.container());
        if (life.init().isEmpty()) {
            removeIfEmpty(life.container());
        }
        return true;
    }

    /**
     * Removes the empty directories of containers that have no open life and were left before
     * {@code time}. It looks at each directory, so it is to be called rarely.
     */
    public void removeEmpty(Instant time) {
        for (ContainerKey container : registered()) {
            synchronized (this) {
                if (!lives.containsKey(container) && isOlder(directory(container), time)) {
                    deleteQuietly(LifeFile.beside(file(container)));
                    removeIfEmpty(container);
                }
            }
        }
    }

    private static boolean isOlder(Path directory, Instant time) {
        try {
            return Files.getLastModifiedTime(directory).toInstant().isBefore(time);
        } catch (IOException e) {
            LOG.debug("{} cannot be looked at, and stays", directory, e);
            return false;
        }
    }

    /**
     * Removes all that is kept for the container of a life, its checkpoints, too, if this life is
     * still the open one. That takes the same short time for any amount; {@link RemovedTrees} does
     * the rest.
     *
     * @param checkpointDir holds the checkpoints of containers, {@code NS/ID/}
     * @return whether the life was open
     * @throws IOException if something had to stay; no life is open then all the same, unless it is
     *     the life itself
     */
    public boolean remove(Life life, Path checkpointDir) throws IOException {
        if (!isOpen(life)) {
            return false;
        }
        // Without the lock: checkpoints may be on a file system that hangs, and a container's calls
        // come one after the other.
        try {
            ContainerTree.remove(checkpointDir, life.container(), false);
        } finally {
            removeOwn(life);
        }
        return true;
    }

    private synchronized void removeOwn(Life life) throws IOException {
        if (isOpen(life)) {
            try {
                ContainerTree.remove(containersDir, life.container(), true);
            } finally {
                if (FileIdentity.of(file(life.container())) == null) {
                    lives.remove(life.container());
                }
            }
        }
    }

    /**
     * Writes open lives again whose files were removed beneath this process, and whose process is
     * still there: the launcher would bring no call of theirs. To be called now and then; it looks
     * at each life every {@value #LIVES_LOOK} times, and at once if the directory of all of them is
     * another one. Without an open life it looks at nothing.
     */
    public synchronized void keepInPlace() {
        if (lives.isEmpty()) {
            return;
        }
        boolean moved =
                directoryKey != null && !directoryKey.equals(FileIdentity.ofVisible(containersDir));
        looks++;
        if (moved || looks % LIVES_LOOK == 0) {
            long again = lives.values().stream().filter(this::writeAgain).count();
            if (moved || again > 0) {
                LOG.error(
                        "what was in {} was removed or replaced; {} open lives were written again, and what was kept"
                                + " there is gone",
                        containersDir,
                        again);
            }
        }
        directoryKey = FileIdentity.ofVisible(containersDir);
    }

    private boolean writeAgain(Life life) {
        try {
            if (FileIdentity.of(file(life.container())) != null
                    || life.init().filter(InitProcess::exists).isEmpty()) {
                return false;
            }
            write(life);
            return true;
        } catch (IOException | UncheckedIOException e) {
            LOG.error("the life of {} cannot be written again", life.container(), e);
            return false;
        }
    }

    private synchronized boolean isOpen(Life life) {
        Life known = lives.get(life.container());
        return known != null && known.id().equals(life.id());
    }

    private Optional<Life> read(ContainerKey container, Path name) {
        try {
            return LifeFile.read(directory(container).resolve(name), container);
        } catch (IOException e) {
            LOG.warn(
                    "a life of {} cannot be read and is passed over: {}",
                    container,
                    e.getMessage());
            return Optional.empty();
        }
    }

    private void write(Life life) throws IOException {
        Files.createDirectories(
                directory(life.container()),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        LifeFile.write(file(life.container()), life);
    }

    private void removeIfEmpty(ContainerKey container) {
        deleteQuietly(directory(container));
        deleteQuietly(containersDir.resolve(container.namespace()));
    }

    private static void deleteQuietly(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (DirectoryNotEmptyException e) {
            LOG.trace("{} stays: something is kept in it", path, e);
        } catch (IOException e) {
            LOG.warn("{} cannot be removed: {}", path, e.toString());
        }
    }

    private Path directory(ContainerKey container) {
        return containersDir.resolve(container.namespace()).resolve(container.id());
    }

    private Path file(ContainerKey container) {
        return directory(container).resolve(OPEN);
    }

    private List<ContainerKey> registered() {
        return names(containersDir).stream()
                .flatMap(namespace ->
                        names(containersDir.resolve(namespace)).stream()
                                .map(id -> new ContainerKey(namespace, id)))
                .toList();
    }

    private static List<String> names(Path directory) {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.filter(it -> Files.isDirectory(it, LinkOption.NOFOLLOW_LINKS))
                    .map(it -> it.getFileName().toString())
                    .filter(ContainerKey::isIdentifier)
                    .toList();
        } catch (NoSuchFileException | NotDirectoryException e) {
            LOG.trace("nothing is registered in {}", directory, e);
        } catch (IOException | UncheckedIOException e) {
            LOG.error(
                    "{} cannot be listed, and what is registered there is passed over",
                    directory,
                    e);
        }
        return List.of();
    }
}
