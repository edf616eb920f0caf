package io.tardis.runc;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.OptionalLong;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads what containerd and runc leave on disk for a container: the bundle's {@code config.json},
 * and its init's pid.
 */
final class Bundle {

    private static final JsonMapper JSON = new JsonMapper();
    private static final String ENABLE = "TARDIS_ENABLE=";

    /** Real ones have some ten thousand bytes; one file must not take the daemon's memory. */
    private static final int MAX_FILE_SIZE = 8 * 1024 * 1024;

    private Bundle() {}

    /**
     * Whether {@code process.env} of the bundle's {@code config.json} has {@code TARDIS_ENABLE=1}.
     * Of several the last one counts, as for the process itself.
     *
     * @throws IOException if {@code config.json} cannot be read
     */
    static boolean isTardisEnabled(Path bundle) throws IOException {
        boolean enabled = false;
        for (JsonNode variable :
                readJson(bundle.resolve("config.json")).path("process").path("env")) {
            String text = variable.asString("");
            if (text.startsWith(ENABLE)) {
                enabled = text.equals(ENABLE + "1");
            }
        }
        return enabled;
    }

    /**
     * The pid of the container's init, between {@code create} and {@code delete}: from {@code
     * init.pid}, which containerd asks runc to write into the bundle, or else from the runtime's
     * own state.
     *
     * @param bundle the bundle's directory
     * @param state the runtime's directory for the container
     * @return empty if neither tells
     * @throws IOException if a file is there and cannot be read
     */
    static OptionalLong initPid(Path bundle, Path state) throws IOException {
        OptionalLong pid = initPid(bundle);
        return pid.isPresent() ? pid : pidInState(state);
    }

    /** The same, from {@code init.pid} alone. */
    static OptionalLong initPid(Path bundle) throws IOException {
        try {
            String text =
                    Files.readString(bundle.resolve("init.pid"), StandardCharsets.US_ASCII).strip();
            return text.matches("[1-9][0-9]{0,9}")
                    ? OptionalLong.of(Long.parseLong(text))
                    : OptionalLong.empty();
        } catch (NoSuchFileException e) {
            return OptionalLong.empty();
        }
    }

    private static OptionalLong pidInState(Path state) throws IOException {
        try {
            JsonNode pid = readJson(state.resolve("state.json")).path("init_process_pid");
            return pid.canConvertToLong() && pid.asLong() > 0
                    ? OptionalLong.of(pid.asLong())
                    : OptionalLong.empty();
        } catch (NoSuchFileException e) {
            return OptionalLong.empty();
        }
    }

    private static JsonNode readJson(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(MAX_FILE_SIZE + 1);
            if (bytes.length > MAX_FILE_SIZE) {
                throw new IOException(file + " is larger than " + MAX_FILE_SIZE + " bytes");
            }
            return JSON.readTree(bytes);
        } catch (JacksonException e) {
            throw new IOException(file + " is not JSON: " + e.getMessage(), e);
        }
    }
}
