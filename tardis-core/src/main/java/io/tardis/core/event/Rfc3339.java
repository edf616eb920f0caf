package io.tardis.core.event;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.regex.Pattern;

/**
 * Times as RFC 3339 text in UTC, spelled as Go spells them: no trailing zeros in the fraction, none
 * at all if it is zero.
 */
public final class Rfc3339 {

    /** The first time that RFC 3339 can write. */
    public static final Instant MIN = Instant.parse("0000-01-01T00:00:00Z");

    /** The last time that RFC 3339 can write. */
    public static final Instant MAX = Instant.parse("9999-12-31T23:59:59.999999999Z");

    /** What java.time takes beyond RFC 3339, such as times without seconds, is refused by this. */
    private static final Pattern SHAPE =
            Pattern.compile(
                    "\\d{4}-\\d\\d-\\d\\d[Tt]\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?([Zz]|[+-]\\d\\d:\\d\\d)");

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
     * The time that {@code text} says, in any offset.
     *
     * @throws DateTimeException if it is not RFC 3339, or finer than a nanosecond
     */
    public static Instant parse(String text) {
        if (!SHAPE.matcher(text).matches()) {
            throw new DateTimeException("not a time as RFC 3339 writes it");
        }
        return inRange(OffsetDateTime.parse(text).toInstant());
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
