package io.tardis.runc;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import tools.jackson.core.JsonToken;

/**
 * Reads what containerd and runc leave on disk for a container: the bundle's {@code config.json},
 * and its init's pid.
 */
final class Bundle {

    private static final String ENABLE = "TARDIS_ENABLE=";
    private static final int LONGEST_PID = 10;
    private static final int MAX_PID_FILE_SIZE = 64;

    private Bundle() {}

    /**
     * Whether {@code process.env} of the bundle's {@code config.json} has {@code TARDIS_ENABLE=1}.
     * Of several the last one counts, as for the process itself.
     *
     * @throws NoSuchFileException if there is no {@code config.json}
     * @throws IOException if it cannot be read
     */
    static boolean isTardisEnabled(Path bundle) throws IOException {
        AtomicBoolean enabled = new AtomicBoolean();
        GoJson.read(
                bundle.resolve("config.json"),
                json -> json.fields("process", () -> readProcess(json, enabled)));
        return enabled.get();
    }

    private static void readProcess(GoJson json, AtomicBoolean enabled) {
        if (json.is(JsonToken.VALUE_NULL)) {
            enabled.set(false);
        }
        json.fields(
                "env",
                () -> {
                    // An array takes the place of an earlier one, and so does null.
                    enabled.set(false);
                    json.elements(() -> readVariable(json, enabled));
                });
    }

    private static void readVariable(GoJson json, AtomicBoolean enabled) {
        String text = json.text(JsonToken.VALUE_STRING, ENABLE.length() + 2);
        if (text.startsWith(ENABLE)) {
            enabled.set(text.equals(ENABLE + "1"));
        }
    }

    /**
     * The pid of the container's init, between {@code create} and {@code delete}: from {@code
     * init.pid}, which containerd asks runc to write into the bundle, or else from the runtime's
     * own state.
     *
     * @param bundle the bundle's directory
     * @param state the runtime's directory for the container
     * @return empty if neither has it
     * @throws IOException if a file is there and cannot be read
     */
    static OptionalLong initPid(Path bundle, Path state) throws IOException {
        OptionalLong pid = initPid(bundle);
        return pid.isPresent() ? pid : pidInState(state);
    }

    /** The same, from {@code init.pid} alone. */
    static OptionalLong initPid(Path bundle) throws IOException {
        Path file = bundle.resolve("init.pid");
        if (!Files.isRegularFile(file)) {
            return OptionalLong.empty();
        }
        try (InputStream in = Files.newInputStream(file)) {
            byte[] text = in.readNBytes(MAX_PID_FILE_SIZE);
            return pid(new String(text, StandardCharsets.US_ASCII).strip());
        }
    }

    private static OptionalLong pidInState(Path state) throws IOException {
        AtomicReference<OptionalLong> pid = new AtomicReference<>(OptionalLong.empty());
        try {
            GoJson.read(
                    state.resolve("state.json"),
                    json -> json.fields("init_process_pid", () -> pid.set(readPid(json))));
        } catch (NoSuchFileException e) {
            return OptionalLong.empty();
        }
        return pid.get();
    }

    private static OptionalLong readPid(GoJson json) {
        return pid(json.text(JsonToken.VALUE_NUMBER_INT, LONGEST_PID + 1));
    }

    private static OptionalLong pid(String text) {
        return text.matches("[1-9][0-9]{0,9}")
                ? OptionalLong.of(Long.parseLong(text))
                : OptionalLong.empty();
    }
}
