package io.tardis.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.module.ModuleDescriptor;
import org.junit.jupiter.api.Test;

/** Whoever changes what the module shows or needs should notice. */
class ModuleDescriptorTest {

    private final ModuleDescriptor descriptor = TardisException.class.getModule().getDescriptor();

    @Test
    void exportsThesePackagesAndOpensNothing() {
        assertThat(descriptor.name()).isEqualTo("io.tardis.core");
        assertThat(descriptor.exports())
                .filteredOn(it -> !it.isQualified())
                .extracting(ModuleDescriptor.Exports::source)
                .containsExactlyInAnyOrder(
                        "io.tardis.core",
                        "io.tardis.core.client",
                        "io.tardis.core.config",
                        "io.tardis.core.curve",
                        "io.tardis.core.event",
                        "io.tardis.core.figures",
                        "io.tardis.core.registry",
                        "io.tardis.core.wire",
                        "io.tardis.core.zmq");
        assertThat(descriptor.exports())
                .filteredOn(ModuleDescriptor.Exports::isQualified)
                .singleElement()
                .satisfies(it -> {
                    assertThat(it.source()).isEqualTo("io.tardis.core.spec");
                    assertThat(it.targets())
                            .containsExactlyInAnyOrder("io.tardis.listener", "io.tardis.runc");
                });
        assertThat(descriptor.opens()).isEmpty();
        assertThat(descriptor.isOpen()).isFalse();
    }

    @Test
    void needsNoOtherPartOfTardis() {
        assertThat(descriptor.requires())
                .extracting(ModuleDescriptor.Requires::name)
                .containsExactlyInAnyOrder(
                        "java.base",
                        "jnacl",
                        "org.jspecify",
                        "org.slf4j",
                        "org.zeromq.jeromq",
                        "tools.jackson.databind");
    }
}
