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
    private volatile boolean safe;
    private volatile @Nullable String damage;

    /** How large the files were when the writer had last to do with them. */
    private long size;

    private long journalSize;

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

    /** Removes a file that is not needed, if it is there. */
    static void remove(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            LOG.warn("{} is not needed, and cannot be removed", file, e);
        }
    }

    /** What is at the paths now has been opened by the writer. */
    void setOpened() {
        opened = present();
        damage = null;
        safe = true;
        noteSizes();
    }

    /**
     * Device and inode of each file that the writer has opened: a reader that has others opens the
     * log again.
     */
    List<Object> opened() {
        return opened;
    }

    /** Looks whether the files at the paths are those that were opened. */
    boolean areInPlace() {
        List<Object> present = present();
        return !present.isEmpty() && present.equals(opened);
    }

    /** Whether the next start finds what is in the log, as far as the writer knows. */
    boolean isSafe() {
        return safe;
    }

    /** The next start does not find what is in the log, until it is {@link #setOpened} again. */
    void notSafe() {
        safe = false;
    }

    /** A reader has found the log to be damaged. From any thread. */
    void setDamage(String found) {
        damage = found;
    }

    /** What a reader has found to be damaged; null if nothing. */
    @Nullable String damage() {
        return damage;
    }

    /** Notes how large the files are. For the writer, after it had to do with them. */
    void noteSizes() {
        size = size("");
        journalSize = journalSize();
    }

    /**
     * Whether somebody has made a file shorter since: SQLite itself, in another program, or not.
     */
    boolean areShorter() {
        // Else they were removed, and are put back.
        return (size("") < size || journalSize() < journalSize) && areInPlace();
    }

    /** Whether the files have room for all pages that there are, and the log ends with a page. */
    boolean haveAllPages(SqliteSession session) {
        long page = session.number("PRAGMA page_size");
        long bytes = session.number("PRAGMA page_count") * page;
        return size("") % page == 0 && bytes <= size("") + journalSize();
    }

    /** How many bytes the write-ahead log takes. */
    long journalSize() {
        return size("-wal");
    }

    /** The files must not be opened for that, SQLite's locks would go. */
    private long size(String suffix) {
        try {
            return Files.size(sibling(file, suffix));
        } catch (IOException e) {
            LOG.debug("{}{} cannot be looked at, and counts as empty", file, suffix, e);
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
     * Makes room for a new log, since all that is in the old one has been copied: what was opened
     * is removed, and what is somebody else's gets another name. SQLite would take a journal that
     * is left for the new log's.
     *
     * @return the new name; null if there was nothing of somebody else's
     */
    @Nullable Path clear(Instant now) throws IOException {
        boolean foreign = false;
        for (String suffix : SUFFIXES.reversed()) {
            Path part = sibling(file, suffix);
            if (!Files.exists(part) || !opened.contains(key(part))) {
                foreign |= Files.exists(part, LinkOption.NOFOLLOW_LINKS);
            } else if (foreign || !suffix.isEmpty()) { // else the new one replaces it in one step
                Files.delete(part);
            }
        }
        return foreign ? setAside(file, now) : null;
    }

    /** Makes the names in the directory of {@code file} survive a loss of power. */
    static void forceDirectory(Path file) throws IOException {
        try (FileChannel directory =
                FileChannel.open(file.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
            directory.force(true);
        }
    }

    /** Nothing, unless all are there. */
    private List<Object> present() {
        try {
            // SQLite keeps the journals beside the file that a link names.
            Path real = Files.isSymbolicLink(file) ? file.toRealPath() : file;
            List<Object> keys = new ArrayList<>();
            for (String suffix : SUFFIXES) {
                keys.add(key(sibling(real, suffix)));
            }
            return keys;
        } catch (IOException e) {
            LOG.debug("{} cannot be looked at, and counts as not there", file, e);
            return List.of();
        }
    }

    private static Object key(Path path) throws IOException {
        return Files.readAttributes(path, BasicFileAttributes.class).fileKey();
    }

    private static Path sibling(Path file, String suffix) {
        return file.resolveSibling(file.getFileName() + suffix);
    }
}
