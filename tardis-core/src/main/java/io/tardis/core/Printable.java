package io.tardis.core;

/**
 * Text that others chose, as a terminal may get it: on one line, without escape sequences, and in
 * the direction in which it is read. A container's names go through here when they are read, and
 * when they are shown: an older daemon, or another program at its endpoint, may send anything.
 */
public final class Printable {

    private static final int REPLACEMENT = '?';

    private Printable() {}

    /** {@code text} with a {@code ?} for each control, format and separator character. */
    public static String of(String text) {
        return text.codePoints()
                .map(it -> isPrintable(it) ? it : REPLACEMENT)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    private static boolean isPrintable(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL,
                    Character.FORMAT, // among them the marks that turn the direction round
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.SURROGATE,
                    Character.UNASSIGNED ->
                    false;
            default -> true;
        };
    }
}
