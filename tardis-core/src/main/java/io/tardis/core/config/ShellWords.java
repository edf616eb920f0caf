package io.tardis.core.config;

import java.util.ArrayList;
import java.util.List;

/**
 * Splits a command into words as a POSIX shell does, with single quotes, double quotes and
 * backslashes, and without expansions of any kind.
 */
final class ShellWords {

    private ShellWords() {}

    /**
     * The words of {@code text}.
     *
     * @throws IllegalArgumentException if a quote is not closed, or a backslash ends the text
     */
    static List<String> split(String text) {
        List<String> words = new ArrayList<>();
        StringBuilder word = new StringBuilder();
        boolean inWord = false;
        char quote = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (quote == 0 && Character.isWhitespace(c)) {
                if (inWord) {
                    words.add(word.toString());
                    word.setLength(0);
                    inWord = false;
                }
                continue;
            }
            inWord = true;
            if (quote == 0 && (c == '\'' || c == '"')) {
                quote = c;
            } else if (quote != 0 && c == quote) {
                quote = 0;
            } else if (c == '\\' && quote != '\'') {
                if (++i == text.length()) {
                    throw new IllegalArgumentException("ends with a backslash");
                }
                char next = text.charAt(i);
                // Between double quotes a shell keeps the backslash in front of other characters.
                if (quote == '"' && "\"\\$`".indexOf(next) < 0) {
                    word.append(c);
                }
                word.append(next);
            } else {
                word.append(c);
            }
        }
        if (quote != 0) {
            throw new IllegalArgumentException("a quote is not closed");
        }
        if (inWord) {
            words.add(word.toString());
        }
        return words;
    }
}
