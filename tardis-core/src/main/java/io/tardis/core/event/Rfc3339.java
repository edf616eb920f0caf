package io.tardis.core.event;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Times as RFC 3339 text in UTC, spelled as Go spells them: no trailing zeros in the fraction, none
 * at all if it is zero.
 */
public final class Rfc3339 {

    /** The first time that RFC 3339 can write. */
    public static final Instant MIN = Instant.parse("0000-01-01T00:00:00Z");

    /** The last time that RFC 3339 can write. */
    public static final Instant MAX = Instant.parse("9999-12-31T23:59:59.999999999Z");

    /** After this every field stands where it must, and is all digits. */
    private static final Pattern SHAPE =
            Pattern.compile(
                    "\\d{4}-\\d\\d-\\d\\d[Tt]\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?([Zz]|[+-]\\d\\d:\\d\\d)");

    private static final int NANO_DIGITS = 9;

    private Rfc3339() {}

    /** {@code 2025-04-04T19:10:59.78307293Z}, for instance. */
    public static String format(Instant instant) {
        OffsetDateTime time = instant.atOffset(ZoneOffset.UTC);
        StringBuilder text = new StringBuilder(30);
        pad(text, time.getYear(), 4).append('-');
        pad(text, time.getMonthValue(), 2).append('-');
        pad(text, time.getDayOfMonth(), 2).append('T');
        pad(text, time.getHour(), 2).append(':');
        pad(text, time.getMinute(), 2).append(':');
        pad(text, time.getSecond(), 2);
        if (time.getNano() != 0) {
            pad(text.append('.'), time.getNano(), 9);
            while (text.charAt(text.length() - 1) == '0') {
                text.setLength(text.length() - 1);
            }
        }
        return text.append('Z').toString();
    }

    /**
     * The time that {@code text} says, in any offset. A container's life has several read, so it is
     * done without java.time's formatter, which takes three times as long.
     *
     * @throws DateTimeException if it is not RFC 3339, or finer than a nanosecond
     */
    public static Instant parse(String text) {
        Matcher shape = SHAPE.matcher(text);
        if (!shape.matches()) {
            throw new DateTimeException("not a time as RFC 3339 writes it");
        }
        LocalDateTime local =
                LocalDateTime.of(
                        number(text, 0, 4),
                        number(text, 5, 7),
                        number(text, 8, 10),
                        number(text, 11, 13),
                        number(text, 14, 16),
                        number(text, 17, 19),
                        nanos(shape.group(1)));
        ZoneOffset offset = ZoneOffset.of(shape.group(2).toUpperCase(Locale.ROOT));
        return inRange(local.toInstant(offset));
    }

    private static int number(String text, int from, int to) {
        return Integer.parseInt(text, from, to, 10);
    }

    private static int nanos(@Nullable String fraction) {
        if (fraction == null) {
            return 0;
        }
        String digits = fraction.substring(1);
        return Integer.parseInt(digits + "0".repeat(NANO_DIGITS - digits.length()));
    }

    /**
     * {@code instant} itself.
     *
     * @throws DateTimeException if RFC 3339, with its four digits for the year, cannot write it
     */
    public static Instant inRange(Instant instant) {
        if (instant.isBefore(MIN) || instant.isAfter(MAX)) {
            throw new DateTimeException("the year is not within 0 to 9999");
        }
        return instant;
    }

    private static StringBuilder pad(StringBuilder text, int number, int width) {
        String digits = Integer.toString(number);
        return text.repeat('0', width - digits.length()).append(digits);
    }
}
