package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.stream.IntStream;

/**
 * Far more exits than containers make, printed by {@code flood.py} in the place of {@code ctr}, for
 * a daemon that has half the heap that it has otherwise: room for the 10,000 that wait for a
 * subscriber and the 20,000 that wait for the store, but not for a million.
 */
final class Flood {

    private static final long MEBIBYTE = 1 << 20;
    private static final String HEAP = "-Xmx128m";

    /** The heap, of which little is used before, and some for ZeroMQ's buffers outside. */
    private static final long MORE_MEMORY = 160 * MEBIBYTE;

    private Flood() {}

    /**
     * The node with that event source.
     *
     * @param exits how many, and then one of {@code last}
     * @param seconds over how long; none for at once
     */
    static TardisNode of(TardisNode node, int exits, int... seconds) {
        StringBuilder command =
                new StringBuilder(
                        Machine.PYTHON + " " + TardisNode.script("flood.py") + " " + exits);
        IntStream.of(seconds).forEach(it -> command.append(' ').append(it));
        return node.with("TARDIS_CTR_CMD", command.toString()).with("TARDIS_JAVA_OPTS", HEAP);
    }

    /**
     * The longest that so many exits may take to reach a subscriber, some three times what they do:
     * on 2 cores, with other tests beside it, a daemon publishes some 8,000 a second.
     */
    static Duration longest(int exits) {
        return Duration.ofSeconds(60 + exits / 3000);
    }

    /**
     * Prints what the daemon took, and bounds it.
     *
     * @param before its memory before the flood, in bytes
     * @param most the most that was seen since
     */
    static void assertLittleMemory(long before, long most) {
        System.out.printf(
                "daemon's memory: %d MiB before the flood, %d MiB at most%n",
                before / MEBIBYTE, most / MEBIBYTE);
        assertThat(most - before).as("bytes more than before").isLessThan(MORE_MEMORY);
    }
}
