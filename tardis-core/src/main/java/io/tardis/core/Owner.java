package io.tardis.core;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Whose a file is. Users are compared by their numbers: to read their names takes a descriptor, and
 * where none is left, root has no name.
 */
public final class Owner {

    private static final String UID = "unix:uid";

    /** Of a process that may be looked at by its own user, as every JVM may (proc(5)). */
    private static final Path THIS_PROCESS = Path.of("/proc/self");

    private Owner() {}

    /**
     * The owner of a file that is not the user's of this process; empty if it is.
     *
     * @param file not followed, where it is a link
     */
    public static Optional<String> other(Path file) throws IOException {
        Object uid = Files.getAttribute(file, UID, LinkOption.NOFOLLOW_LINKS);
        return uid.equals(Files.getAttribute(THIS_PROCESS, UID))
                ? Optional.empty()
                : Optional.of(Files.getOwner(file, LinkOption.NOFOLLOW_LINKS).getName());
    }

    /** What is wrong with a file that is somebody else's; empty if it is not. */
    public static Optional<String> complaint(Path file) throws IOException {
        return other(file)
                .map(it -> "belongs to " + it + ", and not to " + System.getProperty("user.name"));
    }
}
