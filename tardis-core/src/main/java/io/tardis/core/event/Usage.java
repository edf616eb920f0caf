package io.tardis.core.event;

import java.util.OptionalLong;

/**
 * What a container had used when it ended, as its cgroup counted. What the cgroup does not say, for
 * want of a controller for instance, is empty.
 *
 * @param memoryPeak the most memory that it had at any time, in bytes
 * @param memoryLimit how much it might have, in bytes; empty if there was no limit
 * @param oomKills how many of its processes the kernel killed for memory
 * @param cpuMicros processor time, in microseconds
 * @param throttledMicros how long it waited because its share of processors was used up, in
 *     microseconds
 * @param pidsPeak the most processes and threads that it had at any time
 */
public record Usage(
        OptionalLong memoryPeak,
        OptionalLong memoryLimit,
        OptionalLong oomKills,
        OptionalLong cpuMicros,
        OptionalLong throttledMicros,
        OptionalLong pidsPeak) {

    /** Nothing is known. */
    public static final Usage NOTHING =
            new Usage(
                    OptionalLong.empty(),
                    OptionalLong.empty(),
                    OptionalLong.empty(),
                    OptionalLong.empty(),
                    OptionalLong.empty(),
                    OptionalLong.empty());

    /** The same, without the count of kills. */
    public Usage withoutOomKills() {
        return new Usage(
                memoryPeak,
                memoryLimit,
                OptionalLong.empty(),
                cpuMicros,
                throttledMicros,
                pidsPeak);
    }
}
