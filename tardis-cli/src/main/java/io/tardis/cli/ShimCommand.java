package io.tardis.cli;

import io.tardis.core.config.Settings;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.wire.Answer;
import io.tardis.runc.ColdShim;
import io.tardis.runc.RuncShim;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import org.slf4j.LoggerFactory;

/**
 * {@code tardis shim MS -- ARGUMENTS}: the cold shim, which has so many milliseconds from its
 * start. Not for people: only the launcher calls it.
 */
final class ShimCommand {

    private ShimCommand() {}

    /** Whatever fails is logged; the launcher goes on to the runtime in any case. */
    static void run(List<String> words, Environment environment) {
        Settings settings = environment.lenientSettings();
        Logging.forShim(settings);
        try {
            Duration limit = Duration.ofMillis(Long.parseLong(words.getFirst()));
            List<String> arguments = words.subList(2, words.size());
            // Nothing is noted, or removed, in a directory that the daemon refuses.
            if (Files.exists(settings.stateDir(), LinkOption.NOFOLLOW_LINKS)) {
                Directories.makePrivate(settings.stateDir());
            }
            RuncShim local =
                    new RuncShim(
                            new ContainerRegistry(settings.containersDir()),
                            settings.checkpointDir(),
                            () -> {},
                            (container, _) -> new Answer.Unknown(container),
                            RuncShim.Witness.NONE,
                            Duration.ZERO,
                            InstantSource.system());
            new ColdShim(
                            settings.socket(),
                            new BackgroundDaemon(settings, BackgroundDaemon.ownProgram()),
                            local,
                            limit.minus(age()))
                    .before(arguments, Path.of("").toAbsolutePath());
        } catch (RuntimeException e) {
            LoggerFactory.getLogger(ShimCommand.class)
                    .error("the shim goes on without a record: {}", words, e);
        }
    }

    /** Since the launcher made this process, which became a shell, and then a JVM. */
    private static Duration age() {
        Instant now = Instant.now();
        Instant start = ProcessHandle.current().info().startInstant().orElse(now);
        return start.isAfter(now) ? Duration.ZERO : Duration.between(start, now);
    }
}
