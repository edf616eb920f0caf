import org.jspecify.annotations.NullMarked;

/** Placeholder. */
@NullMarked
module io.tardis.cli {
    requires static transitive org.jspecify;
    requires io.tardis.listener;
    requires io.tardis.store;
    requires io.tardis.runc;
    requires org.slf4j;
}
