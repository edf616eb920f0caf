package io.tardis.core.registry;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.Rfc3339;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.DateTimeException;
import java.util.Optional;
import java.util.OptionalLong;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A {@link Life} as a file: one JSON object, replaced as a whole and never edited.
 *
 * <pre>
 * {"v":1,"life":"5f0c...","namespace":"default","container_id":"tc","created_at":"2026-11-23T06:51:23.418Z",
 *  "bundle":"/run/containerd/...","pid":6615,"start_time":123456,"force_deleted":true,"lost":true}
 * </pre>
 *
 * {@code pid} and {@code start_time} (see {@link InitProcess}) are there from start on; {@code
 * force_deleted} and {@code lost} only where they are true. It is not forced to the disk: when the
 * machine goes down its containers go with it, and a life that was never ended is then only litter.
 */
final class LifeFile {

    private static final int VERSION = 1;
    private static final JsonMapper JSON = new JsonMapper();

    private LifeFile() {}

    static void write(Path file, Life life) throws IOException {
        ObjectNode node =
                JSON.createObjectNode()
                        .put("v", VERSION)
                        .put("life", life.id())
                        .put("namespace", life.container().namespace())
                        .put("container_id", life.container().id())
                        .put("created_at", Rfc3339.format(life.createdAt()))
                        .put("bundle", life.bundle().toString());
        life.init()
                .ifPresent(init -> {
                    node.put("pid", init.pid());
                    init.startTime().ifPresent(time -> node.put("start_time", time));
                });
        if (life.forceDeleted()) {
            node.put("force_deleted", true);
        }
        if (life.lost()) {
            node.put("lost", true);
        }
        Path beside = file.resolveSibling("." + file.getFileName() + "." + life.id());
        Files.write(beside, JSON.writeValueAsBytes(node));
        Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE);
    }

    /**
     * The life in {@code file}; empty if there is no such file.
     *
     * @throws IOException if there is one that cannot be read or is not a life of {@code container}
     */
    static Optional<Life> read(Path file, ContainerKey container) throws IOException {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        try {
            JsonNode node = JSON.readTree(bytes);
            if (node.path("v").asInt(0) != VERSION) {
                throw new IOException(file + " is not a life of version " + VERSION);
            }
            ContainerKey named =
                    new ContainerKey(
                            node.path("namespace").asString(),
                            node.path("container_id").asString());
            if (!named.equals(container)) {
                throw new IOException(file + " is the life of " + named);
            }
            String id = node.path("life").asString();
            if (!ContainerKey.isIdentifier(id)) {
                // It becomes part of a file's name when the life is written again.
                throw new IOException(file + " has no life's id");
            }
            return Optional.of(
                    new Life(
                            id,
                            container,
                            Rfc3339.parse(node.path("created_at").asString()),
                            Path.of(node.path("bundle").asString()),
                            number(node, "pid").stream()
                                    .mapToObj(
                                            pid -> new InitProcess(pid, number(node, "start_time")))
                                    .findFirst(),
                            node.path("force_deleted").asBoolean(false),
                            node.path("lost").asBoolean(false)));
        } catch (JacksonException | DateTimeException | InvalidPathException e) {
            throw new IOException(file + " is not a life: " + e.getMessage(), e);
        } catch (IllegalArgumentException e) {
            throw new IOException(file + " is not the life of a container: " + e.getMessage(), e);
        }
    }

    private static OptionalLong number(JsonNode node, String key) {
        JsonNode value = node.path(key);
        return value.isIntegralNumber() ? OptionalLong.of(value.asLong()) : OptionalLong.empty();
    }
}
