package io.tardis.core.spec;

import io.tardis.core.Printable;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * Makes strangers' texts printable and short: at most {@value #MAX_LENGTH} characters each, and
 * {@value #MAX_BYTES} bytes of UTF-8 together. A text that is cut ends with an ellipsis.
 */
final class BoundedTexts {

    static final int MAX_LENGTH = 200;
    static final int MAX_BYTES = 600;

    private static final char ELLIPSIS = '\u2026';
    private static final int ELLIPSIS_BYTES = 3;

    private BoundedTexts() {}

    /** Replaces the values of {@code texts} by such ones. */
    static void bound(Map<?, String> texts) {
        texts.replaceAll((_, text) -> shortened(Printable.of(text)));
        // The longest are cut first: what each may have is less only while all do not fit.
        int share = MAX_BYTES;
        while (bytes(texts, share) > MAX_BYTES) {
            share--;
        }
        int most = share;
        texts.replaceAll((_, text) -> cut(text, most));
    }

    private static int bytes(Map<?, String> texts, int share) {
        return texts.values().stream().mapToInt(text -> Math.min(share, bytes(text))).sum();
    }

    private static String shortened(String text) {
        if (text.length() <= MAX_LENGTH) {
            return text;
        }
        int end = MAX_LENGTH - 1;
        return text.substring(0, Character.isHighSurrogate(text.charAt(end - 1)) ? end - 1 : end)
                + ELLIPSIS;
    }

    private static String cut(String text, int mostBytes) {
        if (bytes(text) <= mostBytes) {
            return text;
        }
        int end = text.length();
        do {
            end = text.offsetByCodePoints(end, -1);
        } while (bytes(text.substring(0, end)) > mostBytes - ELLIPSIS_BYTES);
        return text.substring(0, end) + ELLIPSIS;
    }

    private static int bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8).length;
    }
}
