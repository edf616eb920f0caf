package io.tardis.store;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files of an open exit log: {@code exits.db}, its write-ahead log and that one's index.
 * Whoever removes, moves or replaces one of them takes away what the next start reads, while this
 * process goes on with the old ones and notices nothing. So they are compared, by device and inode,
 * with what is at their paths.
 *
 * <p>Shared by the writer, which looks, and the readers, which ask what it found.
 */
final class LogFiles {

    private static final Logger LOG = LoggerFactory.getLogger(LogFiles.class);
    private static final List<String> SUFFIXES = List.of("", "-wal", "-shm");

    private final Path file;
    private volatile List<Object> opened = List.of();
    private final AtomicInteger openings = new AtomicInteger();
    private volatile boolean safe;

    LogFiles(Path file) {
        this.file = file;
    }

    Path file() {
        return file;
    }

    /** The file that is written completely before it takes the log's place. */
    Path beside() {
        return file.resolveSibling("." + file.getFileName() + ".new");
    }

    /** Removes what a copy left that was not finished. */
    void removeBeside() {
        remove(beside());
    }

    /** Removes a file that is not needed, if it is there. */
    static void remove(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            LOG.warn("{} is not needed, and cannot be removed", file, e);
        }
    }

    /** What is at the paths now has been opened by the writer. */
    void opened() {
        opened = present();
        openings.incrementAndGet();
        safe = true;
    }

    /** How often the writer has opened the log: a reader that has seen fewer opens it again. */
    int openings() {
        return openings.get();
    }

    /** Looks whether the files at the paths are those that were opened. */
    boolean areInPlace() {
        List<Object> present = present();
        return present.size() == SUFFIXES.size() && present.equals(opened);
    }

    /** Whether the next start finds what is in the log, as far as the writer knows. */
    boolean isSafe() {
        return safe;
    }

    /** The next start does not find what is in the log, until it is {@link #opened} again. */
    void notSafe() {
        safe = false;
    }

    /** How many bytes the file has; it must not be opened for that, SQLite's locks would go. */
    long size() {
        try {
            return Files.size(file);
        } catch (IOException e) {
            LOG.debug("{} cannot be looked at, and counts as empty", file, e);
            return 0;
        }
    }

    /** How many bytes the write-ahead log takes. */
    long journalSize() {
        try {
            return Files.size(sibling(file, SUFFIXES.get(1)));
        } catch (IOException e) {
            LOG.debug("there is no write-ahead log of {}", file, e);
            return 0;
        }
    }

    /**
     * Gives what is at the paths another name.
     *
     * @return the new name of the file; null if there was nothing
     */
    static @Nullable Path setAside(Path file, Instant now) throws IOException {
        Path aside = sibling(file, ".set-aside-" + now.toEpochMilli());
        boolean moved = false;
        for (String suffix : SUFFIXES) {
            Path part = sibling(file, suffix);
            if (Files.exists(part, LinkOption.NOFOLLOW_LINKS)) {
                Files.move(part, sibling(aside, suffix), StandardCopyOption.ATOMIC_MOVE);
                moved = true;
            }
        }
        forceDirectory(file);
        return moved ? aside : null;
    }

    /**
     * Makes room for a new log: what was opened is not needed any more, and what is somebody else's
     * gets another name.
     *
     * @return the new name; null if there was nothing of somebody else's
     */
    @Nullable Path clear(Instant now) throws IOException {
        // SQLite would take these for the new database's, also those that somebody put there.
        for (String suffix : SUFFIXES.subList(1, SUFFIXES.size())) {
            Path part = sibling(file, suffix);
            if (isOwn(part)) {
                Files.delete(part);
            }
        }
        if (!isOwn(file)) {
            return setAside(file, now);
        }
        boolean foreign =
                SUFFIXES.stream()
                        .skip(1)
                        .anyMatch(it -> Files.exists(sibling(file, it), LinkOption.NOFOLLOW_LINKS));
        if (foreign) {
            Files.delete(file); // all that is in it has been copied
            return setAside(file, now);
        }
        return null;
    }

    private boolean isOwn(Path part) throws IOException {
        Object key = key(part);
        return key != null && opened.contains(key);
    }

    /** Makes the names in the directory of {@code file} survive a loss of power. */
    static void forceDirectory(Path file) throws IOException {
        try (FileChannel directory =
                FileChannel.open(file.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
            directory.force(true);
        }
    }

    private List<Object> present() {
        List<Object> keys = new ArrayList<>();
        try {
            // SQLite keeps the journals beside the file that a link names.
            Path real = Files.isSymbolicLink(file) ? file.toRealPath() : file;
            for (String suffix : SUFFIXES) {
                Object key = key(sibling(real, suffix));
                if (key != null) {
                    keys.add(key);
                }
            }
        } catch (IOException e) {
            LOG.debug("{} cannot be looked at, and counts as not there", file, e);
        }
        return List.copyOf(keys);
    }

    private static @Nullable Object key(Path path) throws IOException {
        BasicFileAttributes attributes =
                path.getFileSystem()
                        .provider()
                        .readAttributesIfExists(path, BasicFileAttributes.class);
        return attributes == null ? null : attributes.fileKey();
    }

    private static Path sibling(Path file, String suffix) {
        return file.resolveSibling(file.getFileName() + suffix);
    }
}
