package io.tardis.listener;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
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
     * The lock files that this process holds. Linux drops a process's locks on a file when it
     * closes any descriptor of that file, so neither a second attempt nor a question may even open
     * it.
     */
    private static final Set<Path> TAKEN = ConcurrentHashMap.newKeySet();

    private static final Duration POLL = Duration.ofMillis(5);

    private final Path pidFile;
    private final Path lockFile;
    private final FileChannel channel;
    private final FileLock lock;

    private InstanceLock(Path pidFile, Path lockFile, FileChannel channel, FileLock lock) {
        this.pidFile = pidFile;
        this.lockFile = lockFile;
        this.channel = channel;
        this.lock = lock;
    }

    /**
     * Takes the lock and writes the PID file.
     *
     * @param stateDir an existing directory
     * @throws AlreadyRunningException if another process, or another part of this one, has the lock
     * @throws SetupException if the files cannot be written
     */
    public static synchronized InstanceLock take(Path stateDir) {
        try {
            Path lockFile = lockFile(stateDir.toRealPath());
            if (TAKEN.contains(lockFile)) {
                throw new AlreadyRunningException(stateDir, holder(stateDir));
            }
            InstanceLock taken = take(stateDir, lockFile);
            TAKEN.add(lockFile);
            return taken;
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
     * Makes sure that this is the lock on {@code stateDir}, and held.
     *
     * @throws IllegalArgumentException if it is not
     */
    void check(Path stateDir) {
        if (!lock.isValid() || !pidFile.equals(pidFile(stateDir))) {
            throw new IllegalArgumentException("this is not the lock on " + stateDir);
        }
    }

    private static InstanceLock take(Path stateDir, Path lockFile) throws IOException {
        FileChannel channel =
                FileChannel.open(
                        lockFile,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE,
                        LinkOption.NOFOLLOW_LINKS);
        InstanceLock taken = null;
        try {
            FileLock lock = channel.tryLock();
            if (lock == null) {
                throw new AlreadyRunningException(stateDir, holder(stateDir));
            }
            Path pidFile = pidFile(stateDir);
            Path beside = pidFile.resolveSibling(".event_listener.pid.new");
            Files.deleteIfExists(beside); // left by a kill, or planted as a link to elsewhere
            Files.writeString(
                    beside, ProcessHandle.current().pid() + "\n", StandardOpenOption.CREATE_NEW);
            Files.move(beside, pidFile, StandardCopyOption.ATOMIC_MOVE);
            taken = new InstanceLock(pidFile, lockFile, channel, lock);
            return taken;
        } finally {
            if (taken == null) {
                channel.close();
            }
        }
    }

    /**
     * The pid of the process that holds the lock on {@code stateDir}, as the kernel tells it; empty
     * if none does, or if it is in another pid namespace.
     *
     * @throws SetupException if the lock file cannot be opened
     * @throws TardisException if this user may not look at it
     */
    public static synchronized OptionalLong holder(Path stateDir) {
        Path lockFile = lockFile(stateDir);
        try {
            if (!isThere(lockFile)) {
                return OptionalLong.empty();
            }
            return TAKEN.contains(lockFile.toRealPath())
                    ? OptionalLong.of(ProcessHandle.current().pid())
                    : PosixLock.holder(lockFile);
        } catch (AccessDeniedException e) {
            throw new TardisException("cannot tell: permission denied on " + lockFile, e);
        } catch (IOException e) {
            throw new SetupException(
                    "the holder of the lock on " + stateDir + " cannot be told: " + e, e);
        }
    }

    /** A directory that this user may not search is no sign that there is no such file. */
    private static boolean isThere(Path lockFile) throws IOException {
        try {
            boolean regular =
                    Files.readAttributes(
                                    lockFile, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                            .isRegularFile();
            if (regular && !Files.isReadable(lockFile)) {
                throw new AccessDeniedException(lockFile.toString());
            }
            return regular;
        } catch (NoSuchFileException _) {
            return false;
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
        // kernel tells that this very process holds the lock.
        Optional<ProcessHandle> process = ProcessHandle.of(pid.getAsLong());
        return process.filter(it -> holder(stateDir).equals(pid));
    }

    /** Removes the PID file and releases the lock. */
    @Override
    public void close() {
        if (!lock.isValid()) {
            return; // closed before: the PID file may be another holder's by now
        }
        try {
            Files.deleteIfExists(pidFile);
        } catch (IOException e) {
            LOG.warn("the PID file {} cannot be removed; the next start replaces it", pidFile, e);
        }
        try (channel) {
            lock.release();
        } catch (IOException e) {
            LOG.warn(
                    "the lock beside {} cannot be released; it ends with this process", pidFile, e);
        }
        TAKEN.remove(lockFile);
    }

    private static Path lockFile(Path stateDir) {
        return stateDir.resolve("event_listener.lock");
    }

    private static Path pidFile(Path stateDir) {
        return stateDir.resolve("event_listener.pid");
    }
}
