package io.tardis.it;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/** Programs of the machine. */
final class Programs {

    private Programs() {}

    static Path find(String name) {
        return search(name)
                .orElseThrow(() -> new IllegalStateException(name + " is not installed"));
    }

    /** Looks on the path, and where Debian keeps runc, which is not on everyone's path. */
    static Optional<Path> search(String name) {
        String path = System.getenv().getOrDefault("PATH", "");
        return Stream.concat(
                        Stream.of(path.split(":", -1)),
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
