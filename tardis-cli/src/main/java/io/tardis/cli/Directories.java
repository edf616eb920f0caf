package io.tardis.cli;

import io.tardis.core.FileIdentity;
import io.tardis.core.Owner;
import io.tardis.core.Readers;
import io.tardis.core.SetupException;
import io.tardis.core.config.Layout;
import io.tardis.core.config.Setting;
import io.tardis.core.config.Settings;
import io.tardis.listener.LocalReaders;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
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

    /** For those who know the names in it, and may use what has them. */
    private static final Set<PosixFilePermission> GROUP_PASSES =
            PosixFilePermissions.fromString("rwx--x---");

    private static final Set<PosixFilePermission> OWNERS_FILE =
            PosixFilePermissions.fromString("rw-------");

    private static final Set<PosixFilePermission> WRITERS =
            PosixFilePermissions.fromString("----w--w-");

    /** The number of a file's group, which the JDK's names of groups do not have. */
    private static final String GID = "unix:gid";

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

    /**
     * Makes the run directory if it is not there. A group that may read gets through it to the
     * socket for its commands; everything else in it stays closed to that group, also what an
     * earlier version left open.
     *
     * @throws SetupException as above; if the group does not exist, or cannot be given the
     *     directory
     */
    static void makeRunDir(Settings settings) {
        Path directory = settings.runDir();
        Optional<Readers.Group> group = LocalReaders.group(settings.access());
        if (group.isEmpty() || !isFor(group.get(), directory)) {
            makePrivate(directory);
            group.ifPresent(it -> letPass(it, directory));
        }
    }

    private static boolean isFor(Readers.Group group, Path directory) {
        try {
            PosixFileAttributes attributes =
                    Files.readAttributes(
                            directory, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            return complaint(attributes).isEmpty()
                    && attributes.permissions().equals(GROUP_PASSES)
                    && Files.getAttribute(directory, GID, LinkOption.NOFOLLOW_LINKS)
                            .equals(group.gid());
        } catch (IOException _) {
            return false; // it is not there, or makePrivate says what is wrong
        }
    }

    /** First what is in it, then whose it is, then its mode: nobody gets through before. */
    private static void letPass(Readers.Group group, Path directory) {
        try {
            try (Stream<Path> entries = Files.list(directory)) {
                for (Path entry : entries.toList()) {
                    closeFile(entry);
                }
            }
            Files.setAttribute(directory, GID, group.gid(), LinkOption.NOFOLLOW_LINKS);
            Files.setPosixFilePermissions(directory, GROUP_PASSES);
        } catch (IOException e) {
            throw new SetupException(
                    "the directory %s cannot be given to the group %s: %s; set %s=none, or a group of the daemon's user"
                            .formatted(directory, group.name(), e, Setting.GROUP.key()),
                    e);
        }
    }

    private static void closeFile(Path file) throws IOException {
        try {
            if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                Files.setPosixFilePermissions(file, OWNERS_FILE);
            }
        } catch (NoSuchFileException _) {
            // A launcher or a starter has removed it meanwhile.
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
        if (problem.isEmpty() && !isClosed(attributes)) {
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

    /** Whether nobody else can list it, or change what is in it. */
    static boolean isClosed(PosixFileAttributes attributes) {
        return isPrivate(attributes) || attributes.permissions().equals(GROUP_PASSES);
    }
}
