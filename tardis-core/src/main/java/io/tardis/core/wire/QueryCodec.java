package io.tardis.core.wire;

import static io.tardis.core.wire.EventJson.optionalNumber;
import static io.tardis.core.wire.EventJson.readObject;
import static io.tardis.core.wire.EventJson.string;
import static io.tardis.core.wire.EventJson.writeContainer;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Query.AskFigures;
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
 * {"op":"figures"}
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
                    writeContainer(json, container);
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
                case AskFigures() -> json.writeStringProperty("op", "figures");
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
        JsonNode node = readObject(bytes);
        return switch (string(node, "op")) {
            case "exit_code" ->
                    new ExitCode(
                            new ContainerKey(
                                    namespace(node).orElse(DEFAULT_NAMESPACE),
                                    name(node, "container_id", "the id of a container")
                                            .orElseThrow(() ->
                                                    new MalformedMessageException(
                                                            "container_id is missing"))),
                            name(node, "life", "the id of a life"),
                            Duration.ofMillis(number(node, "wait_ms", 0, 0, MAX_WAIT.toMillis())));
            case "replay" ->
                    new Replay(
                            number(node, "after", 0, 0, Long.MAX_VALUE),
                            (int) number(node, "limit", DEFAULT_REPLAY_LIMIT, 1, MAX_LIMIT));
            case "list" ->
                    new ListContainers(
                            namespace(node),
                            (int) number(node, "limit", DEFAULT_LIST_LIMIT, 1, MAX_LIMIT));
            case "ping" -> new Ping();
            case "figures" -> new AskFigures();
            default ->
                    throw new MalformedMessageException(
                            "op is none of exit_code, replay, list, ping and figures");
        };
    }

    private static Optional<String> namespace(JsonNode node) {
        return name(node, "namespace", "the name of a namespace");
    }

    private static Optional<String> name(JsonNode node, String key, String what) {
        if (!node.has(key)) {
            return Optional.empty();
        }
        String name = string(node, key);
        if (!ContainerKey.isIdentifier(name)) {
            throw new MalformedMessageException(key + " is not " + what);
        }
        return Optional.of(name);
    }

    private static long number(JsonNode node, String key, long absent, long min, long max) {
        long value = optionalNumber(node, key).orElse(absent);
        if (value < min || value > max) {
            throw new MalformedMessageException(key + " is not within " + min + " to " + max);
        }
        return value;
    }
}
