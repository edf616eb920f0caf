package io.tardis.core.event;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;

/**
 * Times as RFC 3339 text in UTC, spelled as Go spells them: no trailing zeros in the fraction, none
 * at all if it is zero.
 */
public final class Rfc3339 {

    /** The first time that RFC 3339 can write. */
    public static final Instant MIN = Instant.parse("0000-01-01T00:00:00Z");

    /** The last time that RFC 3339 can write. */
    public static final Instant MAX = Instant.parse("9999-12-31T23:59:59.999999999Z");

    /** What stands where, up to the seconds; 0 for a digit. */
    private static final String SHAPE = "0000-00-00T00:00:00";

    private static final int NANO_DIGITS = 9;

    private static final int[] OFFSET_DIGITS = {1, 2, 4, 5};

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
     * The time that {@code text} says, in any offset. A list of containers has hundreds, so it is
     * done without java.time's formatter and without a regular expression, which take some times as
     * long.
     *
     * @throws DateTimeException if it is not RFC 3339, or finer than a nanosecond
     */
    public static Instant parse(String text) {
        int end = SHAPE.length();
        check(text.length() > end);
        for (int i = 0; i < end; i++) {
            char c = text.charAt(i);
            char shape = SHAPE.charAt(i);
            check(shape == '0' ? isDigit(c) : c == shape || (shape == 'T' && c == 't'));
        }
        int nanos = 0;
        if (text.charAt(end) == '.') {
            int begin = end + 1;
            end = begin;
            while (end < text.length() && isDigit(text.charAt(end))) {
                end++;
            }
            check(end > begin && end - begin <= NANO_DIGITS);
            nanos = number(text, begin, end);
            for (int digits = end - begin; digits < NANO_DIGITS; digits++) {
                nanos *= 10;
            }
        }
        LocalDateTime local =
                LocalDateTime.of(
                        number(text, 0, 4),
                        number(text, 5, 7),
                        number(text, 8, 10),
                        number(text, 11, 13),
                        number(text, 14, 16),
                        number(text, 17, 19),
                        nanos);
        return inRange(local.toInstant(offset(text, end)));
    }

    /** {@code Z}, or {@code +01:00}, at the end of {@code text}. */
    private static ZoneOffset offset(String text, int begin) {
        check(begin < text.length());
        char first = text.charAt(begin);
        if (first == 'Z' || first == 'z') {
            check(text.length() == begin + 1);
            return ZoneOffset.UTC;
        }
        check(first == '+' || first == '-');
        check(text.length() == begin + 6 && text.charAt(begin + 3) == ':');
        for (int i : OFFSET_DIGITS) {
            check(isDigit(text.charAt(begin + i)));
        }
        return ZoneOffset.of(text.substring(begin));
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private static void check(boolean isRight) {
        if (!isRight) {
            throw new DateTimeException("not a time as RFC 3339 writes it");
        }
    }

    private static int number(String text, int from, int to) {
        int number = 0;
        for (int i = from; i < to; i++) {
            number = number * 10 + text.charAt(i) - '0';
        }
        return number;
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
