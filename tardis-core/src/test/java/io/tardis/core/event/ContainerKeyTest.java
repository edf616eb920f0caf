package io.tardis.core.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ContainerKeyTest {

    static Stream<String> identifiers() {
        return Stream.of(
                "a",
                "Z",
                "0",
                "tc",
                "k8s.io",
                "build.42_x-1",
                "a-b_c.d",
                "3f1c9d0a7b5e4c2d8f6a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e",
                "x".repeat(76));
    }

    static Stream<String> otherTexts() {
        return Stream.of(
                "",
                "x".repeat(77),
                " ",
                "a b",
                "a\n",
                "a\0",
                ".",
                "..",
                "../a",
                "a/../../b",
                "/etc",
                "a/b",
                "a\\b",
                ".a",
                "a.",
                "a..b",
                "a-_b",
                "-a",
                "a-",
                "_",
                "a:b",
                "a%2fb",
                // Look like "a", "1", ".", "-" and "/": Cyrillic, full width, Arabic, one dot
                // leader, full stop, hyphen, slash.
                "\u0430",
                "\uFF41",
                "\u0661",
                "a\u2024b",
                "a\uFF0Eb",
                "a\u2010b",
                "a\u2215b",
                // An accent that follows its letter, an invisible space, a letter outside the BMP.
                "e\u0301",
                "a\u200Bb",
                "\uD835\uDC1A");
    }

    @ParameterizedTest
    @MethodSource("identifiers")
    void acceptsWhatContainerdAccepts(String text) {
        assertThat(ContainerKey.isIdentifier(text)).isTrue();
        assertThat(new ContainerKey(text, "tc").namespace()).isEqualTo(text);
        assertThat(new ContainerKey("default", text).id()).isEqualTo(text);
    }

    @ParameterizedTest
    @MethodSource("otherTexts")
    void refusesWhatContainerdRefuses(String text) {
        assertThat(ContainerKey.isIdentifier(text)).isFalse();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ContainerKey(text, "tc"))
                .withMessageContaining("namespace")
                .withMessageContaining("'" + text + "'");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ContainerKey("default", text))
                .withMessageContaining("container id")
                .withMessageContaining("'" + text + "'");
    }

    @ParameterizedTest
    @MethodSource("identifiers")
    void namesDirectoryDirectlyBelowItsParent(String text) {
        Path parent = Path.of("/containers");

        assertThat(parent.resolve(text).normalize().getParent()).isEqualTo(parent);
    }

    @Test
    void writesNamespaceAndId() {
        assertThat(new ContainerKey("k8s.io", "tc")).hasToString("k8s.io/tc");
    }

    @Test
    void sortsByNamespaceThenId() {
        ContainerKey first = new ContainerKey("a", "z");
        ContainerKey second = new ContainerKey("b", "a");
        ContainerKey third = new ContainerKey("b", "b");

        assertThat(Stream.of(third, first, second).sorted()).containsExactly(first, second, third);
        assertThat(second).isEqualByComparingTo(new ContainerKey("b", "a"));
    }
}
