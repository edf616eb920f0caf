package io.tardis.core.curve;

import java.nio.file.attribute.PosixFileAttributes;

/** Whose a file is. */
final class Owner {

    private Owner() {}

    /** Whether it belongs to the user of this process. */
    static boolean isUs(PosixFileAttributes attributes) {
        return attributes.owner().getName().equals(us());
    }

    /** What is wrong with a file that does not. */
    static String complaint(PosixFileAttributes attributes) {
        return "belongs to " + attributes.owner().getName() + ", and not to " + us();
    }

    private static String us() {
        return System.getProperty("user.name", "");
    }
}
