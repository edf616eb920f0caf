package io.tardis.listener;

import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is known of the end of one process. containerd may report the same exit twice, repeats it on
 * {@code /tasks/delete}, and makes one up after its shim was killed; the kernel reports it, too. Of
 * all that, {@link #after} makes one exit.
 */
sealed interface Fate {

    /** Nothing is reported. */
    record Open() implements Fate {}

    /** The process is gone, and nobody observed how it ended. */
    record Lost() implements Fate {}

    /**
     * The kernel or a shim reported a death by SIGKILL, and the kernel's counters cannot be read.
     * Whether it was for want of memory, containerd reports a moment later.
     *
     * @param deadline when it is published without that, by the monotonic clock
     */
    record Held(End end, long deadline) implements Fate {}

    /**
     * Its exit is published.
     *
     * @param disputed whether another status was reported since
     */
    record Ended(End end, boolean disputed) implements Fate {}

    /**
     * How a source says that the process ended.
     *
     * @param exit how it ended
     * @param signal the signal, where the source knows it
     * @param oomKilled whether the kernel killed a process of the container for memory before
     * @param source where the status comes from
     * @param reported when it was reported, by the monotonic clock; of no meaning where it was
     *     published by an earlier daemon
     */
    record End(
            TaskExit exit,
            OptionalInt signal,
            boolean oomKilled,
            ExitSource source,
            long reported) {
        private End withOomKilled(boolean now) {
            return new End(exit, signal, oomKilled || now, source, reported);
        }
    }

    /**
     * What follows from a report.
     *
     * @param next what is known now
     * @param published what is to be published
     */
    record Step(Fate next, Optional<End> published) {
        private static Step ended(End end, boolean disputed) {
            return new Step(new Ended(end, disputed), Optional.of(end));
        }
    }

    /** containerd's report comes within some 100 ms of the end, if it comes. */
    Duration HOLD = Duration.ofMillis(250);

    int SIGKILL = 9;
    int STATUS_OF_SIGKILL = 128 + SIGKILL;

    /**
     * Takes a report. The first real status stays; one that containerd made up is replaced by it.
     *
     * @param oomMayFollow whether only containerd can say that the kernel killed for memory
     * @param nanoTime now, by the monotonic clock
     */
    default Step after(End report, boolean oomMayFollow, long nanoTime) {
        return switch (this) {
            case Open _, Lost _ -> first(report, oomMayFollow, nanoTime);
            case Held held
                    when report.source() == ExitSource.KERNEL
                            || report.source() == ExitSource.SHIM ->
                    new Step(held, Optional.empty());
            case Held(End end, long _) ->
                    Step.ended(
                            end.withOomKilled(report.oomKilled()), isDisputed(end, report, false));
            case Ended(End end, boolean _)
                    when end.source() == ExitSource.ASSUMED
                            && report.source() != ExitSource.ASSUMED ->
                    first(report, oomMayFollow, nanoTime);
            case Ended(End end, boolean disputed) ->
                    new Step(new Ended(end, isDisputed(end, report, disputed)), Optional.empty());
        };
    }

    /**
     * Takes containerd's report that the kernel has killed a process of the container for memory,
     * which came after the exit: that is published again, like a real code after an assumed one.
     */
    default Step outOfMemory() {
        return this instanceof Ended(End end, boolean disputed)
                        && !end.oomKilled()
                        && end.source() != ExitSource.ASSUMED
                ? Step.ended(end.withOomKilled(true), disputed)
                : new Step(this, Optional.empty());
    }

    /** Publishes what was held. */
    default Step overdue(boolean oomKilled) {
        return Step.ended(known().orElseThrow().withOomKilled(oomKilled), false);
    }

    private static Step first(End report, boolean oomMayFollow, long nanoTime) {
        boolean killed =
                switch (report.source()) {
                    case KERNEL -> report.signal().equals(OptionalInt.of(SIGKILL));
                    case SHIM -> report.exit().exitStatus() == STATUS_OF_SIGKILL;
                    case CONTAINERD, ASSUMED -> false;
                };
        return killed && oomMayFollow && !report.oomKilled()
                ? new Step(new Held(report, nanoTime + HOLD.toNanos()), Optional.empty())
                : Step.ended(report, false);
    }

    /** Whether another status was reported than the first one, which stays; logged once. */
    private static boolean isDisputed(End first, End now, boolean before) {
        if (before || first.exit().exitStatus() == now.exit().exitStatus()) {
            return before;
        }
        LOG.warn(
                "{} (pid {}) ended with {} ({}), which stays; now {} ({}) is reported",
                first.exit().container(),
                first.exit().pid(),
                first.exit().exitStatus(),
                first.source().word(),
                now.exit().exitStatus(),
                now.source().word());
        return true;
    }

    /** How the process ended, as far as that is known, be it published or not. */
    default Optional<End> known() {
        return switch (this) {
            case Open _, Lost _ -> Optional.empty();
            case Held(End end, long _) -> Optional.of(end);
            case Ended(End end, boolean _) -> Optional.of(end);
        };
    }

    Logger LOG = LoggerFactory.getLogger(Fate.class);
}
