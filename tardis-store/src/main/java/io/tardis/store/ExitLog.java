package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * The exits on disk. Split into who writes and who reads, since each belongs to one thread; a
 * reader sees everything that a writer has appended before.
 *
 * <p>All methods throw {@link ExitLogException} if the disk does not do its part.
 */
interface ExitLog {

    /** Appends and removes. For one thread. */
    interface Writer extends AutoCloseable {

        /**
         * Writes all of {@code batch}, or nothing. When it returns, the batch survives SIGKILL and
         * the loss of power. An exit whose number is there already is passed over, and so is what
         * says less of a life than is there ({@link LifeState.Stage}).
         */
        void append(List<Recorded> batch);

        /**
         * Removes some of what is too old.
         *
         * @param eventsBefore exits recorded before this go
         * @param livesBefore lives that were over before this go; an open one stays
         * @param limit how many of each at the most
         * @return whether there may be more to remove
         */
        boolean prune(Instant eventsBefore, Instant livesBefore, int limit);

        /** Whether there is a life of {@code container}. */
        boolean knows(ContainerKey container);

        /** When the oldest record was written; empty if there is none. */
        Optional<Instant> oldest();

        /** What was given to {@link #setAgedTo} last; empty if nothing was. */
        Optional<Instant> agedTo();

        /** Keeps what the {@link RetentionClock} shows. */
        void setAgedTo(Instant time);

        /**
         * Sees to it that the next start finds what is in the log. If its files were removed, moved
         * or replaced, all that is known is written into a new one at their place, which takes
         * several calls; readers go on with what they have until it is there. Cheap where nothing
         * was done to them.
         *
         * @throws ExitLogException if the next start does not find it now
         */
        void keepInPlace();

        /**
         * Gives space back that is not needed any more, in a small step.
         *
         * @return whether there may be more to give back
         */
        boolean shrink();

        /**
         * Begins a new log in the place of this one, if this one was found to be damaged, or
         * finishes what {@link #keepInPlace} has begun. For the end only: readers stay with the old
         * one.
         *
         * @param patience how long it may take
         * @return whether there is a new one
         */
        boolean replaceIfUnusable(Duration patience);

        @Override
        void close();
    }

    /** Looks up. For one thread. */
    interface Reader extends AutoCloseable {

        /** Whether the next start finds what is read here, as far as the writer knows. */
        boolean isSafe();

        /** Equal to what it was before, as long as the same is read here. */
        Object state();

        /** The newest life of {@code container}. */
        Optional<LifeState> newest(ContainerKey container);

        /** The life of {@code container} that has this id. */
        Optional<LifeState> life(ContainerKey container, String id);

        /** The exits after {@code seq}, oldest first. */
        List<ExitEvent> eventsAfter(long seq, int limit);

        /**
         * The newest life of each container, if it is kept: the open ones, and then those that were
         * over last, up to the limit of each.
         */
        List<LifeState> newestOfEach(Optional<String> namespace, int limit);

        /** The number of the oldest exit; 0 if there is none. */
        long firstSeq();

        /** The greatest number that was ever appended; 0 if none was. */
        long lastSeq();

        /** Gives back the memory that long answers took. */
        void forgetPages();

        @Override
        void close();
    }
}
