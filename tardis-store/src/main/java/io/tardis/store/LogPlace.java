package io.tardis.store;

import io.tardis.core.FailureLog;
import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The writer's connection, and that its file stays where the next start looks for it.
 *
 * <p>If the file was removed or replaced, all that the connection can still read is copied beside
 * it, and put in its place: in a thread of its own, since a log of gigabytes takes a minute.
 * Meanwhile the connection belongs to that thread. A log that turns out to be damaged, or was cut,
 * is read as far as it goes, and not written any more; the next start sets it aside.
 */
final class LogPlace implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(LogPlace.class);

    /** How long the recorder waits for a copy before it goes on with something else. */
    private static final Duration SHORT_COPY = Duration.ofMillis(50);

    private static final Duration FIRST_COPY_DELAY = Duration.ofMillis(500);
    private static final Duration LAST_COPY_DELAY = Duration.ofMinutes(1);

    private enum State {
        IN_PLACE,
        /** A copy is to take its place, and has the connection. */
        OUT_OF_PLACE,
        /** For good, until the next start. */
        DAMAGED
    }

    private final LogFiles files;
    private final InstantSource clock;

    /** Whether the state directory is this process's, before anything is made there anew. */
    private final BooleanSupplier ownsDirectory;

    private final FailureLog failures = new FailureLog(LogPlace.class);
    private SqliteSession session;
    private State state = State.IN_PLACE;

    /** Of what was in the files that are not in their place. */
    private @Nullable FutureTask<Path> copy;

    private Duration copyDelay = FIRST_COPY_DELAY;
    private long nextCopy;

    /** As {@link SqliteExitLog#openWriter}. */
    LogPlace(LogFiles files, InstantSource clock, BooleanSupplier ownsDirectory) {
        this.files = files;
        this.clock = clock;
        this.ownsDirectory = ownsDirectory;
        this.session = ExitLogFile.openForWriting(files.file(), clock);
        LogFiles.remove(files.beside());
        files.setOpened();
    }

    /** The connection, for what it can still read. */
    SqliteSession session() {
        return session;
    }

    /**
     * The connection.
     *
     * @throws ExitLogException if it belongs to a copy, or the log is damaged
     */
    SqliteSession writing() {
        if (state == State.IN_PLACE) {
            String damage = files.damage();
            if (damage == null && files.areShorter() && !isWhole()) {
                damage = "it, or its write-ahead log, was cut while it was in use";
            }
            if (damage != null) {
                noteDamage(damage);
            }
        }
        return switch (state) {
            case IN_PLACE -> session;
            case OUT_OF_PLACE -> throw new ExitLogException(notInPlace("it is not used meanwhile"));
            case DAMAGED ->
                    throw new ExitLogException("the exit log " + files.file() + " is damaged");
        };
    }

    /**
     * By another connection: this one may remember what the files do not have any more. A
     * checkpoint or VACUUM by another program makes them shorter, too, and loses nothing.
     */
    private boolean isWhole() {
        try (SqliteSession fresh = SqliteSession.open(files.file())) {
            boolean whole = ExitLogFile.problemOf(fresh) == null && files.haveAllPages(fresh);
            if (whole) {
                files.noteSizes();
            }
            return whole;
        } catch (ExitLogException e) {
            LOG.debug("{} is not whole", files.file(), e);
            return false;
        }
    }

    /** All of {@code work} is written, or nothing. */
    <T> T write(Function<SqliteSession, T> work) {
        SqliteSession writing = writing();
        try {
            return writing.inTransaction(() -> work.apply(writing));
        } catch (ExitLogException e) {
            if (e.isOfDamage()) {
                noteDamage(String.valueOf(e.getMessage()));
            }
            throw e;
        } finally {
            files.noteSizes();
        }
    }

    /** As {@link ExitLog.Writer#keepInPlace}. */
    void keep() {
        if (!ownsDirectory.getAsBoolean()) {
            LOG.debug("the directory of {} is not this process's now", files.file());
        }
        requireInPlace();
        var _ = writing();
    }

    /**
     * Takes one step to put the files into their place, if they are not.
     *
     * @throws ExitLogException if more steps are needed
     */
    void requireInPlace() {
        if (state == State.IN_PLACE && !files.areInPlace()) {
            state = State.OUT_OF_PLACE;
            files.notSafe();
            LOG.error(
                    "{}, or its -wal or -shm file, was removed or replaced while it was in use; what is known"
                            + " is written there again, and not durable until then",
                    files.file());
        }
        if (state == State.OUT_OF_PLACE) {
            replace();
        }
    }

    private void noteDamage(String damage) {
        state = State.DAMAGED;
        files.notSafe();
        ExitLogFile.noteDamage(files.file(), damage);
    }

    private void replace() {
        if (!ownsDirectory.getAsBoolean()) {
            throw new ExitLogException(notInPlace("its directory cannot be used now"));
        }
        FutureTask<Path> running = copy;
        if (running == null) {
            if (System.nanoTime() - nextCopy < 0) {
                throw new ExitLogException(
                        notInPlace("it could not be written and is tried again soon"));
            }
            SqliteSession copied = session;
            running = new FutureTask<>(() -> copied.copyTo(files.beside()));
            Thread.ofPlatform().daemon().name("tardis-store-copy").start(running);
            copy = running;
        }
        try {
            putInPlace(running.get(SHORT_COPY.toMillis(), TimeUnit.MILLISECONDS));
            copy = null;
            copyDelay = FIRST_COPY_DELAY;
        } catch (TimeoutException | InterruptedException e) {
            throw new ExitLogException(notInPlace("it is being written"), e);
        } catch (Exception e) {
            copy = null;
            nextCopy = System.nanoTime() + copyDelay.toNanos();
            copyDelay = Collections.min(List.of(copyDelay.multipliedBy(2), LAST_COPY_DELAY));
            ExitLogException failure =
                    new ExitLogException(notInPlace("it cannot be written: " + e.getMessage()), e);
            failures.error("the exit log cannot be put back into its place", failure);
            throw failure;
        }
    }

    private void putInPlace(Path whole) throws IOException {
        Path file = files.file();
        Path aside = files.clear(clock.instant());
        Files.move(whole, file, StandardCopyOption.ATOMIC_MOVE);
        SqliteSession next = ExitLogFile.openForWriting(file, clock);
        // SQLite leaves the files alone that are in the place of its own.
        session.close();
        session = next;
        files.setOpened();
        state = State.IN_PLACE;
        LOG.warn(
                "{} was written again with all that was in it{}",
                file,
                aside == null ? "" : "; what was in its place is " + aside + " now");
    }

    private String notInPlace(String why) {
        return "the exit log " + files.file() + " is not in its place: " + why;
    }

    /** As {@link ExitLog.Writer#replaceIfUnusable}. */
    boolean replaceIfUnusable(Duration patience) {
        return switch (state) {
            case IN_PLACE -> false;
            case OUT_OF_PLACE -> replaceWithin(patience);
            case DAMAGED -> beginNew();
        };
    }

    private boolean beginNew() {
        session.close();
        try {
            session = ExitLogFile.openForWriting(files.file(), clock);
            files.setOpened();
            state = State.IN_PLACE;
            return true;
        } catch (SetupException e) {
            LOG.error("there is no exit log in the place of the damaged one", e);
            return false;
        }
    }

    private boolean replaceWithin(Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        while (true) {
            try {
                nextCopy = System.nanoTime();
                replace();
                return true;
            } catch (ExitLogException e) {
                if (System.nanoTime() - deadline >= 0) {
                    LOG.error("what was recorded is lost", e);
                    return false;
                }
                LockSupport.parkNanos(SHORT_COPY.toNanos());
            }
        }
    }

    @Override
    public void close() {
        if (copy == null || copy.isDone()) {
            session.close();
        } // else it is the copy's, and ends with the process
    }
}
