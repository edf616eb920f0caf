package io.tardis.core.registry;

import io.tardis.core.FileIdentity;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.Rfc3339;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.DateTimeException;
import java.util.Optional;
import java.util.OptionalLong;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A {@link Life} as a file: one JSON object for each of its states, a line each, the newest last.
 *
 * <pre>
 * {"v":1,"life":"5f0c...","namespace":"default","container_id":"tc","created_at":"2026-11-23T06:51:23.418Z",
 *  "bundle":"/run/containerd/...","root":"/run/containerd/runc/default","pid":6615,"start_time":123456,"force_deleted":true}
 * </pre>
 *
 * {@code pid} and {@code start_time} (see {@link InitProcess}) are there from start on; {@code
 * force_deleted} only where it is true. It is not forced to the disk: when the machine goes down
 * its containers go with it, and a life that was never ended is then only litter.
 *
 * <p>A life begins with a file that is there as a whole or not at all; its later states are added
 * in one write, and one that is torn (the disk was full) does not count. Replacing the file each
 * time would cost a container's start another file, made and removed: a third of what the registry
 * costs on ext4. What others may have put in its place, a link or a pipe, is not opened.
 */
final class LifeFile {

    private static final int VERSION = 1;
    private static final int MAX_BYTES = 64 * 1024;
    private static final JsonMapper JSON = new JsonMapper();

    private LifeFile() {}

    /**
     * Begins the file with a life's first state, in the place of what is there.
     *
     * @throws IOException if it cannot be written
     */
    static void write(Path file, Life life) throws IOException {
        Path beside = beside(file);
        try {
            Files.writeString(beside, encode(life));
            Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            Files.deleteIfExists(beside); // a full disk leaves an empty one
            throw e;
        }
    }

    /** What is written before it becomes {@code file}; a process that was killed leaves it. */
    static Path beside(Path file) {
        return file.resolveSibling("." + file.getFileName() + ".new");
    }

    /**
     * Adds a later state.
     *
     * @throws IOException if there is no such file, or it cannot be written
     */
    static void append(Path file, Life life) throws IOException {
        // The line break comes first: what is there may end with a torn state.
        Files.writeString(
                file, "\n" + encode(life), StandardOpenOption.APPEND, LinkOption.NOFOLLOW_LINKS);
    }

    private static String encode(Life life) {
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
        if (!life.root().toString().isEmpty()) {
            node.put("root", life.root().toString());
        }
        if (life.forceDeleted()) {
            node.put("force_deleted", true);
        }
        return JSON.writeValueAsString(node);
    }

    /**
     * The life in {@code file}; empty if there is no such file.
     *
     * @throws IOException if it cannot be read or is not a life of {@code container}
     */
    static Optional<Life> read(Path file, ContainerKey container) throws IOException {
        BasicFileAttributes attributes = FileIdentity.attributes(file);
        if (attributes == null) {
            return Optional.empty();
        }
        if (!attributes.isRegularFile() || attributes.size() > MAX_BYTES) {
            throw new IOException(file + " is no file, or too long for a life");
        }
        try (InputStream in = Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS)) {
            JsonNode node = newestState(in.readNBytes(MAX_BYTES));
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
                // Messages name the life by it.
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
                            Path.of(node.path("root").asString(""))));
        } catch (DateTimeException | IllegalArgumentException e) {
            throw new IOException(file + " is not a life: " + e.getMessage(), e);
        }
    }

    /** The last line that is whole; a file has one or more. */
    private static JsonNode newestState(byte[] bytes) {
        for (String line : new String(bytes, StandardCharsets.UTF_8).lines().toList().reversed()) {
            try {
                JsonNode node = JSON.readTree(line);
                if (node.isObject()) {
                    return node;
                }
            } catch (JacksonException _) {
                // It is torn, and one before it may be whole.
            }
        }
        throw new IllegalArgumentException("no state in it is whole");
    }

    private static OptionalLong number(JsonNode node, String key) {
        JsonNode value = node.path(key);
        return value.isIntegralNumber() ? OptionalLong.of(value.asLong()) : OptionalLong.empty();
    }
}
