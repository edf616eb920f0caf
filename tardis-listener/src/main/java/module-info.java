import org.jspecify.annotations.NullMarked;

/**
 * Hears every exit of every container, from {@code ctr events} and from the kernel, and publishes
 * it. The other parts of Tardis meet it only on its PUB socket.
 */
@NullMarked
module io.tardis.listener {
    requires static transitive org.jspecify;
    requires transitive io.tardis.core;
    requires org.slf4j;
    requires tools.jackson.databind;

    exports io.tardis.listener;
}
