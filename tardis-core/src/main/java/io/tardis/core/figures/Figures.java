package io.tardis.core.figures;

import io.tardis.core.event.ExitSource;
import java.util.Collections;
import java.util.List;

/**
 * What a daemon has counted and measured since its start, and how large its things are now.
 *
 * @param exits the published ends of containers, those that there were; each once, as it was
 *     published first
 * @param execExits the published ends of exec'd processes
 * @param corrections the exits that were published again, because more became known of the end
 * @param lost the lives that were published as lost
 * @param gaps the gaps that were published
 * @param witnessToPublish from the report of the kernel or a shim to the publication of the exit
 * @param eventToDisk from the first report of an end to the commit of the exit on the disk
 * @param openLives the lives whose end is to be recorded; at most 5 s old
 * @param unwritten the exits that are in memory only, because the disk cannot be written
 * @param dropped the exits that were given up, because memory for them is limited
 * @param databaseBytes what {@code exits.db} and its write-ahead log take on the disk
 */
public record Figures(
        List<Exits> exits,
        long execExits,
        long corrections,
        long lost,
        long gaps,
        Distribution witnessToPublish,
        Distribution eventToDisk,
        long openLives,
        long unwritten,
        long dropped,
        long databaseBytes) {

    /** The namespace of all exits beyond the first {@value #MAX_NAMESPACES} namespaces. */
    public static final String OTHER_NAMESPACES = "other";

    /** How many namespaces have a figure of their own. */
    public static final int MAX_NAMESPACES = 50;

    public Figures {
        exits = List.copyOf(exits);
    }

    /**
     * Ends of containers that have this in common.
     *
     * @param namespace the namespace, or {@link #OTHER_NAMESPACES}
     * @param code the class of the status
     * @param oomKilled whether the kernel killed a process of the container for memory
     * @param source where the status comes from
     * @param count how many there were
     */
    public record Exits(
            String namespace, CodeClass code, boolean oomKilled, ExitSource source, long count) {}

    /**
     * How long something took, each time.
     *
     * @param counts how often it took no longer than each of {@link #bounds}, and longer than the
     *     bound before; at the end, how often it took longer than all of them
     * @param sumSeconds all times together
     */
    public record Distribution(List<Long> counts, double sumSeconds) {

        private static final List<Double> BOUNDS =
                List.of(
                        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
                        5.0, 10.0, 60.0);

        /** Nothing was measured. */
        public static final Distribution NONE =
                new Distribution(Collections.nCopies(BOUNDS.size() + 1, 0L), 0);

        public Distribution {
            counts = List.copyOf(counts);
        }

        /** The upper bounds in seconds, rising, without the last one, which is infinite. */
        public static List<Double> bounds() {
            return BOUNDS;
        }

        /** How often it was measured. */
        public long count() {
            return counts.stream().mapToLong(Long::longValue).sum();
        }
    }
}
