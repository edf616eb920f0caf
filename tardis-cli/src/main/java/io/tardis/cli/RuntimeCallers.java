package io.tardis.cli;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Which configurations of container engines name {@code tardis-runc}. A best effort: they can be
 * anywhere, and be included from anywhere.
 */
final class RuntimeCallers {

    /** Where containers get their runtime from, unless somebody configured it otherwise. */
    static final List<Path> CONFIGURATIONS =
            List.of(
                    Path.of("/etc/containerd/config.toml"),
                    Path.of("/etc/containerd/conf.d"),
                    Path.of("/etc/docker/daemon.json"),
                    Path.of("/etc/crio/crio.conf.d"));

    private static final int LONGEST_CONFIGURATION = 1 << 20;

    private RuntimeCallers() {}

    static List<Path> named() {
        return CONFIGURATIONS.stream()
                .flatMap(RuntimeCallers::files)
                .filter(RuntimeCallers::names)
                .toList();
    }

    /** The path, or what is in a directory. */
    private static Stream<Path> files(Path path) {
        File[] files = path.toFile().listFiles();
        return files == null ? Stream.of(path) : Stream.of(files).map(File::toPath);
    }

    private static boolean names(Path file) {
        if (!Files.isRegularFile(file)) {
            return false;
        }
        try (var in = Files.newInputStream(file)) {
            return new String(in.readNBytes(LONGEST_CONFIGURATION), StandardCharsets.UTF_8)
                    .contains("tardis-runc");
        } catch (IOException _) {
            return false; // it cannot be read, and is not found then
        }
    }
}
