package io.tardis.core;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;

/**
 * Whose a file is. Users are equal if their numbers are (the JDK's principals are so on Unix): to
 * read their names takes a descriptor, and where none is left, root has no name.
 */
public final class Owner {

    /** Of a process that may be looked at by its own user, as every JVM may (proc(5)). */
    private static final Path THIS_PROCESS = Path.of("/proc/self");

    private Owner() {}

    /** Whether that is the user of this process. */
    public static boolean isUs(UserPrincipal owner) throws IOException {
        return owner.equals(Files.getOwner(THIS_PROCESS));
    }

    /** What is wrong with a file that has another owner. */
    public static String complaint(UserPrincipal owner) {
        return "belongs to " + owner.getName() + ", and not to " + System.getProperty("user.name");
    }
}
