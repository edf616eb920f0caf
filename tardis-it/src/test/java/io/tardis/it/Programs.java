package io.tardis.it;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Programs of the machine; but for containerd's own, which come from the folder that {@code
 * TARDIS_IT_CONTAINERD} names, if it is set. So another version of containerd is tested than the
 * one that is installed.
 */
final class Programs {

    private static final Set<String> OF_CONTAINERD =
            Set.of("containerd", "containerd-shim-runc-v2", "ctr");

    private static final String OTHER_CONTAINERD =
            System.getenv().getOrDefault("TARDIS_IT_CONTAINERD", "");

    private Programs() {}

    /** The path for a containerd, which looks for its shim there. */
    static String path() {
        String path = System.getenv().getOrDefault("PATH", "");
        return OTHER_CONTAINERD.isEmpty() ? path : OTHER_CONTAINERD + ":" + path;
    }

    static Path find(String name) {
        return search(name)
                .orElseThrow(() -> new IllegalStateException(name + " is not installed"));
    }

    /** Looks on the path, and where Debian keeps runc, which is not on everyone's path. */
    static Optional<Path> search(String name) {
        if (!OTHER_CONTAINERD.isEmpty() && OF_CONTAINERD.contains(name)) {
            return Optional.of(Path.of(OTHER_CONTAINERD, name))
                    .filter(program -> program.isAbsolute() && Files.isExecutable(program));
        }
        return Stream.concat(
                        Stream.of(path().split(":", -1)),
                        Stream.of(
                                "/usr/local/sbin",
                                "/usr/local/bin",
                                "/usr/sbin",
                                "/usr/bin",
                                "/sbin",
                                "/bin"))
                .filter(folder -> folder.startsWith("/"))
                .map(folder -> Path.of(folder, name))
                .filter(Files::isExecutable)
                .findFirst();
    }
}
