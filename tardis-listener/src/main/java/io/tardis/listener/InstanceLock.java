package io.tardis.listener;

import io.tardis.core.FailureLog;
import io.tardis.core.FileIdentity;
import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import io.tardis.core.config.Layout;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes sure that one listener runs on a state directory, and says which.
 *
 * <p>What counts is a lock on {@code event_listener.lock}, which the kernel releases with the
 * process, however that ends, and who holds it is for the kernel to say. {@code event_listener.pid}
 * beside it is for people: it is never read. The lock file stays when the lock is released:
 * removing it would let two processes lock two files of one name.
 */
public final class InstanceLock implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(InstanceLock.class);

    /**
     * The lock files that this process holds, by device and inode. Linux drops a process's locks on
     * a file when it closes any descriptor of that file, so neither a second attempt nor a question
     * may even open it.
     */
    private static final Set<Object> TAKEN = new HashSet<>();

    private static final Duration POLL = Duration.ofMillis(5);

    /**
     * How long another process may have the lock on a new file before this one gives up: longer
     * than a daemon takes that cannot run, since this one has its ports.
     */
    private static final Duration GRACE = Duration.ofSeconds(10);

    /** The lock on one file, and the file's device and inode. */
    private record Held(FileChannel channel, FileLock lock, Object key) {}

    private final Path stateDir;
    private final Duration grace;
    private Held held;

    /** Since when another process has had the lock on the file at its path; 0: none has. */
    private long othersSince;

    private final FailureLog failures = new FailureLog(InstanceLock.class);

    private InstanceLock(Path stateDir, Duration grace) throws IOException {
        this.stateDir = stateDir;
        this.grace = grace;
        held = lock(stateDir.resolve(Layout.LOCK)).orElseThrow(() -> alreadyRunning(stateDir));
        try {
            writePid(stateDir);
        } catch (IOException e) {
            close();
            throw e;
        }
    }

    private static AlreadyRunningException alreadyRunning(Path stateDir) {
        return new AlreadyRunningException(stateDir, holder(stateDir));
    }

    /**
     * Takes the lock and writes the PID file.
     *
     * @param stateDir an existing directory
     * @throws AlreadyRunningException if another process, or another part of this one, has the lock
     * @throws SetupException if the files cannot be written
     */
    public static InstanceLock take(Path stateDir) {
        return takeNow(stateDir, GRACE);
    }

    static synchronized InstanceLock takeNow(Path stateDir, Duration grace) {
        try {
            return new InstanceLock(stateDir, grace);
        } catch (IOException e) {
            throw new SetupException("the lock on " + stateDir + " cannot be taken: " + e, e);
        }
    }

    /**
     * Takes the lock when whoever has it gives it back.
     *
     * @param patience the longest wait
     * @throws AlreadyRunningException if it was not given back in that time
     * @throws SetupException if the files cannot be written
     */
    public static InstanceLock take(Path stateDir, Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        while (true) {
            try {
                return take(stateDir);
            } catch (AlreadyRunningException e) {
                if (System.nanoTime() - deadline >= 0 || Thread.currentThread().isInterrupted()) {
                    throw e;
                }
                // The kernel has no lock to wait for with a deadline.
                LockSupport.parkNanos(POLL.toNanos());
            }
        }
    }

    /**
     * Sees to it that the file at the lock's path is the one that is locked. Somebody may have
     * removed it, or the whole directory: then the lock is taken on a new one. From any thread.
     *
     * @return whether this process has the lock; not while the directory is not there
     * @throws AlreadyRunningException if another process has had it for a while: there it is the
     *     daemon
     */
    public boolean keep() {
        synchronized (InstanceLock.class) {
            try {
                return held.lock().isValid() && keepLocked();
            } catch (IOException e) {
                failures.error("the lock on " + stateDir + " cannot be taken again now", e);
                return false;
            }
        }
    }

    private boolean keepLocked() throws IOException {
        Path file = stateDir.resolve(Layout.LOCK);
        if (!held.key().equals(FileIdentity.of(file))) {
            Optional<Held> again = lock(file);
            if (again.isEmpty()) {
                return waitForOther();
            }
            // Only now: until there is a new one, nobody else gets the old one.
            TAKEN.remove(held.key());
            held.channel().close();
            held = again.get();
            LOG.warn("{} was removed or replaced; the lock was taken again", file);
        }
        othersSince = 0;
        failures.over();
        if (!Files.exists(stateDir.resolve(Layout.PID), LinkOption.NOFOLLOW_LINKS)) {
            writePid(stateDir);
        }
        return true;
    }

    private boolean waitForOther() {
        long now = System.nanoTime();
        if (othersSince == 0) {
            LOG.error("{} was replaced, and another process has the lock there", stateDir);
            othersSince = now;
        }
        if (now - othersSince >= grace.toNanos()) {
            throw alreadyRunning(stateDir);
        }
        return false;
    }

    /** The lock on the file, which is made if it is not there; empty if somebody else has it. */
    private static Optional<Held> lock(Path file) throws IOException {
        Object there = FileIdentity.of(file);
        if (there != null && TAKEN.contains(there)) {
            return Optional.empty();
        }
        FileChannel channel =
                FileChannel.open(
                        file,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE,
                        LinkOption.NOFOLLOW_LINKS);
        Optional<Held> held = Optional.empty();
        try {
            FileLock lock = channel.tryLock();
            Object key = FileIdentity.of(file);
            if (lock != null && key != null) {
                held = Optional.of(new Held(channel, lock, key));
                TAKEN.add(key);
            }
            return held;
        } finally {
            if (held.isEmpty()) {
                channel.close();
            }
        }
    }

    private static void writePid(Path stateDir) throws IOException {
        Path beside = stateDir.resolve("." + Layout.PID + ".new");
        Files.deleteIfExists(beside); // left by a kill, or planted as a link to elsewhere
        Files.writeString(
                beside, ProcessHandle.current().pid() + "\n", StandardOpenOption.CREATE_NEW);
        Files.move(beside, stateDir.resolve(Layout.PID), StandardCopyOption.ATOMIC_MOVE);
    }

    /**
     * The pid of the process that holds the lock on {@code stateDir}, as the kernel reports it;
     * empty if none does, or if it is in another pid namespace.
     *
     * @throws SetupException if the lock file cannot be opened
     * @throws TardisException if this user may not look at it
     */
    public static synchronized OptionalLong holder(Path stateDir) {
        Path lockFile = stateDir.resolve(Layout.LOCK);
        try {
            BasicFileAttributes attributes = FileIdentity.attributes(lockFile);
            if (attributes == null || !attributes.isRegularFile()) {
                return OptionalLong.empty();
            }
            if (!Files.isReadable(lockFile)) {
                throw new AccessDeniedException(lockFile.toString());
            }
            return TAKEN.contains(attributes.fileKey())
                    ? OptionalLong.of(ProcessHandle.current().pid())
                    : PosixLock.holder(lockFile);
        } catch (AccessDeniedException e) {
            throw new TardisException("cannot tell: permission denied on " + lockFile, e);
        } catch (IOException e) {
            throw new SetupException(
                    "the holder of the lock on " + stateDir + " cannot be found out: " + e, e);
        }
    }

    /**
     * The process that holds the lock on {@code stateDir}, to be signalled: whoever has its pid
     * after it has ended is not meant. Empty where {@link #holder} is, and if it ends meanwhile.
     *
     * @throws SetupException if the lock file cannot be opened
     */
    public static Optional<ProcessHandle> holdingProcess(Path stateDir) {
        OptionalLong pid = holder(stateDir);
        if (pid.isEmpty()) {
            return Optional.empty();
        }
        // The handle knows its process by the start time, too; asked again with it in hand, the
        // kernel reports that this very process holds the lock.
        Optional<ProcessHandle> process = ProcessHandle.of(pid.getAsLong());
        return process.filter(it -> holder(stateDir).equals(pid));
    }

    /** Removes the PID file and releases the lock. */
    @Override
    public void close() {
        synchronized (InstanceLock.class) {
            if (!held.lock().isValid()) {
                return; // closed before: the PID file may be another holder's by now
            }
            TAKEN.remove(held.key());
            try (FileChannel _ = held.channel()) {
                if (held.key().equals(FileIdentity.of(stateDir.resolve(Layout.LOCK)))) {
                    Files.deleteIfExists(stateDir.resolve(Layout.PID));
                } // else it may be another holder's, too
            } catch (IOException e) {
                LOG.warn(
                        "the PID file in {} cannot be removed; the next start replaces it",
                        stateDir,
                        e);
            }
        }
    }
}
