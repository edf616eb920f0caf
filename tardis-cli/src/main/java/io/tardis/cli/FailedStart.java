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
 *
 * @param failures how many starts failed in a row
 * @param since when the first of them did
 * @param reason why, in a line
 */
record FailedStart(String failures, String since, String reason) {

    private static final Logger LOG = LoggerFactory.getLogger(FailedStart.class);

    private static final int LONGEST = 64 * 1024;

    /** Empty if no start has failed. */
    static Optional<FailedStart> read(Path runDir) {
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
                new FailedStart(
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

    String describe() {
        return "its last start failed (" + failures + " in a row since " + since + "): " + reason;
    }
}
