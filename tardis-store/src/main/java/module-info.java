import org.jspecify.annotations.NullMarked;

/**
 * Keeps every exit on disk, and answers how a container ended. It hears of exits on the listener's
 * PUB socket and is asked on its own REP socket; it knows no other part of Tardis.
 */
@NullMarked
module io.tardis.store {
    requires static transitive org.jspecify;
    requires transitive io.tardis.core;
    requires com.github.benmanes.caffeine;
    requires java.sql;
    requires org.slf4j;
    requires org.xerial.sqlitejdbc;

    exports io.tardis.store;
}
