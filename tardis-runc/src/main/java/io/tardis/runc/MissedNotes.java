package io.tardis.runc;

import io.tardis.core.Owner;
import io.tardis.core.event.ContainerKey;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The notes that launchers leave when they cannot reach the daemon: a file {@code
 * RUN_DIR/missed/NS:ID} for each container, to which each call appends one record in one write.
 *
 * <pre>
 * time     u64, big-endian: milliseconds since 1970 by the wall clock, when the launcher gave up
 * request  as on the socket, see {@link LauncherProtocol}; with a small 't' in "TARDIS2\n" it was replayed
 * </pre>
 *
 * <h2>Order, and who writes</h2>
 *
 * <p>The calls of one container are replayed, and served, one after the other, and what was missed
 * comes before what is served. A delete whose life has no end yet waits some seconds for it. What
 * was replayed is marked in the file, so that neither another reading nor another daemon does it
 * twice. A launcher appends while it has a lock on the file (fcntl), which waits for nobody; so the
 * daemon takes the lock only for a moment, to remove a file that has not grown since it was read. A
 * launcher that was about to write to it sees that it has no name any more, and begins another one.
 *
 * <h2>Who is trusted</h2>
 *
 * <p>The run directory is private. All the same, a file that is not a regular one, somebody else's,
 * too large or not made of records is logged and removed.
 */
public final class MissedNotes {

    private static final Logger LOG = LoggerFactory.getLogger(MissedNotes.class);

    private static final int TIME_LENGTH = 8;

    /** The end of the year 9999, in milliseconds: a later time cannot be written as RFC 3339. */
    private static final long LATEST_TIME = 253_402_300_799_999L;

    /** Some thousand calls: more than a container can miss while its name is of any use. */
    private static final int MAX_SIZE = 1024 * 1024;

    /** So many files are looked at each time; the rest has its turn when they have gone. */
    private static final int MAX_FILES = 1_000;

    /** So long a file is tried whose calls cannot be replayed, for want of descriptors. */
    private static final Duration PATIENCE = Duration.ofHours(1);

    /** An exit that is not known when a delete is replayed has this long to be heard. */
    private static final Duration LATE_WORD = Duration.ofSeconds(20);

    /**
     * A call that was missed.
     *
     * @param position where its record begins in the file
     * @param at when the launcher gave up, before it became the runtime
     */
    record Note(int position, Instant at, RuncCall call, boolean replayed) {}

    private final Path directory;
    private final RuncShim shim;
    private final MissedCalls calls;
    private final Duration lateWord;

    /** Who works for a container. */
    private final ContainerGuard guard = new ContainerGuard();

    /** Since when a file cannot be replayed, by the monotonic clock. */
    private final Map<Path, Long> failing = new ConcurrentHashMap<>();

    /** Since when the delete in a file waits for an end, by the monotonic clock. */
    private final Map<Path, Long> waiting = new ConcurrentHashMap<>();

    /**
     * The notes that launchers leave.
     *
     * @param runDir the run directory
     * @param shim serves calls, and makes up for those that were missed
     */
    public MissedNotes(Path runDir, RuncShim shim) {
        this(runDir, shim, LATE_WORD);
    }

    MissedNotes(Path runDir, RuncShim shim, Duration lateWord) {
        this.lateWord = lateWord;
        this.directory = runDir.resolve("missed");
        this.shim = shim;
        this.calls = shim.missedCalls();
    }

    /**
     * Has the shim attend to {@code call}, after what its container missed.
     *
     * @return false if the launcher is to leave a note of it, too: it could not be done, or what
     *     came before it cannot be replayed now
     */
    boolean serve(RuncCall call) {
        ContainerKey container = call.container();
        // Where another call of this container takes too long, this one is served beside it.
        boolean entered = guard.enter(container, Duration.ofSeconds(1));
        try {
            boolean isNext = !entered || replay(container, false);
            return isNext && shim.before(call);
        } finally {
            if (entered) {
                guard.leave(container);
            }
        }
    }

    /**
     * Replays what is there of all containers, but for those whose calls are served just now. A
     * delete waits for the end of its life, which may be on its way.
     */
    void replayAll() {
        for (Path file : files()) {
            Optional<ContainerKey> container = container(file);
            if (container.isEmpty()) {
                remove(file, "its name is no container's");
            } else if (guard.enter(container.get(), Duration.ZERO)) {
                try {
                    boolean _ = replay(container.get(), true);
                } finally {
                    guard.leave(container.get());
                }
            }
        }
    }

    private List<Path> files() {
        if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
            if (Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
                remove(directory, "it is not a directory");
            }
            return List.of();
        }
        try (Stream<Path> files = Files.list(directory)) {
            return files.limit(MAX_FILES).toList();
        } catch (IOException | UncheckedIOException e) {
            LOG.debug("{} cannot be listed now", directory, e);
            return List.of();
        }
    }

    private static Optional<ContainerKey> container(Path file) {
        String[] parts = file.getFileName().toString().split(":", -1);
        return parts.length == 2
                        && ContainerKey.isIdentifier(parts[0])
                        && ContainerKey.isIdentifier(parts[1])
                ? Optional.of(new ContainerKey(parts[0], parts[1]))
                : Optional.empty();
    }

    /** Returns false if that cannot be done now. For one thread at a time for each container. */
    private boolean replay(ContainerKey container, boolean mayWait) {
        Path file = directory.resolve(container.namespace() + ":" + container.id());
        try {
            Optional<String> reason =
                    reasonToRefuse(
                            Files.readAttributes(
                                    file, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
            if (reason.isPresent()) {
                remove(file, reason.get());
            } else {
                while (replayFile(container, file, mayWait)) {
                    LOG.debug("{} has missed another call meanwhile", container);
                }
                failing.remove(file);
            }
        } catch (NoSuchFileException e) {
            LOG.trace("{} has missed nothing", container, e);
        } catch (IOException | RuntimeException e) {
            giveUpAtLast(container, file, e);
            return false;
        }
        return true;
    }

    private static Optional<String> reasonToRefuse(PosixFileAttributes attributes)
            throws IOException {
        if (!attributes.isRegularFile()) {
            return Optional.of("it is not a regular file");
        }
        UserPrincipal owner = attributes.owner();
        if (!Owner.isUs(owner) && !owner.getName().equals("root")) {
            return Optional.of("it belongs to " + owner.getName());
        }
        return attributes.size() > MAX_SIZE
                ? Optional.of("it has %d bytes".formatted(attributes.size()))
                : Optional.empty();
    }

    /**
     * Replays what was not replayed yet, and removes the file. Returns true if it has grown
     * meanwhile: another call was missed, which comes before what is served next.
     */
    private boolean replayFile(ContainerKey container, Path file, boolean mayWait)
            throws IOException {
        try (FileChannel channel =
                FileChannel.open(
                        file,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE,
                        LinkOption.NOFOLLOW_LINKS)) {
            byte[] bytes = Channels.newInputStream(channel).readNBytes(MAX_SIZE);
            List<Note> notes = read(container, file, bytes);
            for (int i = 0; i < notes.size(); i++) {
                Note note = notes.get(i);
                if (!note.replayed() && !calls.replay(notes, i, mayWait && !isOverdue(file))) {
                    waiting.putIfAbsent(file, System.nanoTime());
                    return false;
                }
                mark(channel, note);
            }
            waiting.remove(file);
            // A launcher that has the lock writes to it: what it adds has its turn later.
            try (FileLock lock = channel.tryLock()) {
                boolean hasGrown = channel.size() > bytes.length;
                if (lock != null && !hasGrown) {
                    Files.deleteIfExists(file);
                }
                return lock != null && hasGrown && channel.size() <= MAX_SIZE;
            }
        }
    }

    private boolean isOverdue(Path file) {
        Long since = waiting.get(file);
        return since != null && System.nanoTime() - since >= lateWord.toNanos();
    }

    /** Reads the whole records. */
    private static List<Note> read(ContainerKey container, Path file, byte[] bytes) {
        List<Note> notes = new ArrayList<>();
        int end = 0;
        while (end < bytes.length) {
            ByteArrayInputStream rest = new ByteArrayInputStream(bytes, end, bytes.length - end);
            try {
                DataInputStream in = new DataInputStream(rest);
                long time = in.readLong();
                if (time < 0 || time > LATEST_TIME) {
                    throw new IOException("its time is no time");
                }
                boolean replayed =
                        bytes.length > end + TIME_LENGTH && bytes[end + TIME_LENGTH] == 't';
                if (replayed) {
                    bytes[end + TIME_LENGTH] = 'T';
                }
                RuncCall call =
                        LauncherProtocol.readRequest(in)
                                .filter(it -> it.container().equals(container))
                                .orElseThrow(() ->
                                        new IOException("it is not a call of this container"));
                notes.add(new Note(end, Instant.ofEpochMilli(time), call, replayed));
            } catch (EOFException e) {
                LOG.warn("the last record of {} is not whole and is passed over", file);
                return notes;
            } catch (LauncherProtocol.UnusableRequestException e) {
                LOG.warn("a call that {} missed is passed over: {}", container, e.getMessage());
            } catch (IOException | RuntimeException e) {
                LOG.warn("the rest of {} is passed over, it is no record: {}", file, e.toString());
                return notes;
            }
            end = bytes.length - rest.available();
        }
        return notes;
    }

    private static void mark(FileChannel channel, Note note) throws IOException {
        int _ =
                channel.write(
                        ByteBuffer.wrap(new byte[] {'t'}), (long) note.position() + TIME_LENGTH);
    }

    /** A full disk, or no descriptor: another try may help, but not without end. */
    private void giveUpAtLast(ContainerKey container, Path file, Exception cause) {
        Long since = failing.putIfAbsent(file, System.nanoTime());
        if (since == null) {
            LOG.warn("what {} missed cannot be made up for now", container, cause);
        } else if (System.nanoTime() - since >= PATIENCE.toNanos()) {
            LOG.error("what {} missed is given up", container, cause);
            remove(file, "its calls cannot be made up for");
        }
    }

    private void remove(Path file, String reason) {
        failing.remove(file);
        waiting.remove(file);
        try {
            if (Files.deleteIfExists(file)) {
                LOG.warn("{} is removed: {}", file, reason);
            }
        } catch (IOException e) {
            LOG.debug("{} cannot be removed", file, e);
        }
    }
}
