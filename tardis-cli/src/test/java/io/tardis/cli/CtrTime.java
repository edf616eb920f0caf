package io.tardis.cli;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** The time at the beginning of a line of {@code ctr events}, as Go prints it. */
final class CtrTime {

    private static final DateTimeFormatter FORMAT =
            DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss.SSSSSSSSS '+0000 UTC'", Locale.ROOT)
                    .withZone(ZoneOffset.UTC);

    private CtrTime() {}

    static String of(Instant time) {
        return FORMAT.format(time);
    }
}
