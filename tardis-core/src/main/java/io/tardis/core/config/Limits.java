package io.tardis.core.config;

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

    /** The longest request that can be allowed: more than that, ZeroMQ's socket does not take. */
    public static final int MAX_REQUEST_BYTES = 64 * 1024;

    /**
     * The most connections that can be allowed: each takes 16 KiB of ZeroMQ's buffers, and some 8
     * KiB of the heap, and there are two endpoints.
     */
    public static final int MAX_CONNECTIONS = 2_000;

    /** The most requests that can be allowed to wait: each takes up to 1.5 KiB. */
    public static final int MAX_WAITING = 20_000;

    /** What counts where nothing is set. */
    public static final Limits DEFAULT = new Limits(100_000, 1_000, 4_096, 10_000, 10_000);
}
