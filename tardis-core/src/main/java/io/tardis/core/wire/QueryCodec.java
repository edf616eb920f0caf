package io.tardis.core.wire;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Query.ExitCode;
import io.tardis.core.wire.Query.ListContainers;
import io.tardis.core.wire.Query.Ping;
import io.tardis.core.wire.Query.Replay;
import java.time.Duration;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/**
 * A question as one JSON object.
 *
 * <pre>
 * {"op":"exit_code","namespace":"default","container_id":"tc",
 *  "life":"5f0c...","wait_ms":500}                                             namespace: default; life: the newest; wait_ms: 0
 * {"op":"replay","after":1732330000123001,"limit":500}                         after: 0; limit: 500
 * {"op":"list","namespace":"default","limit":100}                              namespace: all; limit: 100
 * {"op":"ping"}
 * </pre>
 *
 * A key that is missing has the value behind its line; keys that are not known are ignored.
 */
public final class QueryCodec {

    /** The longest wait that can be asked for. */
    public static final Duration MAX_WAIT = Duration.ofHours(1);

    /** The most exits or containers that can be asked for at once. */
    public static final int MAX_LIMIT = 10_000;

    /** The namespace that is meant where none is given, as for {@code ctr}. */
    public static final String DEFAULT_NAMESPACE = "default";

    private static final int DEFAULT_REPLAY_LIMIT = 500;
    private static final int DEFAULT_LIST_LIMIT = 100;

    private QueryCodec() {}

    /** The bytes of {@code query}. */
    public static byte[] encode(Query query) {
        return EventJson.object(json -> {
            switch (query) {
                case ExitCode(ContainerKey container, Optional<String> life, Duration maxWait) -> {
                    json.writeStringProperty("op", "exit_code");
                    EventJson.writeContainer(json, container);
                    life.ifPresent(it -> json.writeStringProperty("life", it));
                    json.writeNumberProperty("wait_ms", maxWait.toMillis());
                }
                case Replay(long after, int limit) -> {
                    json.writeStringProperty("op", "replay");
                    json.writeNumberProperty("after", after);
                    json.writeNumberProperty("limit", limit);
                }
                case ListContainers(Optional<String> namespace, int limit) -> {
                    json.writeStringProperty("op", "list");
                    namespace.ifPresent(name -> json.writeStringProperty("namespace", name));
                    json.writeNumberProperty("limit", limit);
                }
                case Ping() -> json.writeStringProperty("op", "ping");
            }
        });
    }

    /**
     * The question that {@code bytes} ask.
     *
     * @throws MalformedMessageException if they ask none; its message says why, in a sentence for
     *     the asker
     */
    public static Query decode(byte[] bytes) {
        JsonNode node = EventJson.readObject(bytes);
        String op = EventJson.string(node, "op");
        return switch (op) {
            case "exit_code" ->
                    new ExitCode(
                            container(node),
                            life(node),
                            Duration.ofMillis(
                                    optional(node, "wait_ms", 0, 0, MAX_WAIT.toMillis())));
            case "replay" ->
                    new Replay(
                            optional(node, "after", 0, 0, Long.MAX_VALUE),
                            (int) optional(node, "limit", DEFAULT_REPLAY_LIMIT, 1, MAX_LIMIT));
            case "list" ->
                    new ListContainers(
                            namespace(node),
                            (int) optional(node, "limit", DEFAULT_LIST_LIMIT, 1, MAX_LIMIT));
            case "ping" -> new Ping();
            default ->
                    throw new MalformedMessageException(
                            "op is none of exit_code, replay, list and ping");
        };
    }

    private static ContainerKey container(JsonNode node) {
        String namespace = namespace(node).orElse(DEFAULT_NAMESPACE);
        String id = EventJson.string(node, "container_id");
        if (!ContainerKey.isIdentifier(id)) {
            throw new MalformedMessageException("container_id is not the id of a container");
        }
        return new ContainerKey(namespace, id);
    }

    private static Optional<String> life(JsonNode node) {
        if (!node.has("life")) {
            return Optional.empty();
        }
        String life = EventJson.string(node, "life");
        if (!ContainerKey.isIdentifier(life)) {
            throw new MalformedMessageException("life is not the id of a life");
        }
        return Optional.of(life);
    }

    private static Optional<String> namespace(JsonNode node) {
        if (!node.has("namespace")) {
            return Optional.empty();
        }
        String namespace = EventJson.string(node, "namespace");
        if (!ContainerKey.isIdentifier(namespace)) {
            throw new MalformedMessageException("namespace is not the name of a namespace");
        }
        return Optional.of(namespace);
    }

    private static long optional(JsonNode node, String key, long absent, long min, long max) {
        if (!node.has(key)) {
            return absent;
        }
        long value = EventJson.number(node, key);
        if (value < min || value > max) {
            throw new MalformedMessageException(key + " is not within " + min + " to " + max);
        }
        return value;
    }
}
