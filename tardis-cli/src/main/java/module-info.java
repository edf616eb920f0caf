import org.jspecify.annotations.NullMarked;

/** The {@code tardis} command, and the daemon put together. Nobody compiles against it. */
@NullMarked
module io.tardis.cli {
    requires static transitive org.jspecify;
    requires ch.qos.logback.classic;
    requires ch.qos.logback.core;
    requires info.picocli;
    requires io.tardis.core;
    requires io.tardis.listener;
    requires io.tardis.runc;
    requires io.tardis.store;
    requires jdk.net; // whose a client is
    requires jdk.unsupported; // sun.misc.Signal
    requires org.slf4j;

    // picocli fills the fields of the commands.
    opens io.tardis.cli to
            info.picocli;
}
