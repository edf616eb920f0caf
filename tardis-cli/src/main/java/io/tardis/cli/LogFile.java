package io.tardis.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log file, by its name: where that leads to another file than the one that is open (renamed,
 * removed, its directory replaced), it is opened again, and made if need be. It is looked at before
 * a write, at most once a second: that takes no descriptor, of which none may be left.
 *
 * <p>Several processes append to it, so only the kernel knows its size. One that has reached its
 * limit is renamed to {@code NAME.1}, and so on; the oldest is replaced. What is no regular file (a
 * FIFO, a device) has no size, and is never renamed.
 */
final class LogFile implements LogWriter.Output {

    private static final Logger LOG = LoggerFactory.getLogger(LogFile.class);
    private static final Duration LOOK_INTERVAL = Duration.ofSeconds(1);
    private static final int MAX_OLD_FILES = 3;

    /** The log names containers. */
    private static final Set<PosixFilePermission> OWNER_ONLY =
            PosixFilePermissions.fromString("rw-------");

    /** The open file, and what says whether the name still leads to it. */
    private record Opened(FileChannel channel, @Nullable Object key) {}

    private final Path file;
    private final long maxBytes;
    private @Nullable Opened open;
    private long nextLook;
    private long rollAt;
    private volatile boolean reopen;

    /**
     * A log that is not open yet.
     *
     * @param maxBytes from what size on it is renamed
     */
    LogFile(Path file, long maxBytes) {
        this.file = file;
        this.maxBytes = maxBytes;
    }

    /** Has the name opened again before the next write. From any thread. */
    void reopen() {
        reopen = true;
    }

    @Override
    public void write(byte[] line) throws IOException {
        Opened out = current();
        try {
            ByteBuffer rest = ByteBuffer.wrap(line);
            while (rest.hasRemaining()) {
                int _ = out.channel().write(rest);
            }
        } catch (IOException e) {
            reopen = true; // the reader of a FIFO has gone, for instance
            throw e;
        }
        if (out.channel().size() >= rollAt) {
            roll(out);
        }
    }

    private Opened current() throws IOException {
        Opened before = open;
        if (before != null
                && !reopen
                && (System.nanoTime() - nextLook < 0 || leadsTo(before.key()))) {
            return before;
        }
        reopen = false;
        close();
        Opened opened = openByName();
        open = opened;
        rollAt = maxBytes;
        return opened;
    }

    private boolean leadsTo(@Nullable Object key) throws IOException {
        nextLook = System.nanoTime() + LOOK_INTERVAL.toNanos();
        return key != null && key.equals(key());
    }

    /** Of the file that the name leads to; null if there is none. */
    private @Nullable Object key() throws IOException {
        try {
            return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** Opens it so that the key is the open file's: the name led there before and after. */
    private Opened openByName() throws IOException {
        while (true) {
            Object before = key();
            FileChannel channel = append(file);
            if (leadsTo(before)) {
                return new Opened(channel, before);
            }
            channel.close();
        }
    }

    /** Opens a log to write behind its end; makes it, and its directory, where it is not. */
    static FileChannel append(Path file) throws IOException {
        Files.createDirectories(file.resolveSibling(""));
        return FileChannel.open(
                file,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.APPEND),
                PosixFilePermissions.asFileAttribute(modeOfNew(file)));
    }

    /** That of the file before, which somebody may have opened to others. */
    private static Set<PosixFilePermission> modeOfNew(Path file) throws IOException {
        try {
            return Files.getPosixFilePermissions(numbered(file, 1));
        } catch (NoSuchFileException e) {
            return OWNER_ONLY;
        }
    }

    private void roll(Opened full) throws IOException {
        if (leadsTo(full.key())) { // else another process has done it
            try {
                for (int i = MAX_OLD_FILES - 1; i >= 0; i--) {
                    Path newer = i == 0 ? file : numbered(file, i);
                    if (Files.exists(newer)) {
                        Files.move(
                                newer, numbered(file, i + 1), StandardCopyOption.REPLACE_EXISTING);
                    }
                }
            } catch (IOException e) {
                rollAt = full.channel().size() + maxBytes;
                LOG.warn("{} cannot be renamed and grows: {}", file, e.toString());
                return;
            }
        }
        close();
    }

    private static Path numbered(Path file, int number) {
        return file.resolveSibling(file.getFileName() + "." + number);
    }

    private void close() throws IOException {
        Opened opened = open;
        open = null;
        if (opened != null) {
            opened.channel().close();
        }
    }
}
