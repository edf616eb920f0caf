package io.tardis.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A temporary folder, whose path is short enough for the sockets in it and unique enough to know
 * our processes, mounts and control groups by it.
 */
final class Scratch implements AutoCloseable {

    private final Path root;

    private Scratch(Path root) {
        this.root = root;
    }

    static Scratch create() {
        try {
            return new Scratch(Files.createTempDirectory(Path.of("/tmp"), "tardis-it-"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Path root() {
        return root;
    }

    /** A folder inside, made if need be. */
    Path folder(String name) {
        try {
            return Files.createDirectories(root.resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Mount points inside, innermost first. */
    List<Path> mounts() {
        try {
            // The fifth field is the mount point; the characters that mountinfo escapes are not in
            // our paths.
            return Files.readAllLines(Path.of("/proc/self/mountinfo")).stream()
                    .map(line -> Path.of(line.split(" ", -1)[4]))
                    .filter(mount -> mount.startsWith(root))
                    .sorted(Comparator.reverseOrder())
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Copies the plain files of some folders inside, as far as they can be read. */
    void copy(List<String> folders, Path target) {
        for (String folder : folders) {
            Path from = root.resolve(folder);
            if (Files.isDirectory(from, LinkOption.NOFOLLOW_LINKS)) {
                walk(from, new PlainFilesCopy(from, target.resolve(folder)));
            }
        }
    }

    /** Removes everything. Links are removed, never followed, and mounts are taken away before. */
    @Override
    public void close() {
        for (Path mount : mounts()) {
            Command.of("umount", "-l", mount.toString()).run().orFail();
        }
        delete(root);
    }

    static void delete(Path path) {
        walk(path, new Deletion());
    }

    private static void walk(Path from, SimpleFileVisitor<Path> visitor) {
        try {
            Files.walkFileTree(from, visitor);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static final class Deletion extends SimpleFileVisitor<Path> {
        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                throws IOException {
            Files.deleteIfExists(file);
            return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFileFailed(Path file, IOException failure) throws IOException {
            if (failure instanceof NoSuchFileException) {
                return FileVisitResult.CONTINUE;
            }
            throw failure;
        }

        @Override
        public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException failure)
                throws IOException {
            Files.deleteIfExists(folder);
            return FileVisitResult.CONTINUE;
        }
    }

    private static final class PlainFilesCopy extends SimpleFileVisitor<Path> {
        private final Path from;
        private final Path to;

        PlainFilesCopy(Path from, Path to) {
            this.from = from;
            this.to = to;
        }

        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                throws IOException {
            // Sockets and FIFOs have nothing to copy, and opening a FIFO would wait for a writer.
            if (attributes.isRegularFile()) {
                Path copy = to.resolve(from.relativize(file));
                Files.createDirectories(copy.getParent());
                Files.copy(file, copy, StandardCopyOption.REPLACE_EXISTING);
            }
            return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFileFailed(Path file, IOException failure) {
            return FileVisitResult.CONTINUE;
        }
    }
}
