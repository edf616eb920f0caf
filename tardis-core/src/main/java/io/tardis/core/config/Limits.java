package io.tardis.core.config;

import java.util.function.ToIntFunction;

/**
 * How much of the daemon others can take. What is over a limit is refused or dropped, and told.
 *
 * @param maxUnwritten exits that are kept in memory while the disk cannot be written
 * @param maxConnections connections to one endpoint at the same time
 * @param maxRequestBytes the longest request, its envelope included
 * @param maxWaiting requests of other processes that wait for an end at the same time
 * @param maxRequestsPerSecond requests of one connection of another process
 */
public record Limits(
        int maxUnwritten,
        int maxConnections,
        int maxRequestBytes,
        int maxWaiting,
        int maxRequestsPerSecond) {

    /** What counts where nothing is set. */
    public static final Limits DEFAULT = of(it -> Integer.parseInt(it.defaultValue()));

    /** The limits that have these values. */
    static Limits of(ToIntFunction<Setting> value) {
        return new Limits(
                value.applyAsInt(Setting.MAX_UNWRITTEN),
                value.applyAsInt(Setting.MAX_CONNECTIONS),
                value.applyAsInt(Setting.MAX_REQUEST_BYTES),
                value.applyAsInt(Setting.MAX_WAITING),
                value.applyAsInt(Setting.MAX_REQUESTS_PER_SECOND));
    }
}
