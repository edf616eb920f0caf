package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.module.ModuleDescriptor;
import org.junit.jupiter.api.Test;

/** Whoever changes what the module shows or needs should notice. */
class ModuleDescriptorTest {

    private final ModuleDescriptor descriptor = Listener.class.getModule().getDescriptor();

    @Test
    void exportsItsOnePackageAndOpensNothing() {
        assertThat(descriptor.name()).isEqualTo("io.tardis.listener");
        assertThat(descriptor.exports())
                .singleElement()
                .satisfies(it -> assertThat(it.source()).isEqualTo("io.tardis.listener"))
                .matches(it -> !it.isQualified());
        assertThat(descriptor.opens()).isEmpty();
        assertThat(descriptor.isOpen()).isFalse();
    }

    @Test
    void needsNoOtherPartOfTardisThanCore() {
        assertThat(descriptor.requires())
                .extracting(ModuleDescriptor.Requires::name)
                .containsExactlyInAnyOrder(
                        "java.base",
                        "io.tardis.core",
                        "org.slf4j",
                        "org.jspecify",
                        "tools.jackson.databind");
    }
}
