package io.tardis.cli;

import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;

/** The directories that belong to Tardis alone. */
final class Directories {

    private static final String OWNER_ONLY = "rwx------";

    private Directories() {}

    /**
     * Makes {@code directory} if it is not there, and sees to it that nobody else can use it.
     *
     * @throws SetupException if it is a link, not a directory, or somebody else's
     */
    static void makePrivate(Path directory) {
        try {
            Path parent = directory.getParent();
            if (parent != null) {
                Files.createDirectories(parent);
            }
            try {
                Files.createDirectory(
                        directory,
                        PosixFilePermissions.asFileAttribute(
                                PosixFilePermissions.fromString(OWNER_ONLY)));
            } catch (FileAlreadyExistsException e) {
                checkOwn(directory);
            }
        } catch (IOException e) {
            throw new SetupException("the directory " + directory + " cannot be made: " + e, e);
        }
    }

    private static void checkOwn(Path directory) throws IOException {
        PosixFileAttributes attributes =
                Files.readAttributes(
                        directory, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        if (!attributes.isDirectory()) {
            throw new SetupException(
                    directory
                            + " is not a directory of its own"
                            + (attributes.isSymbolicLink() ? ", but a symbolic link" : ""));
        }
        String user = System.getProperty("user.name");
        if (!attributes.owner().getName().equals(user)) {
            throw new SetupException(
                    directory
                            + " belongs to "
                            + attributes.owner().getName()
                            + ", and not to "
                            + user);
        }
        if (!PosixFilePermissions.toString(attributes.permissions()).equals(OWNER_ONLY)) {
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString(OWNER_ONLY));
        }
    }
}
