package io.tardis.core.client;

import io.tardis.core.DurableFile;
import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;

/**
 * Where a subscriber was, on disk, so that it goes on there after its own end. For one thread.
 *
 * {@snippet :
 * try (PositionFile file = PositionFile.open(path);
 *         ExitSubscriber exits =
 *                 new ExitSubscriber(context, events, queries, file.position().orElse(0))) {
 *     while (true) {
 *         ExitEvent event = exits.next(Duration.ofSeconds(10));
 *         if (event != null) {
 *             handle(event);
 *             file.acknowledge(event.seq());
 *         }
 *     }
 * }
 * }
 *
 * <p>What was acknowledged is never given again, and what was not is given again: each recorded
 * exit is acknowledged exactly once and in order. A subscriber that dies between handling an exit
 * and acknowledging it gets it a second time; one that cannot bear that keeps the number in the
 * same transaction as what it did, and needs no file.
 *
 * <p>The file, 0600, is replaced as a whole, and on the disk when {@link #acknowledge} returns:
 *
 * <pre>
 * tardis-position 1
 * 1732330000123001 5c1f00d2      the number, and the CRC-32 of its digits
 * </pre>
 *
 * A lock on {@code FILE.lock}, which goes with the process, keeps a second subscriber away.
 */
public final class PositionFile implements AutoCloseable {

    private static final String NAME = "tardis-position ";
    private static final int VERSION = 1;
    private static final int LONGEST = 100;

    /** The version, and number and checksum if they are there as version 1 has them. */
    private static final Pattern TEXT =
            Pattern.compile(
                    NAME + "([0-9]{1,9})\n(?:([0-9]{1,18}) ([0-9a-f]{8})\n|.*)", Pattern.DOTALL);

    private static final Set<OpenOption> FOR_LOCK =
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);

    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    private final Path file;
    private final FileChannel lock;
    private OptionalLong position;

    private PositionFile(Path file, FileChannel lock, OptionalLong position) {
        this.file = file;
        this.lock = lock;
        this.position = position;
    }

    /**
     * Opens {@code file}; one that does not exist is made by the first {@link #acknowledge}.
     *
     * @param file the file, in a directory that exists
     * @throws SetupException if another subscriber uses it, or it is not a position of this version
     */
    public static PositionFile open(Path file) {
        Path absolute = file.toAbsolutePath();
        Path lockFile = beside(absolute, ".lock");
        try {
            FileChannel lock = FileChannel.open(lockFile, FOR_LOCK, PRIVATE);
            try {
                if (lock.tryLock() == null) {
                    throw new OverlappingFileLockException(); // as within this process
                }
                return new PositionFile(absolute, lock, read(absolute));
            } catch (IOException | RuntimeException e) {
                lock.close();
                throw e;
            }
        } catch (OverlappingFileLockException e) {
            throw new SetupException("another subscriber uses the position in " + absolute, e);
        } catch (IOException e) {
            throw new SetupException("the position in " + absolute + " cannot be kept: " + e, e);
        }
    }

    /** The number that was acknowledged last, by this subscriber or one before; empty if none. */
    public OptionalLong position() {
        return position;
    }

    /**
     * Notes that everything up to {@code seq} is done. Returns when that is on the disk, which may
     * take some milliseconds: a subscriber of many exits acknowledges only the last of some.
     *
     * @param seq the number of an exit, not before the one that was acknowledged last
     * @throws TardisException if it cannot be written; then the position before still counts
     */
    public void acknowledge(long seq) {
        if (seq < position.orElse(0)) {
            throw new IllegalArgumentException(
                    seq + " comes before " + position.getAsLong() + ", the position in " + file);
        }
        try {
            write(seq);
        } catch (IOException e) {
            throw new TardisException("the position in " + file + " cannot be written: " + e, e);
        }
        position = OptionalLong.of(seq);
    }

    /** Lets another subscriber use the file. */
    @Override
    public void close() {
        try {
            lock.close();
        } catch (IOException e) {
            throw new TardisException("the lock of " + file + " cannot be given back: " + e, e);
        }
    }

    private static OptionalLong read(Path file) throws IOException {
        if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            return OptionalLong.empty();
        }
        boolean isShort =
                Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) && Files.size(file) <= LONGEST;
        Matcher text =
                TEXT.matcher(isShort ? Files.readString(file, StandardCharsets.ISO_8859_1) : "");
        if (!text.matches()) {
            throw new SetupException(file + " is not a position of a Tardis subscriber");
        }
        if (Integer.parseInt(text.group(1)) != VERSION) {
            throw new SetupException(
                    "%s is a position of version %s, but only version %s is understood"
                            .formatted(file, text.group(1), VERSION));
        }
        String number = text.group(2);
        if (number == null || !checksum(number).equals(text.group(3))) {
            throw new SetupException(
                    "the position in " + file + " is damaged; without the file, all is replayed");
        }
        return OptionalLong.of(Long.parseLong(number));
    }

    private void write(long seq) throws IOException {
        String digits = Long.toString(seq);
        String text = NAME + VERSION + "\n" + digits + " " + checksum(digits) + "\n";
        Path next = beside(file, ".new");
        DurableFile.create(next, "rw-------", text);
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
        DurableFile.forceDirectory(file);
    }

    private static String checksum(String digits) {
        CRC32 crc = new CRC32();
        crc.update(digits.getBytes(StandardCharsets.US_ASCII));
        return String.format("%08x", crc.getValue());
    }

    private static Path beside(Path file, String ending) {
        return file.resolveSibling(file.getFileName() + ending);
    }
}
