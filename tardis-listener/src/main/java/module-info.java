import org.jspecify.annotations.NullMarked;

/** Placeholder. */
@NullMarked
module io.tardis.listener {
    requires static transitive org.jspecify;
    requires transitive io.tardis.core;
    requires org.slf4j;
}
