package io.tardis.core.event;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * One published exit: of a container, or of a process that was exec'd in it.
 *
 * @param seq the event's number; grows by one from each exit to the next, and keeps growing across
 *     restarts
 * @param exit what ended, and how
 * @param signal the signal that ended the process, only where the source knows it
 * @param oomKilled whether the kernel reported that it killed a process of this container for
 *     memory just before
 * @param source where the status comes from
 * @param life the life that it ends, or that an exec'd process ran in; empty in records of the
 *     first format, and where that is not known
 * @param details what else is known of that life
 */
public record ExitEvent(
        long seq,
        TaskExit exit,
        OptionalInt signal,
        boolean oomKilled,
        ExitSource source,
        Optional<LifeRef> life,
        LifeDetails details) {

    /** An exit of which no more is known. */
    public ExitEvent(
            long seq,
            TaskExit exit,
            OptionalInt signal,
            boolean oomKilled,
            ExitSource source,
            Optional<LifeRef> life) {
        this(seq, exit, signal, oomKilled, source, life, LifeDetails.NONE);
    }

    /** The same exit, in this life. */
    public ExitEvent ofLife(LifeRef known) {
        return new ExitEvent(seq, exit, signal, oomKilled, source, Optional.of(known), details);
    }
}
