package io.tardis.core.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ExitSourceTest {

    /** Other programs compare these words. */
    @Test
    void keepsItsWords() {
        assertThat(Stream.of(ExitSource.values()).map(ExitSource::word))
                .containsExactly("containerd", "kernel", "shim", "assumed");
    }

    @ParameterizedTest
    @EnumSource
    void parsesItsOwnWord(ExitSource source) {
        assertThat(ExitSource.parse(source.word())).isEqualTo(source);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "KERNEL", "Kernel", " kernel", "runc"})
    void refusesOtherWords(String word) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ExitSource.parse(word))
                .withMessageContaining("'" + word + "'");
    }
}
