package io.tardis.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.module.ModuleDescriptor;
import org.junit.jupiter.api.Test;

/** Whoever changes what the module shows or needs should notice. */
class ModuleDescriptorTest {

    private final ModuleDescriptor descriptor = Store.class.getModule().getDescriptor();

    @Test
    void exportsItsOnePackageAndOpensNothing() {
        assertThat(descriptor.name()).isEqualTo("io.tardis.store");
        assertThat(descriptor.exports())
                .singleElement()
                .satisfies(it -> assertThat(it.source()).isEqualTo("io.tardis.store"))
                .matches(it -> !it.isQualified());
        assertThat(descriptor.opens()).isEmpty();
        assertThat(descriptor.isOpen()).isFalse();
    }

    @Test
    void needsCoreAndWhatKeepsThingsAndNoOtherPartOfTardis() {
        assertThat(descriptor.requires())
                .extracting(ModuleDescriptor.Requires::name)
                .containsExactlyInAnyOrder(
                        "java.base",
                        "java.sql",
                        "com.github.benmanes.caffeine",
                        "io.tardis.core",
                        "org.jspecify",
                        "org.slf4j",
                        "org.xerial.sqlitejdbc");
    }
}
