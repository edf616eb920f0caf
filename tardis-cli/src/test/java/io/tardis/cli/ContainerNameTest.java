package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.event.ContainerKey;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class ContainerNameTest {

    private final ContainerName.Reader names = new ContainerName.Reader();

    @Test
    void readsANameInTheDefaultNamespace() {
        assertThat(names.convert("tc").exact()).contains(new ContainerKey("default", "tc"));
    }

    @Test
    void readsANameWithItsNamespace() {
        assertThat(names.convert("k8s.io/tc-1.a_b").exact())
                .contains(new ContainerKey("k8s.io", "tc-1.a_b"));
    }

    @Test
    void readsANameThatCannotBeAnId() {
        assertThat(names.convert("web_1-").exact()).isEmpty();
        assertThat(names.convert("web_1-")).hasToString("default/web_1-");
    }

    @Test
    void readsAPodAndItsContainer() {
        assertThat(names.convert("pod/web-0/nginx"))
                .isEqualTo(new ContainerName.OfPod(Optional.empty(), "web-0", Optional.of("nginx")))
                .hasToString("pod/web-0/nginx");
        assertThat(names.convert("pod/web-0"))
                .isEqualTo(new ContainerName.OfPod(Optional.empty(), "web-0", Optional.empty()));
    }

    @Test
    void takesAPodWithoutItsContainerForAnIdToo() {
        assertThat(names.convert("pod/web-0").exact()).contains(new ContainerKey("pod", "web-0"));
        assertThat(names.convert("pod/web-0").in("shop").flatMap(ContainerName::exact)).isEmpty();
        assertThat(names.convert("pod/web-0/nginx").exact()).isEmpty();
    }

    @Test
    void takesOneNamespaceOnly() {
        assertThat(names.convert("tc").in("k8s.io")).contains(names.convert("k8s.io/tc"));
        assertThat(names.convert("default/tc").in("k8s.io")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "/",
                "ns/",
                "/tc",
                "a/b/c",
                "..",
                "../tc",
                "a b",
                "tc\n",
                "tç",
                "pod/",
                "pod//c",
                "pod/a/",
                "pod/a/b/c",
                "a b/tc"
            })
    void refusesEverythingElse(String text) {
        assertThatThrownBy(() -> names.convert(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageStartingWith("not a con");
    }
}
