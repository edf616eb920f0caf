package io.tardis.cli;

import io.tardis.core.config.Settings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Finds the runtime that the launcher becomes. As in {@code tardis-runc.c} ({@code find_runtime}),
 * which alone decides: this is for people who ask.
 */
final class RealRuntime {

    private static final String DEFAULT_PATH =
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /** The launcher's own mark, by which it knows copies of itself; they are small. */
    private static final String MARK = "\u007fTARDIS-RUNC-LAUNCHER\u007f";

    private static final long LARGEST_LAUNCHER = 2 << 20;

    private RealRuntime() {}

    /** The runtime; empty if there is none that is not Tardis. */
    static Optional<Path> find(Settings settings) {
        String name = settings.realRuncCommand().orElse("runc");
        if (name.contains("/")) {
            return Optional.of(Path.of(name)).filter(RealRuntime::isRuntime);
        }
        String path = System.getenv("PATH");
        return Stream.of((path == null || path.isEmpty() ? DEFAULT_PATH : path).split(":"))
                .filter(it -> !it.isEmpty()) // the current directory, a bundle perhaps
                .map(it -> Path.of(it, name))
                .filter(RealRuntime::isRuntime)
                .findFirst();
    }

    private static boolean isRuntime(Path file) {
        try {
            return Files.isRegularFile(file)
                    && Files.isExecutable(file)
                    && (Files.size(file) > LARGEST_LAUNCHER
                            || !new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1)
                                    .contains(MARK));
        } catch (IOException _) {
            return false; // the launcher could not look at it either
        }
    }
}
