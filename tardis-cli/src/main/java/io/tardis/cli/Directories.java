package io.tardis.cli;

import io.tardis.core.FileIdentity;
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

    private static final Set<PosixFilePermission> WRITERS =
            PosixFilePermissions.fromString("----w--w-");

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
    static Optional<String> problemOfSharing(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            List<String> names =
                    entries.map(entry -> String.valueOf(entry.getFileName())).sorted().toList();
            return names.isEmpty() || names.stream().anyMatch(OURS::contains)
                    ? Optional.empty()
                    : Optional.of(
                            directory
                                    + " is open to others and holds what is not Tardis's, "
                                    + names.getFirst()
                                    + " for instance; name a directory for Tardis alone");
        }
    }

    private static void checkOwn(Path directory) throws IOException {
        PosixFileAttributes attributes = attributes(directory);
        Optional<String> problem = complaint(attributes).map(it -> directory + " " + it);
        if (problem.isEmpty() && !isPrivate(attributes)) {
            problem = problemOfSharing(directory);
        }
        if (problem.isPresent()) {
            throw new SetupException(problem.get());
        }
        if (!isPrivate(attributes)) {
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

    /** Whether it is Tardis's own directory, but for others who can write into it. */
    static boolean isOpenToWriters(Path directory) throws IOException {
        if (FileIdentity.attributes(directory) == null) {
            return false;
        }
        PosixFileAttributes attributes = attributes(directory);
        return complaint(attributes).isEmpty()
                && attributes.permissions().stream().anyMatch(WRITERS::contains);
    }

    private static PosixFileAttributes attributes(Path directory) throws IOException {
        return Files.readAttributes(
                directory, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    }

    static boolean isPrivate(PosixFileAttributes attributes) {
        return attributes.permissions().equals(OWNER_ONLY);
    }
}
