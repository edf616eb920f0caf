package io.tardis.core.registry;

import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which containers are Tardis-enabled, and what is kept for each: the directories {@code
 * STATE_DIR/containers/NS/ID/}.
 *
 * <ul>
 *   <li>{@code life.json} is there from {@code create} to {@code delete}: the open life. The native
 *       launcher looks for this name.
 *   <li>{@code last-life.json} is the life before, if it was not cleaned up.
 *   <li>Everything else belongs to whoever keeps something for the container, and goes with the
 *       directory.
 * </ul>
 *
 * <p>The file system is the only truth, so a shim in another process sees the same. Calls for
 * different containers may come from any thread; containerd makes the calls of one container one
 * after the other.
 */
public final class ContainerRegistry {

    private static final Logger LOG = LoggerFactory.getLogger(ContainerRegistry.class);
    private static final String OPEN = "life.json";
    private static final String LAST = "last-life.json";

    private static final int REMEMBERED = 1_000;
    private static final int LIVES_LOOK = 10;

    private final Path containersDir;

    /**
     * What was read or written before. A life is asked for five times, and to look whether its file
     * is still the same takes a quarter of reading it.
     */
    private final Map<Path, Seen> seen =
            Collections.synchronizedMap(
                    new LinkedHashMap<>() {
                        @java.io.Serial private static final long serialVersionUID = 1L;

                        @Override
                        protected boolean removeEldestEntry(Map.Entry<Path, Seen> eldest) {
                            return size() > REMEMBERED;
                        }
                    });

    private record Seen(LifeFile.Stamp stamp, Life life) {}

    /** The directory's device and inode, when it was looked at last; null: it was never there. */
    private @Nullable Object directoryKey;

    private int looks;

    /**
     * The registry in {@code containersDir}, which is made when first needed.
     *
     * @param containersDir {@code STATE_DIR/containers}
     */
    public ContainerRegistry(Path containersDir) {
        this.containersDir = containersDir;
    }

    /**
     * Begins a life. One that is still open, because its delete was missed, becomes the last one.
     *
     * @throws IOException if it cannot be written
     */
    public synchronized Life register(ContainerKey container, Path bundle, Instant now)
            throws IOException {
        Path directory = makeDirectory(container);
        close(container);
        Life life =
                new Life(
                        UUID.randomUUID().toString(),
                        container,
                        now,
                        bundle,
                        Optional.empty(),
                        false,
                        false);
        Path file = directory.resolve(OPEN);
        LifeFile.write(file, life).ifPresent(it -> seen.put(file, new Seen(it, life)));
        if (directoryKey == null) {
            directoryKey = key(containersDir);
        }
        return life;
    }

    /**
     * Replaces the open life of the container by a later state of itself.
     *
     * @return whether there is still one; a shim in another process may have ended it meanwhile
     * @throws IOException if it cannot be written
     */
    public synchronized boolean update(Life life) throws IOException {
        Path file = directory(life.container()).resolve(OPEN);
        try {
            int bytes = LifeFile.append(file, life);
            Seen before = seen.get(file);
            if (before != null) {
                LifeFile.stamp(file)
                        .filter(it -> before.stamp().grewInto(it, bytes))
                        .ifPresent(it -> seen.put(file, new Seen(it, life)));
            }
            return true;
        } catch (NoSuchFileException e) {
            LOG.debug("{} has no open life any more", life.container(), e);
            return false;
        }
    }

    /**
     * Replaces the open life of the container by a later state of itself, unless it was ended in
     * the meantime.
     *
     * @return whether it is still open
     * @throws IOException if it cannot be written
     */
    public synchronized boolean updateIfOpen(Life life) throws IOException {
        return open(life.container()).filter(it -> it.id().equals(life.id())).isPresent()
                && update(life);
    }

    /**
     * The life of the container that is not deleted yet; a file that holds none is logged, and
     * counts as none.
     *
     * @throws UncheckedIOException if there is a life that cannot be read now, for want of
     *     descriptors for instance
     */
    public Optional<Life> open(ContainerKey container) {
        return read(container, OPEN);
    }

    /**
     * The container's newest life that is deleted, if something is still kept for it.
     *
     * @throws UncheckedIOException as {@link #open}
     */
    public Optional<Life> last(ContainerKey container) {
        return read(container, LAST);
    }

    /**
     * The open life of the container and the one before it, where they are there.
     *
     * @throws UncheckedIOException as {@link #open}
     */
    public List<Life> lives(ContainerKey container) {
        return Stream.of(open(container), last(container)).flatMap(Optional::stream).toList();
    }

    /**
     * Every open life, in no particular order.
     *
     * @throws UncheckedIOException as {@link #open}
     */
    public List<Life> openLives() {
        List<Life> lives = new ArrayList<>();
        forEachOpen(lives::add);
        return lives;
    }

    /**
     * Does something with every open life, in no particular order.
     *
     * @throws UncheckedIOException if there is a life that cannot be read now, or {@code action}
     *     threw it; the others had their turn all the same
     */
    public void forEachOpen(Consumer<Life> action) {
        UncheckedIOException failure = null;
        for (String namespace : names(containersDir)) {
            for (String id : names(containersDir.resolve(namespace))) {
                try {
                    open(new ContainerKey(namespace, id)).ifPresent(action);
                } catch (UncheckedIOException e) {
                    failure = e;
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    /**
     * Ends the open life, if there is one; what is kept for the container stays.
     *
     * @throws IOException if it cannot be written
     */
    public synchronized void close(ContainerKey container) throws IOException {
        Path directory = directory(container);
        Path open = directory.resolve(OPEN);
        if (!LifeFile.isThere(open)) {
            return; // as at most creates
        }
        seen.remove(open);
        try {
            Files.move(open, directory.resolve(LAST), StandardCopyOption.ATOMIC_MOVE);
        } catch (NoSuchFileException e) {
            LOG.trace("another process has ended the life of {}", container, e);
        }
    }

    /**
     * Forgets the container's last life, if it is this one; what else is kept for the container
     * stays.
     *
     * @throws IOException if it cannot be removed
     * @throws UncheckedIOException as {@link #open}
     */
    public synchronized void forgetLast(ContainerKey container, String lifeId) throws IOException {
        if (last(container).filter(it -> it.id().equals(lifeId)).isPresent()) {
            Files.deleteIfExists(directory(container).resolve(LAST));
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
        ContainerKey container = life.container();
        if (open(container).filter(it -> it.id().equals(life.id())).isEmpty()) {
            return false;
        }
        // Without the lock: checkpoints may be on a file system that hangs, and a container's calls
        // come one after the other.
        try {
            ContainerTree.remove(checkpointDir, container);
        } finally {
            remove(container);
        }
        return true;
    }

    /**
     * Removes all that is kept for the container, its open life first. No symbolic link is
     * followed.
     *
     * @throws IOException if something had to stay; no life is open then all the same, unless it is
     *     the life itself
     */
    public synchronized void remove(ContainerKey container) throws IOException {
        seen.remove(directory(container).resolve(OPEN));
        ContainerTree.remove(containersDir, container, Optional.of(Path.of(OPEN)));
    }

    /**
     * Writes open lives again whose files were removed beneath this process: those that it has seen
     * lately, and whose process is still there. The end of a life that is not registered would be
     * nobody's, and the container's answer that of an earlier life. To be called now and then; it
     * looks at each life every {@value #LIVES_LOOK} times, and at once if the directory of all of
     * them is another one.
     */
    public synchronized void keepInPlace() {
        boolean moved = directoryKey != null && !isInPlace();
        looks++;
        if (moved || looks % LIVES_LOOK == 0) {
            int again = 0;
            for (Map.Entry<Path, Seen> each : List.copyOf(seen.entrySet())) {
                if (each.getKey().endsWith(OPEN) && writeAgain(each.getKey(), each.getValue())) {
                    again++;
                }
            }
            if (moved || again > 0) {
                LOG.error(
                        "what was in {} was removed or replaced; {} open lives were written again, and what was kept"
                                + " there is gone",
                        containersDir,
                        again);
            }
        }
        directoryKey = key(containersDir);
    }

    private boolean writeAgain(Path file, Seen known) {
        Life life = known.life();
        try {
            if (LifeFile.isThere(file) || !isRunning(life) || isLast(life)) {
                return false;
            }
            makeDirectory(life.container());
            LifeFile.write(file, life).ifPresent(it -> seen.put(file, new Seen(it, life)));
            return true;
        } catch (IOException | UncheckedIOException e) {
            LOG.error("the life of {} cannot be written again", life.container(), e);
            return false;
        }
    }

    private static boolean isRunning(Life life) {
        return life.init().isPresent() && life.init().get().exists();
    }

    /** Whether a shim in another process has ended the life, though its process is still there. */
    private boolean isLast(Life life) {
        return last(life.container()).filter(it -> it.id().equals(life.id())).isPresent();
    }

    private boolean isInPlace() {
        Object key = key(containersDir);
        return key == null ? directoryKey == null : key.equals(directoryKey);
    }

    private static @Nullable Object key(Path directory) {
        try {
            return LifeFile.key(directory);
        } catch (IOException e) {
            LOG.debug("{} cannot be looked at, and counts as not there", directory, e);
            return null;
        }
    }

    private Optional<Life> read(ContainerKey container, String name) {
        Path file = directory(container).resolve(name);
        try {
            Optional<LifeFile.Stamp> stamp = LifeFile.stamp(file);
            if (stamp.isEmpty()) {
                Seen gone = seen.get(file);
                if (gone != null && !isRunning(gone.life())) {
                    seen.remove(file);
                }
                return Optional.empty();
            }
            Seen before = seen.get(file);
            if (before != null && before.stamp().equals(stamp.get())) {
                return Optional.of(before.life());
            }
            // What is written meanwhile has another stamp, and is read the next time.
            Optional<Life> life = LifeFile.read(file, container);
            life.ifPresent(it -> seen.put(file, new Seen(stamp.get(), it)));
            return life;
        } catch (FileSystemException e) {
            if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                // There is a life: whoever took it for none would answer for the one before.
                throw new UncheckedIOException(e);
            }
            LOG.warn("{} is no life and is passed over: {}", file, e.getMessage());
            return Optional.empty();
        } catch (IOException e) {
            LOG.warn(
                    "a life of {} cannot be read and is passed over: {}",
                    container,
                    e.getMessage());
            return Optional.empty();
        }
    }

    private Path makeDirectory(ContainerKey container) throws IOException {
        return Files.createDirectories(
                directory(container),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    private Path directory(ContainerKey container) {
        return containersDir.resolve(container.namespace()).resolve(container.id());
    }

    private static List<String> names(Path directory) {
        List<String> names = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                String name = entry.getFileName().toString();
                if (ContainerKey.isIdentifier(name)
                        && Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
                    names.add(name);
                }
            }
        } catch (NoSuchFileException | NotDirectoryException e) {
            LOG.trace("nothing is registered in {}", directory, e);
        } catch (DirectoryIteratorException e) {
            throw new UncheckedIOException(e.getCause());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return names;
    }
}
