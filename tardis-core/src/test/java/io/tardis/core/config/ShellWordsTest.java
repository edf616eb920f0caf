package io.tardis.core.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;

class ShellWordsTest {

    /** All but the first two and the last are what {@code sh -c "printf '<%s>' TEXT"} prints. */
    static final List<Arguments> SPLITS =
            List.of(
                    of(""),
                    of(" \t\n "),
                    of("ctr events", "ctr", "events"),
                    of("  ctr \t\n events  ", "ctr", "events"),
                    of("ctr --address '/run/a b.sock'", "ctr", "--address", "/run/a b.sock"),
                    of("\"a b\" c", "a b", "c"),
                    of("a'b c'\"d e\"f", "ab cd ef"),
                    of("'' \"\"", "", ""),
                    of("a ''", "a", ""),
                    of("'\"' \"'\"", "\"", "'"),
                    of("a\\ b", "a b"),
                    of("\\'a\\\"", "'a\""),
                    of("\\\\", "\\"),
                    of("'a\\b'", "a\\b"),
                    of("'a\\'", "a\\"),
                    of("\"a\\b\"", "a\\b"),
                    of("\"\\\" \\\\ \\$ \\`\"", "\" \\ $ `"),
                    of("$HOME * `id` ~", "$HOME", "*", "`id`", "~"));

    @ParameterizedTest
    @FieldSource("SPLITS")
    void splitsAsShellDoesWithoutExpansions(String text, List<String> words) {
        assertThat(ShellWords.split(text)).isEqualTo(words);
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '~',
            value = {
                "'a,      a quote is not closed",
                "a \"b,   a quote is not closed",
                "\"a',    a quote is not closed",
                "\"a\\\", a quote is not closed",
                "a\\,     ends with a backslash",
                "\"a\\,   ends with a backslash"
            })
    void refusesWhatIsNotClosed(String text, String reason) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ShellWords.split(text))
                .withMessage(reason);
    }

    /** A NUL cannot be in an argument; whoever starts the command says so. */
    @Test
    void keepsNul() {
        assertThat(ShellWords.split("a\0b")).containsExactly("a\0b");
    }

    private static Arguments of(String text, String... words) {
        return Arguments.of(text, List.of(words));
    }
}
