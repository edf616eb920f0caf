import org.jspecify.annotations.NullMarked;

/** Placeholder. */
@NullMarked
module io.tardis.runc {
    requires static transitive org.jspecify;
    requires transitive io.tardis.core;
    requires org.slf4j;
}
