package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleDescriptor.Opens;
import java.lang.module.ModuleDescriptor.Requires;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What others may see of this module, and what it needs. */
class ModuleDescriptorTest {

    private final ModuleDescriptor module = Main.class.getModule().getDescriptor();

    @Test
    void exportsNothing() {
        assertThat(module.name()).isEqualTo("io.tardis.cli");
        assertThat(module.exports()).isEmpty();
    }

    @Test
    void opensItsCommandsToTheCommandLineLibraryAlone() {
        assertThat(module.isOpen()).isFalse();
        assertThat(module.opens()).extracting(Opens::source).containsExactly("io.tardis.cli");
        assertThat(module.opens())
                .extracting(Opens::targets)
                .containsExactly(Set.of("info.picocli"));
    }

    @Test
    void requiresEveryPartOfTheDaemon() {
        assertThat(module.requires())
                .extracting(Requires::name)
                .containsExactlyInAnyOrder(
                        "java.base",
                        "java.logging",
                        "java.management",
                        "org.jspecify",
                        "ch.qos.logback.classic",
                        "ch.qos.logback.core",
                        "info.picocli",
                        "io.prometheus.metrics.config",
                        "io.prometheus.metrics.core",
                        "io.prometheus.metrics.exporter.common",
                        "io.prometheus.metrics.exporter.httpserver",
                        "io.prometheus.metrics.instrumentation.jvm",
                        "io.prometheus.metrics.model",
                        "io.prometheus.metrics.tracer.common",
                        "io.prometheus.metrics.tracer.initializer",
                        "io.prometheus.writer.text",
                        "io.tardis.core",
                        "io.tardis.listener",
                        "io.tardis.runc",
                        "io.tardis.store",
                        "jdk.httpserver",
                        "jdk.management",
                        "jdk.net",
                        "jdk.unsupported",
                        "org.slf4j");
    }

    @Test
    void knowsItsVersion() {
        assertThat(Version.text()).matches("[0-9]+\\.[0-9]+\\.[0-9]+(-SNAPSHOT)?");
    }
}
