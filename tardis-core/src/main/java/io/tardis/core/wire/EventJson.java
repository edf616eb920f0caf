package io.tardis.core.wire;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.event.TaskExit;
import java.io.ByteArrayOutputStream;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The fields of an {@link ExitEvent} in JSON, keys as containerd spells them, and what all formats
 * here share.
 *
 * <pre>
 * "v":1                                       the version of this format; another one is refused
 * "seq":1732330000123001                      the number of the exit
 * "topic":"/tasks/exit"                       or "/tasks/exec-exit"
 * "namespace":"default"
 * "container_id":"tc"
 * "id":"tc"                                   the container's id, or the exec id
 * "pid":6615                                  0 where it is not known
 * "exit_status":137                           always there, 0 included
 * "signal":9                                  only where it is known
 * "oom_killed":false
 * "exited_at":"2025-04-04T19:10:59.78307293Z" RFC 3339, UTC
 * "source":"containerd"                       or "kernel", "shim", "assumed"
 * "life":"5f0c..."                            the life that it ends, or that the exec ran in
 * "created_at":"2025-04-04T19:10:12.5Z"       when that life began
 * "kept":true                                 whether that life's end is stored
 * </pre>
 *
 * and those of {@link DetailsJson}.
 *
 * <p>A reader ignores keys that it does not know.
 */
final class EventJson {

    static final int VERSION = 1;

    private static final int MAX_QUOTED = 300;

    /** Strict about what would be ambiguous, and bounded in depth and length. */
    static final JsonMapper JSON =
            JsonMapper.builder(
                            JsonFactory.builder()
                                    .streamReadConstraints(
                                            StreamReadConstraints.builder()
                                                    .maxNestingDepth(16)
                                                    .maxNumberLength(64)
                                                    .build())
                                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                                    .build())
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();

    private EventJson() {}

    /** One JSON object whose fields {@code fields} writes. */
    static byte[] object(Consumer<JsonGenerator> fields) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(320);
        try (JsonGenerator json = JSON.createGenerator(bytes)) {
            json.writeStartObject();
            fields.accept(json);
            json.writeEndObject();
        }
        return bytes.toByteArray();
    }

    /** The JSON object that {@code bytes} holds. */
    static JsonNode readObject(byte[] bytes) {
        JsonNode node;
        try {
            node = JSON.readTree(bytes);
        } catch (JacksonException e) {
            throw new MalformedMessageException(
                    "this is not JSON: " + shortened(e.getOriginalMessage()), e);
        }
        if (!node.isObject()) {
            throw new MalformedMessageException("this is not a JSON object");
        }
        return node;
    }

    /**
     * What {@code reader} gives.
     *
     * @param otherwise what is wrong where a value is refused: "this names no life"
     */
    static <T> T valid(String otherwise, Supplier<T> reader) {
        try {
            return reader.get();
        } catch (IllegalArgumentException | DateTimeException e) {
            throw new MalformedMessageException(otherwise + ": " + shortened(e.getMessage()), e);
        }
    }

    /** A reason may repeat the other side's text, which can be long. */
    static String shortened(@Nullable String reason) {
        String text = String.valueOf(reason);
        return text.length() <= MAX_QUOTED ? text : text.substring(0, MAX_QUOTED) + "...";
    }

    static void write(JsonGenerator json, ExitEvent event) {
        TaskExit exit = event.exit();
        json.writeNumberProperty("v", VERSION);
        json.writeNumberProperty("seq", event.seq());
        json.writeStringProperty(
                "topic", exit.isContainerExit() ? "/tasks/exit" : "/tasks/exec-exit");
        writeContainer(json, exit.container());
        json.writeStringProperty("id", exit.id());
        json.writeNumberProperty("pid", exit.pid());
        json.writeNumberProperty("exit_status", exit.exitStatus());
        event.signal().ifPresent(signal -> json.writeNumberProperty("signal", signal));
        json.writeBooleanProperty("oom_killed", event.oomKilled());
        json.writeStringProperty("exited_at", Rfc3339.format(exit.exitedAt()));
        json.writeStringProperty("source", event.source().word());
        event.life().ifPresent(it -> writeLife(json, it));
        DetailsJson.write(json, event.details(), Optional.of(exit.exitedAt()));
    }

    static void writeLife(JsonGenerator json, LifeRef life) {
        json.writeStringProperty("life", life.id());
        json.writeStringProperty("created_at", Rfc3339.format(life.createdAt()));
        json.writeBooleanProperty("kept", life.kept());
    }

    /** The life that {@code node} names; empty if it names none. */
    static Optional<LifeRef> readLife(JsonNode node) {
        if (!node.has("life") || !node.has("created_at")) {
            return Optional.empty();
        }
        boolean kept = node.path("kept").asBoolean(false);
        return valid(
                "this names no life",
                () ->
                        Optional.of(
                                new LifeRef(string(node, "life"), time(node, "created_at"), kept)));
    }

    static void writeContainer(JsonGenerator json, ContainerKey container) {
        json.writeStringProperty("namespace", container.namespace());
        json.writeStringProperty("container_id", container.id());
    }

    static ExitEvent read(JsonNode node) {
        checkVersion(node);
        return valid(
                "this is not an exit",
                () ->
                        new ExitEvent(
                                number(node, "seq"),
                                readExit(node),
                                signal(node),
                                node.path("oom_killed").asBoolean(false),
                                ExitSource.parse(string(node, "source")),
                                readLife(node),
                                DetailsJson.read(node)));
    }

    private static TaskExit readExit(JsonNode node) {
        return new TaskExit(
                readContainer(node),
                string(node, "id"),
                number(node, "pid"),
                number(node, "exit_status"),
                time(node, "exited_at"),
                isContainerExit(node));
    }

    private static boolean isContainerExit(JsonNode node) {
        return node.has("topic")
                ? string(node, "topic").equals("/tasks/exit")
                : string(node, "id").equals(string(node, "container_id"));
    }

    private static OptionalInt signal(JsonNode node) {
        if (!node.has("signal")) {
            return OptionalInt.empty();
        }
        long signal = number(node, "signal");
        if (signal != (int) signal) {
            throw new MalformedMessageException("signal is not a number of 32 bits");
        }
        return OptionalInt.of((int) signal);
    }

    static void checkVersion(JsonNode node) {
        JsonNode version = node.path("v");
        if (!version.isIntegralNumber() || version.asInt(0) != VERSION) {
            throw new MalformedMessageException(
                    "v is %s, but only version %s is understood"
                            .formatted(shortened(version.toString()), VERSION));
        }
    }

    static ContainerKey readContainer(JsonNode node) {
        return valid(
                "this names no container",
                () -> new ContainerKey(string(node, "namespace"), string(node, "container_id")));
    }

    /** To be used within {@link #valid}. */
    static Instant time(JsonNode node, String key) {
        return Rfc3339.parse(string(node, key));
    }

    static String string(JsonNode node, String key) {
        return value(node, key, JsonNode::isString, "a string").stringValue();
    }

    static JsonNode array(JsonNode node, String key) {
        return value(node, key, JsonNode::isArray, "an array");
    }

    static OptionalLong optionalNumber(JsonNode node, String key) {
        return node.has(key) ? OptionalLong.of(number(node, key)) : OptionalLong.empty();
    }

    static long number(JsonNode node, String key) {
        return value(
                        node,
                        key,
                        it -> it.isIntegralNumber() && it.canConvertToLong(),
                        "a whole number of 64 bits")
                .longValue();
    }

    private static JsonNode value(
            JsonNode node, String key, Predicate<JsonNode> isRight, String right) {
        JsonNode value = node.path(key);
        if (!isRight.test(value)) {
            throw new MalformedMessageException(
                    key + (value.isMissingNode() ? " is missing" : " is not " + right));
        }
        return value;
    }
}
