import org.jspecify.annotations.NullMarked;

/**
 * What the other modules of Tardis share: exits and container identity, the wire formats, settings,
 * the registry of enabled containers, what containers' own files say, and the client library. It
 * depends on no other module of Tardis.
 */
@NullMarked
// jnacl, the newest release, is no module yet; the modules that use spec are compiled later.
@SuppressWarnings({"requires-automatic", "module"})
module io.tardis.core {
    requires static transitive org.jspecify;
    // JeroMQ has it as optional, so that it would be missing at run time, and with it CURVE.
    requires jnacl;
    requires org.slf4j;
    requires org.zeromq.jeromq;
    requires tools.jackson.databind;

    exports io.tardis.core;
    exports io.tardis.core.client;
    exports io.tardis.core.config;
    exports io.tardis.core.curve;
    exports io.tardis.core.event;
    exports io.tardis.core.figures;
    exports io.tardis.core.registry;
    exports io.tardis.core.spec to
            io.tardis.listener,
            io.tardis.runc;
    exports io.tardis.core.wire;
    exports io.tardis.core.zmq;
}
