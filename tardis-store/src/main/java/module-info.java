import org.jspecify.annotations.NullMarked;

/** Placeholder. */
@NullMarked
module io.tardis.store {
    requires static transitive org.jspecify;
    requires transitive io.tardis.core;
    requires org.slf4j;
}
