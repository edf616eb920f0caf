package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleDescriptor.Exports;
import java.lang.module.ModuleDescriptor.Requires;
import org.junit.jupiter.api.Test;

/** What others may see of this module, and what it needs. */
class ModuleDescriptorTest {

    private final ModuleDescriptor module = RuncShim.class.getModule().getDescriptor();

    @Test
    void exportsItsPackageAndOpensNothing() {
        assertThat(module.name()).isEqualTo("io.tardis.runc");
        assertThat(module.isOpen()).isFalse();
        assertThat(module.exports()).extracting(Exports::source).containsExactly("io.tardis.runc");
        assertThat(module.exports()).noneMatch(Exports::isQualified);
        assertThat(module.opens()).isEmpty();
    }

    @Test
    void requiresCoreAndNoOtherPartOfTardis() {
        assertThat(module.requires())
                .extracting(Requires::name)
                .containsExactlyInAnyOrder(
                        "java.base", "jdk.net", "org.jspecify", "io.tardis.core", "org.slf4j");
    }

    @Test
    void showsCoreAndAnnotationsToItsUsers() {
        assertThat(module.requires())
                .filteredOn(it -> it.modifiers().contains(Requires.Modifier.TRANSITIVE))
                .extracting(Requires::name)
                .containsExactlyInAnyOrder("org.jspecify", "io.tardis.core");
        assertThat(module.requires())
                .filteredOn(it -> it.modifiers().contains(Requires.Modifier.STATIC))
                .extracting(Requires::name)
                .containsExactly("org.jspecify");
    }
}
