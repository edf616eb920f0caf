package io.tardis.core;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.Collections;
import java.util.Optional;

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

    /** What is wrong with a file that has another owner than this process; empty if it has not. */
    public static Optional<String> complaint(UserPrincipal owner) throws IOException {
        return isUs(owner)
                ? Optional.empty()
                : Optional.of(
                        "belongs to %s, and not to %s"
                                .formatted(owner.getName(), System.getProperty("user.name")));
    }

    /**
     * Refuses what somebody else could have put there, or could use.
     *
     * @param what it is, for the message
     * @param isDirectory whether it is to be a directory, and not a file
     * @param forbidden what others may not do, such as {@code ---rwxrwx}
     * @param open what is wrong where they may
     * @throws SetupException if it is a link, of another kind, somebody else's, or open
     */
    public static void check(
            String what, Path path, boolean isDirectory, String forbidden, String open)
            throws IOException {
        PosixFileAttributes attributes =
                Files.readAttributes(path, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        Optional<String> problem = complaint(attributes.owner());
        if (attributes.isSymbolicLink()) {
            problem = Optional.of("is a symbolic link; name what it leads to");
        } else if (isDirectory ? !attributes.isDirectory() : !attributes.isRegularFile()) {
            problem = Optional.of(isDirectory ? "is not a directory" : "is not a file");
        } else if (problem.isEmpty()
                && !Collections.disjoint(
                        attributes.permissions(), PosixFilePermissions.fromString(forbidden))) {
            problem = Optional.of(open);
        }
        if (problem.isPresent()) {
            throw new SetupException("the " + what + " " + path + " " + problem.get());
        }
    }
}
