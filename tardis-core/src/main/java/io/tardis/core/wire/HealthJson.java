package io.tardis.core.wire;

import io.tardis.core.event.Rfc3339;
import java.time.Instant;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;
import tools.jackson.databind.JsonNode;

/**
 * How the parts of a daemon are, among the fields of the answer to a ping.
 *
 * <pre>
 * "source":{"ok":true,"running":true,"started_at":"2025-04-04T19:10:59Z","starts":1,"lines":12,
 *           "last_line_at":"...","last_end":"...","last_stderr":"..."}       what is not known is left out
 * "witness":{"on":true}                                                      or "on":false,"reason":"..."
 * "socket":{"ok":true}                                                       or "ok":false,"reason":"..."
 * "clients":{"ok":true,"refused":0}                                          or "ok":false,"reason":"..."
 * </pre>
 */
final class HealthJson {

    private HealthJson() {}

    static void write(JsonGenerator json, Health health) {
        Health.Source source = health.source();
        json.writeObjectPropertyStart("source");
        json.writeBooleanProperty("ok", source.ok());
        json.writeBooleanProperty("running", source.running());
        write(json, "started_at", source.startedAt());
        json.writeNumberProperty("starts", source.starts());
        json.writeNumberProperty("lines", source.lines());
        write(json, "last_line_at", source.lastLineAt());
        write(json, "last_end", source.lastEnd());
        write(json, "last_stderr", source.lastStderr());
        json.writeEndObject();
        json.writeObjectPropertyStart("witness");
        json.writeBooleanProperty("on", health.witness().on());
        write(json, "reason", health.witness().reason());
        json.writeEndObject();
        json.writeObjectPropertyStart("socket");
        json.writeBooleanProperty("ok", health.socket().ok());
        write(json, "reason", health.socket().reason());
        json.writeEndObject();
        json.writeObjectPropertyStart("clients");
        json.writeBooleanProperty("ok", health.clients().ok());
        write(json, "reason", health.clients().reason());
        json.writeNumberProperty("refused", health.clients().refused());
        json.writeEndObject();
    }

    private static void write(JsonGenerator json, String name, Optional<Instant> time) {
        time.ifPresent(it -> json.writeStringProperty(name, Rfc3339.format(it)));
    }

    private static void write(JsonGenerator json, String name, String text) {
        if (!text.isEmpty()) {
            json.writeStringProperty(name, text);
        }
    }

    /** Empty if the daemon did not say it. */
    static Optional<Health> read(JsonNode pong) {
        if (!pong.has("source")) {
            return Optional.empty();
        }
        JsonNode source = pong.path("source");
        JsonNode witness = pong.path("witness");
        JsonNode socket = pong.path("socket");
        JsonNode clients = pong.path("clients");
        return Optional.of(
                new Health(
                        new Health.Source(
                                source.path("ok").asBoolean(false),
                                source.path("running").asBoolean(false),
                                time(source, "started_at"),
                                source.path("starts").asLong(0),
                                source.path("lines").asLong(0),
                                time(source, "last_line_at"),
                                source.path("last_end").asString(""),
                                source.path("last_stderr").asString("")),
                        new Health.Witness(
                                witness.path("on").asBoolean(false),
                                witness.path("reason").asString("")),
                        new Health.Socket(
                                socket.path("ok").asBoolean(false),
                                socket.path("reason").asString("")),
                        new Health.Clients(
                                clients.path("ok").asBoolean(true), // an older daemon serves all
                                clients.path("reason").asString(""),
                                clients.path("refused").asLong(0))));
    }

    private static Optional<Instant> time(JsonNode node, String name) {
        return node.has(name)
                ? EventJson.valid(
                        name + " is not a time", () -> Optional.of(EventJson.time(node, name)))
                : Optional.empty();
    }
}
