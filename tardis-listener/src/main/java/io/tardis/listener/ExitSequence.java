package io.tardis.listener;

import io.tardis.core.FailureLog;
import io.tardis.core.FileIdentity;
import io.tardis.core.SetupException;
import io.tardis.core.config.Layout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The numbers of the exits: each one more than the one before, also across restarts, SIGKILL and
 * clock steps, and never one twice.
 *
 * <p>The file {@code event_listener.seq} holds four lines of fixed length:
 *
 * <pre>
 * tardis-seq 1                             the format's version
 * 0f2b6c1e-....-............               the boot that it was written in
 * 00001795405552123001                     a number that no exit of that boot had reached when this was forced to the disk
 * 00001795404552123042                     the next number; written for each exit, but not forced
 * </pre>
 *
 * After the end of a process, even by SIGKILL, the page cache still has the last line. After the
 * end of the machine it may be old: then another boot's id is in the file, and the numbers go on at
 * the third line. A new file begins at the clock's microseconds, so that a lost state directory
 * does not begin at 1 again. For one thread.
 */
final class ExitSequence implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ExitSequence.class);
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");
    private static final String HEADER = "tardis-seq 1\n";
    private static final Pattern FORMAT =
            Pattern.compile(
                    HEADER
                            + "(?<boot>[0-9a-f-]{36})\n(?<reserved>0[0-8][0-9]{18})\n(?<next>0[0-8][0-9]{18})\n");
    private static final int NEXT_OFFSET = HEADER.length() + 37 + 21;

    /** How many numbers are reserved by one forced write. */
    private static final long RESERVE = 1_000_000;

    private final Path file;
    private final String boot;

    /** When the listener before this one wrote a number; empty if there was none. */
    final Optional<Instant> lastWritten;

    private FileChannel channel;
    private @Nullable Object key;
    private long next;
    private long reserved;
    private final FailureLog notWritten = new FailureLog(ExitSequence.class);
    private final FailureLog notInPlace = new FailureLog(ExitSequence.class);

    private ExitSequence(Path file, InstantSource clock) throws IOException {
        this.file = file;
        boot = Files.readString(BOOT_ID).strip();
        lastWritten =
                Files.exists(file)
                        ? Optional.of(Files.getLastModifiedTime(file).toInstant())
                        : Optional.empty();
        next = lastWritten.isPresent() ? nextNumber(clock) : fromClock(clock);
        channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        reserve();
        key = FileIdentity.of(file);
    }

    /**
     * Opens the sequence of a state directory. A file that cannot be understood is set aside, and a
     * new one begun.
     *
     * @throws SetupException if the file cannot be written
     */
    static ExitSequence open(Path stateDir, InstantSource clock) {
        Path file = stateDir.resolve(Layout.SEQUENCE);
        try {
            return new ExitSequence(file, clock);
        } catch (IOException e) {
            throw new SetupException(
                    "the sequence numbers in " + file + " cannot be kept: " + e, e);
        }
    }

    /** The number that was given out last; what the first one follows if none was. */
    long last() {
        return next - 1;
    }

    /**
     * The next number. A disk that cannot be written is logged, and costs the numbering only if the
     * machine goes down as well.
     */
    long next() {
        long number = next++;
        try {
            if (next >= reserved) {
                reserve();
            } else {
                write(digits(next), NEXT_OFFSET);
            }
            if (notWritten.over()) {
                LOG.info("sequence numbers can be written again, as of {}", next);
            }
        } catch (IOException e) {
            notWritten.error("sequence numbers cannot be written; counting goes on in memory", e);
        }
        return number;
    }

    /**
     * Goes on after {@code number} if that is further on: it is in the exit log, though the file
     * was lost and the clock has been set back since.
     */
    void goOnAfter(long number) {
        if (number > last()) {
            LOG.warn("numbers go on after {}, which is recorded, not after {}", number, last());
            next = number + 1;
        }
    }

    /**
     * Sees to it that the file at its path is the one that is written. Where somebody removed or
     * replaced it, what is there is set aside, and a new one goes on with the same numbers.
     */
    void keepInPlace(InstantSource clock) {
        try {
            Object there = FileIdentity.of(file);
            if (there != null && there.equals(key)) {
                return;
            }
            if (there != null) {
                setAside(clock);
            }
            FileChannel again =
                    FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            channel.close();
            channel = again;
            key = FileIdentity.of(file);
            reserve();
            notInPlace.over();
            LOG.warn("{} was removed or replaced; it was written again", file);
        } catch (IOException e) {
            notInPlace.error(file + " was removed or replaced, and cannot be written again now", e);
        }
    }

    private Path setAside(InstantSource clock) throws IOException {
        Path aside = file.resolveSibling(file.getFileName() + ".foreign-" + clock.millis());
        Files.move(file, aside, StandardCopyOption.ATOMIC_MOVE);
        return aside;
    }

    /** Notes that nothing beyond the last number was given out. */
    @Override
    public void close() {
        if (!channel.isOpen()) {
            return;
        }
        try (FileChannel _ = channel) {
            writeAll(next);
        } catch (IOException e) {
            LOG.warn("the sequence number {} cannot be written at the end", next, e);
        }
    }

    private void reserve() throws IOException {
        long limit = next + RESERVE;
        writeAll(limit);
        reserved = limit; // only now: what could not be written is tried again
    }

    private void writeAll(long limit) throws IOException {
        write(HEADER + boot + "\n" + digits(limit) + digits(next), 0);
        channel.force(false);
    }

    private void write(String text, long offset) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
        while (bytes.hasRemaining()) {
            channel.write(bytes, offset + bytes.position());
        }
    }

    private static String digits(long number) {
        return "%020d\n".formatted(number);
    }

    private static long fromClock(InstantSource clock) {
        return Math.max(1, clock.millis() * 1000 + 1);
    }

    /** The next number as the file has it. */
    private long nextNumber(InstantSource clock) throws IOException {
        Matcher content = FORMAT.matcher(Files.readString(file, StandardCharsets.ISO_8859_1));
        if (!content.matches()) {
            long next = fromClock(clock);
            LOG.error(
                    "{} is not a sequence of Tardis; it was set aside as {}, and numbers begin at {}",
                    file,
                    setAside(clock),
                    next);
            return next;
        }
        long next = Long.parseLong(content.group("next"));
        return content.group("boot").equals(boot)
                ? next
                : Math.max(next, Long.parseLong(content.group("reserved")));
    }
}
