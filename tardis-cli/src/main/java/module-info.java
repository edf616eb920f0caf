import org.jspecify.annotations.NullMarked;

/** The {@code tardis} command, and the daemon put together. Nobody compiles against it. */
@NullMarked
@SuppressWarnings("requires-automatic") // Prometheus' libraries are no modules yet
module io.tardis.cli {
    requires static transitive org.jspecify;
    requires ch.qos.logback.classic;
    requires ch.qos.logback.core;
    requires info.picocli;
    requires io.prometheus.metrics.exporter.httpserver;
    requires io.prometheus.metrics.instrumentation.jvm;
    requires io.prometheus.metrics.model;
    requires io.tardis.core;
    requires io.tardis.listener;
    requires io.tardis.runc;
    requires io.tardis.store;
    requires jdk.httpserver;
    requires jdk.net; // whose a client is
    requires jdk.unsupported; // sun.misc.Signal
    requires org.slf4j;

    // What Prometheus' libraries use and, as no modules, cannot say.
    requires io.prometheus.metrics.config;
    requires io.prometheus.metrics.core;
    requires io.prometheus.metrics.exporter.common;
    requires io.prometheus.metrics.tracer.common;
    requires io.prometheus.metrics.tracer.initializer;
    requires io.prometheus.writer.text;
    requires java.logging;
    requires java.management;
    requires jdk.management;

    // picocli fills the fields of the commands.
    opens io.tardis.cli to
            info.picocli;
}
