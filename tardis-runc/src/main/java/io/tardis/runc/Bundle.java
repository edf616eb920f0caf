package io.tardis.runc;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

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
                json ->
                        json.object(name -> {
                            if (name.equalsIgnoreCase("process")) {
                                readProcess(json, enabled);
                            } else {
                                json.skip();
                            }
                        }));
        return enabled.get();
    }

    private static void readProcess(GoJson json, AtomicBoolean enabled) {
        if (json.isNull()) {
            enabled.set(false);
        }
        json.object(name -> {
            if (name.equalsIgnoreCase("env")) {
                enabled.set(false); // an array takes the place of an earlier one, and so does null
                json.array(() -> readVariable(json, enabled));
            } else {
                json.skip();
            }
        });
    }

    private static void readVariable(GoJson json, AtomicBoolean enabled) {
        if (json.isString()) {
            if (json.startsWith(ENABLE)) {
                enabled.set(json.text(ENABLE.length() + 1).equals(ENABLE + "1"));
            }
        } else {
            json.skip();
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
        } catch (NoSuchFileException e) {
            return OptionalLong.empty();
        }
    }

    private static OptionalLong pidInState(Path state) throws IOException {
        AtomicLong pid = new AtomicLong();
        try {
            GoJson.read(
                    state.resolve("state.json"),
                    json ->
                            json.object(name -> {
                                if (name.equalsIgnoreCase("init_process_pid") && json.isInteger()) {
                                    pid.set(pid(json.text(LONGEST_PID)).orElse(0));
                                } else {
                                    json.skip();
                                }
                            }));
        } catch (NoSuchFileException e) {
            return OptionalLong.empty();
        }
        return pid.get() == 0 ? OptionalLong.empty() : OptionalLong.of(pid.get());
    }

    private static OptionalLong pid(String text) {
        return text.matches("[1-9][0-9]{0,9}")
                ? OptionalLong.of(Long.parseLong(text))
                : OptionalLong.empty();
    }
}
