import org.jspecify.annotations.NullMarked;

/**
 * What Tardis does when containerd creates, starts and deletes a container through {@code
 * tardis-runc}: the shim, the socket on which the native launcher reaches it, and the launcher
 * itself ({@code src/main/c}).
 */
@NullMarked
module io.tardis.runc {
    requires static transitive org.jspecify;
    requires transitive io.tardis.core;
    requires jdk.net;
    requires org.slf4j;

    exports io.tardis.runc;
}
