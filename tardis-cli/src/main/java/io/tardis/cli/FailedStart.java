package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.config.Layout;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the launcher remembers of daemons that it could not start, in {@code RUN_DIR/start-failed}:
 * lines of {@code KEY=VALUE}. The launcher owns the format; keys that are not known here are passed
 * over.
 */
final class FailedStart {

    private static final Logger LOG = LoggerFactory.getLogger(FailedStart.class);

    private static final int LONGEST = 64 * 1024;

    private FailedStart() {}

    /** How the last start failed, in a line; empty if it has not. */
    static Optional<String> describe(Path runDir) {
        Path file = runDir.resolve(Layout.START_FAILED);
        String text;
        try (var in = Files.newInputStream(file)) {
            text = new String(in.readNBytes(LONGEST), StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw new TardisException(
                    "it cannot be found out whether a start has failed: %s cannot be read: %s"
                            .formatted(file, e),
                    e);
        }
        Map<String, String> values =
                text.lines()
                        .map(line -> line.split("=", 2))
                        .filter(pair -> pair.length == 2)
                        .collect(Collectors.toMap(it -> it[0], it -> it[1], (_, last) -> last));
        return Optional.of(
                "its last start failed (%s in a row since %s): %s"
                        .formatted(
                                values.getOrDefault("failures", "?"),
                                values.getOrDefault("since", "?"),
                                values.getOrDefault("reason", "no reason was noted")));
    }

    /** A daemon answers, whoever started it. */
    static void forget(Path runDir) {
        try {
            boolean _ = Files.deleteIfExists(runDir.resolve(Layout.START_FAILED));
        } catch (IOException e) {
            LOG.debug("the failure of an earlier start stays noted", e);
        }
    }
}
