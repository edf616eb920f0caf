package io.tardis.cli;

import io.tardis.core.Owner;
import io.tardis.core.SetupException;
import io.tardis.core.config.Layout;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** The directories that belong to Tardis alone. */
final class Directories {

    private static final Set<PosixFilePermission> OWNER_ONLY =
            PosixFilePermissions.fromString("rwx------");

    /** One of these is in every directory that Tardis has used. */
    private static final Set<String> OURS =
            Set.of(Layout.EXIT_LOG, Layout.CONTAINERS, Layout.PID, Layout.SOCKET);

    private Directories() {}

    /**
     * Makes {@code directory} if it is not there, and sees to it that nobody else can use it.
     *
     * @throws SetupException if it is a link, not a directory, or somebody else's
     */
    static void makePrivate(Path directory) {
        try {
            Files.createDirectories(directory.resolveSibling(""));
            try {
                Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
            } catch (FileAlreadyExistsException e) {
                checkOwn(directory);
            }
        } catch (IOException e) {
            throw new SetupException("the directory " + directory + " cannot be made: " + e, e);
        }
    }

    /** Closing /tmp or /etc to everybody else, because a setting names it, would be the worst. */
    private static void checkNotShared(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            List<String> names =
                    entries.map(entry -> String.valueOf(entry.getFileName())).sorted().toList();
            if (!names.isEmpty() && names.stream().noneMatch(OURS::contains)) {
                throw new SetupException(
                        directory
                                + " is open to others and holds what is not Tardis's, "
                                + names.getFirst()
                                + " for instance; name a directory for Tardis alone");
            }
        }
    }

    private static void checkOwn(Path directory) throws IOException {
        PosixFileAttributes attributes =
                Files.readAttributes(
                        directory, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        Optional<String> complaint = complaint(attributes);
        if (complaint.isPresent()) {
            throw new SetupException(directory + " " + complaint.get());
        }
        if (!isPrivate(attributes)) {
            checkNotShared(directory);
            Files.setPosixFilePermissions(directory, OWNER_ONLY);
        }
    }

    /** Why it cannot be Tardis's own directory; empty if it can. */
    static Optional<String> complaint(PosixFileAttributes attributes) throws IOException {
        if (attributes.isDirectory()) {
            return Owner.complaint(attributes.owner());
        }
        String link = attributes.isSymbolicLink() ? ", but a symbolic link" : "";
        return Optional.of("is not a directory of its own" + link);
    }

    static boolean isPrivate(PosixFileAttributes attributes) {
        return attributes.permissions().equals(OWNER_ONLY);
    }
}
