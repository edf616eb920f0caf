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
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log file, by its name: where that leads to another file than the one that is open (renamed,
 * removed, its directory replaced), it is opened again, and made if need be. It is looked at before
 * a write, at most once a second.
 *
 * <p>Several processes append to it, so only the kernel knows its size. One that has reached its
 * limit is renamed to {@code NAME.1}, and so on; the oldest is replaced. What is no regular file (a
 * FIFO, a device) is never renamed.
 */
final class LogFile implements LogWriter.Output {

    private static final Logger LOG = LoggerFactory.getLogger(LogFile.class);
    private static final Duration LOOK_INTERVAL = Duration.ofSeconds(1);
    private static final int OPEN_TRIES = 10;

    /** The open file, and what says whether the name still leads to it. */
    private record Opened(FileChannel channel, Object key, boolean regular) {}

    private final Path file;
    private final long maxBytes;
    private final int maxOldFiles;
    private @Nullable Opened open;
    private long nextLook;
    private long rollAt;
    private volatile boolean reopen;

    /**
     * A log that is not open yet.
     *
     * @param maxBytes from what size on it is renamed
     * @param maxOldFiles how many renamed ones stay; with 0 it is never renamed
     */
    LogFile(Path file, long maxBytes, int maxOldFiles) {
        this.file = file;
        this.maxBytes = maxBytes;
        this.maxOldFiles = maxOldFiles;
        this.rollAt = maxBytes;
    }

    /** Has the name opened again before the next write. From any thread. */
    void reopen() {
        reopen = true;
    }

    @Override
    public void write(byte[] lines) throws IOException {
        Opened out = current();
        try {
            ByteBuffer rest = ByteBuffer.wrap(lines);
            while (rest.hasRemaining()) {
                int _ = out.channel().write(rest);
            }
        } catch (IOException e) {
            reopen = true; // the reader of a FIFO has gone, for instance
            throw e;
        }
        if (maxOldFiles > 0 && out.regular() && out.channel().size() >= rollAt) {
            roll(out);
        }
    }

    private Opened current() throws IOException {
        Opened before = open;
        long now = System.nanoTime();
        if (before != null && !reopen && (now - nextLook < 0 || leadsTo(before))) {
            return before;
        }
        reopen = false;
        close();
        Opened opened = openByName();
        open = opened;
        rollAt = maxBytes;
        nextLook = now + LOOK_INTERVAL.toNanos();
        return opened;
    }

    private boolean leadsTo(Opened opened) throws IOException {
        nextLook = System.nanoTime() + LOOK_INTERVAL.toNanos();
        try {
            return opened.key().equals(look().fileKey());
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private BasicFileAttributes look() throws IOException {
        return Files.readAttributes(file, BasicFileAttributes.class);
    }

    /** Opens it so that the key is the open file's: the name led there before and after. */
    private Opened openByName() throws IOException {
        Path directory = file.getParent();
        if (directory != null && !Files.isDirectory(directory)) {
            Files.createDirectories(directory);
        }
        for (int i = 0; i < OPEN_TRIES; i++) {
            Object before = Files.exists(file) ? look().fileKey() : "none";
            FileChannel channel =
                    FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            BasicFileAttributes after = look();
            if (after.fileKey().equals(before)) {
                return new Opened(channel, before, after.isRegularFile());
            }
            channel.close();
        }
        throw new IOException(file + " is replaced again and again");
    }

    private void roll(Opened full) throws IOException {
        if (leadsTo(full)) { // else another process has done it
            try {
                for (int i = maxOldFiles - 1; i >= 1; i--) {
                    Path old = numbered(i);
                    if (Files.exists(old)) {
                        Files.move(old, numbered(i + 1), StandardCopyOption.REPLACE_EXISTING);
                    }
                }
                Files.move(file, numbered(1), StandardCopyOption.REPLACE_EXISTING);
            } catch (IOException e) {
                rollAt = full.channel().size() + maxBytes;
                LOG.warn("{} cannot be renamed and grows: {}", file, e.toString());
                return;
            }
        }
        close();
    }

    private Path numbered(int number) {
        return file.resolveSibling(file.getFileName() + "." + number);
    }

    private void close() {
        Opened opened = open;
        open = null;
        if (opened != null) {
            try {
                opened.channel().close();
            } catch (IOException e) {
                LOG.warn("{} cannot be closed: {}", file, e.toString());
            }
        }
    }
}
