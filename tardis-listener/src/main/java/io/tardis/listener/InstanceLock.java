package io.tardis.listener;

import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes sure that one listener runs on a state directory, and says which.
 *
 * <p>What counts is a lock on {@code event_listener.lock}, which the kernel releases with the
 * process, however that ends. {@code event_listener.pid} beside it only tells the pid; whatever it
 * holds, it never blocks a start, and it is believed only while the kernel lists that pid as the
 * holder of the lock. The lock file stays when the lock is released: removing it would let two
 * processes lock two files of one name.
 */
public final class InstanceLock implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(InstanceLock.class);
    private static final Path KERNEL_LOCKS = Path.of("/proc/locks");

    /**
     * {@code 1: POSIX ADVISORY WRITE 6615 fe:00:1234567 0 EOF}; a waiting process has an arrow in
     * front of POSIX.
     */
    private static final Pattern KERNEL_LOCK =
            Pattern.compile("^[0-9]+: POSIX +\\S+ +WRITE +(?<pid>-?[0-9]+) \\S+:(?<inode>[0-9]+) ");

    /**
     * The lock files that this process holds or is trying. Linux drops a process's locks on a file
     * when it closes any descriptor of that file, so a second attempt must not even open it.
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
    public static InstanceLock take(Path stateDir) {
        try {
            Path lockFile = lockFile(stateDir.toRealPath());
            if (!TAKEN.add(lockFile)) {
                throw new AlreadyRunningException(stateDir, holder(stateDir));
            }
            InstanceLock taken = null;
            try {
                taken = take(stateDir, lockFile);
                return taken;
            } finally {
                if (taken == null) {
                    TAKEN.remove(lockFile);
                }
            }
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
     * @throws SetupException if the kernel's list of locks cannot be read
     */
    public static OptionalLong holder(Path stateDir) {
        try {
            Path lockFile = lockFile(stateDir);
            if (!Files.exists(lockFile)) {
                return OptionalLong.empty();
            }
            // Some file systems show another device here than stat does, so the inode must do, and
            // the PID file decides between several.
            String inode = Files.getAttribute(lockFile, "unix:ino").toString();
            OptionalLong told = readPid(pidFile(stateDir));
            OptionalLong holder = OptionalLong.empty();
            for (String line : Files.readAllLines(KERNEL_LOCKS)) {
                Matcher lock = KERNEL_LOCK.matcher(line);
                if (lock.find() && lock.group("inode").equals(inode)) {
                    long pid = Long.parseLong(lock.group("pid"));
                    if (told.isPresent() && told.getAsLong() == pid) {
                        return told;
                    }
                    holder = OptionalLong.of(pid);
                }
            }
            return holder.isPresent() && holder.getAsLong() > 0 ? holder : OptionalLong.empty();
        } catch (IOException | NumberFormatException e) {
            throw new SetupException(
                    "the holder of the lock on " + stateDir + " cannot be told: " + e, e);
        }
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

    private static OptionalLong readPid(Path pidFile) {
        try {
            String text =
                    new String(Files.readAllBytes(pidFile), StandardCharsets.US_ASCII).strip();
            return text.matches("[0-9]{1,10}")
                    ? OptionalLong.of(Long.parseLong(text))
                    : OptionalLong.empty();
        } catch (IOException e) {
            LOG.trace("{} tells no pid", pidFile, e);
            return OptionalLong.empty();
        }
    }

    private static Path lockFile(Path stateDir) {
        return stateDir.resolve("event_listener.lock");
    }

    private static Path pidFile(Path stateDir) {
        return stateDir.resolve("event_listener.pid");
    }
}
