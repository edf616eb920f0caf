package io.tardis.core.config;

import java.util.function.ToIntFunction;

/**
 * How much of the daemon others can take. What is over a limit is refused or dropped, and logged.
 * {@link Setting} says what each is for.
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
