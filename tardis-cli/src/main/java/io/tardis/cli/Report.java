package io.tardis.cli;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What died in a span of time, how often, and why. Its three forms print these figures, and compute
 * none of their own. The names in it are fit for a terminal; {@link ReportHtml} escapes them.
 *
 * @param from the begin of the span
 * @param to its end
 * @param oldest when the oldest exit ended that the daemon still has; empty if it has none
 * @param total all exits
 * @param images by image, those with the most failures first
 * @param names by pod and container, by name, or by id, those with the most failures first
 * @param restarts the names that ended more than once, the most frequent first
 * @param memory the names that were killed for memory or came near their limit
 * @param step the length of a bucket
 * @param buckets the span from the first exit on, without a gap, oldest first
 */
record Report(
        Instant from,
        Instant to,
        Optional<Instant> oldest,
        Tally total,
        Top<Group> images,
        Top<Group> names,
        Top<Group> restarts,
        Top<Group> memory,
        Duration step,
        List<Bucket> buckets) {

    /** When the oldest exit ended that the daemon still has, if that is within the span. */
    Optional<Instant> lateBegin() {
        return oldest.filter(it -> it.isAfter(from));
    }

    /** The exits of the bucket with the most. */
    long mostAtOnce() {
        return buckets.stream().mapToLong(it -> it.tally().exits()).max().orElse(1);
    }

    /**
     * The first items of a list.
     *
     * @param first at most ten
     * @param more how many follow
     */
    record Top<T>(List<T> first, int more) {

        private static final int MOST = 10;

        static <T> Top<T> of(List<T> all) {
            List<T> first = all.subList(0, Math.min(MOST, all.size()));
            return new Top<>(List.copyOf(first), all.size() - first.size());
        }
    }

    /** An exit code, and how many exits had it. */
    record Code(long code, long exits) {

        long failed() {
            return code == 0 ? 0 : exits;
        }
    }

    /**
     * A number of exits.
     *
     * @param exits all of them
     * @param failed those with another code than 0
     * @param oomKilled those of containers that the kernel killed a process of for memory
     * @param codes their codes, the most frequent first
     */
    record Tally(long exits, long failed, long oomKilled, Top<Code> codes) {

        /** The most frequent code other than 0, or else 0. */
        long mainCode() {
            return codes.first().stream()
                    .mapToLong(Code::code)
                    .filter(it -> it != 0)
                    .findFirst()
                    .orElse(0);
        }
    }

    /** The most memory that a container had, and its limit if it had one; in bytes. */
    record Memory(long peak, OptionalLong limit) {

        private static final int NEAR_PERCENT = 90;

        /** Of the limit; -1 without one, which is less than any. */
        double percent() {
            return limit.isPresent() && limit.getAsLong() > 0
                    ? 100.0 * peak / limit.getAsLong()
                    : -1;
        }

        boolean isNearLimit() {
            return percent() >= NEAR_PERCENT;
        }
    }

    /**
     * The exits that have an image or a name in common.
     *
     * @param name of the image, the pod and container, or the container
     * @param tally how many they are
     * @param nearLimit how many had at least 90 % of their memory's limit
     * @param median how long half of them ran at most; empty if that is not known of any
     * @param peak the most memory, by the share of the limit
     * @param last when the last one ended
     * @param lastCode the code of that one
     */
    record Group(
            String name,
            Tally tally,
            long nearLimit,
            Optional<Duration> median,
            Optional<Memory> peak,
            Instant last,
            long lastCode) {}

    /** The exits of one step of time. */
    record Bucket(Instant begin, Tally tally) {}
}
