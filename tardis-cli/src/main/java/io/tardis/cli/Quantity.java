package io.tardis.cli;

import java.time.Duration;
import java.time.Instant;
import java.util.Locale;

/** Times and sizes as people read them. */
final class Quantity {

    private static final long KIB = 1L << 10;
    private static final long MIB = 1L << 20;
    private static final long GIB = 1L << 30;

    private Quantity() {}

    /** {@code 812ms}, {@code 47.2s}, {@code 3m12s}, {@code 5h03m} or {@code 12d04h}. */
    static String duration(Duration duration) {
        long millis = duration.toMillis();
        long seconds = duration.toSeconds();
        if (millis < 1000) {
            return millis + "ms";
        }
        if (seconds < 60) {
            // Cut, not rounded: 59.96s would be 60.0s.
            return "%d.%ds".formatted(seconds, millis % 1000 / 100);
        }
        if (duration.toHours() < 1) {
            return "%dm%02ds".formatted(duration.toMinutes(), duration.toSecondsPart());
        }
        return duration.toDays() < 1
                ? "%dh%02dm".formatted(duration.toHours(), duration.toMinutesPart())
                : "%dd%02dh".formatted(duration.toDays(), duration.toHoursPart());
    }

    /** A number of microseconds, as {@link #duration}. */
    static String micros(long micros) {
        return duration(Duration.ofMillis(micros / 1000));
    }

    /** {@code 3m ago}; a time that the clock has not reached yet counts as now. */
    static String age(Instant time, Instant now) {
        Duration age = time.isAfter(now) ? Duration.ZERO : Duration.between(time, now);
        if (age.toMinutes() < 1) {
            return age.toSeconds() + "s ago";
        }
        if (age.toHours() < 1) {
            return age.toMinutes() + "m ago";
        }
        return age.toDays() < 1 ? age.toHours() + "h ago" : age.toDays() + "d ago";
    }

    /** {@code 511.8 MiB}. */
    static String bytes(long bytes) {
        return number(bytes, unit(bytes)) + " " + name(unit(bytes));
    }

    /** {@code 511.8 of 512.0 MiB}. */
    static String bytes(long part, long whole) {
        long unit = unit(whole);
        return "%s of %s %s".formatted(number(part, unit), number(whole, unit), name(unit));
    }

    private static String number(long bytes, long unit) {
        return unit == 1
                ? Long.toString(bytes)
                : String.format(Locale.ROOT, "%.1f", (double) bytes / unit);
    }

    private static long unit(long bytes) {
        if (bytes >= GIB) {
            return GIB;
        }
        return bytes >= MIB ? MIB : bytes >= KIB ? KIB : 1;
    }

    private static String name(long unit) {
        if (unit == GIB) {
            return "GiB";
        }
        return unit == MIB ? "MiB" : unit == KIB ? "KiB" : "bytes";
    }
}
