package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.event.ContainerKey;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class ContainerNameTest {

    private final ContainerName names = new ContainerName();

    @Test
    void readsANameInTheDefaultNamespace() {
        assertThat(names.convert("tc")).isEqualTo(new ContainerKey("default", "tc"));
    }

    @Test
    void readsANameWithItsNamespace() {
        assertThat(names.convert("k8s.io/tc-1.a_b"))
                .isEqualTo(new ContainerKey("k8s.io", "tc-1.a_b"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/", "ns/", "/tc", "a/b/c", "..", "../tc", "a b", "tc\n", "tç"})
    void refusesEverythingElse(String text) {
        assertThatThrownBy(() -> names.convert(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageStartingWith("not a con");
    }
}
