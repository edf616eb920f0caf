package io.tardis.core.wire;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Answer.Backlog;
import io.tardis.core.wire.Answer.Containers;
import io.tardis.core.wire.Answer.Events;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Lost;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Answer.Pong;
import io.tardis.core.wire.Answer.Refused;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Answer.Unknown;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;
import tools.jackson.databind.JsonNode;

/**
 * An answer as one JSON object.
 *
 * <pre>
 * {"status":"exited","exit_code":137, ...the fields of the exit}          "durable":false if it is not on disk
 * {"status":"running","namespace":"default","container_id":"tc",
 *  "life":"5f0c...","created_at":"...","kept":true,"pid":6615,...}        likewise "lost"
 * {"status":"unknown","namespace":"default","container_id":"tc"}
 * {"status":"ok","events":[{...}],"first_seq":1,"last_seq":9}             to replay
 * {"status":"ok","containers":[{"status":"exited",...}]}                  to list
 * {"status":"ok","version":"0.1.0","last_seq":9,
 *  "durable":true,"unwritten":0,"dropped":0, ...{@link HealthJson}}       to ping
 * {"status":"error","error":"bad_request","message":"..."}
 * </pre>
 */
public final class AnswerCodec {

    private AnswerCodec() {}

    /** The bytes of {@code answer}. */
    public static byte[] encode(Answer answer) {
        return EventJson.object(json -> {
            switch (answer) {
                case OfContainer ofContainer -> write(json, ofContainer);
                case Events(List<ExitEvent> events, long firstSeq, long lastSeq) -> {
                    json.writeStringProperty("status", "ok");
                    json.writeArrayPropertyStart("events");
                    for (ExitEvent event : events) {
                        json.writeStartObject();
                        EventJson.write(json, event);
                        json.writeEndObject();
                    }
                    json.writeEndArray();
                    json.writeNumberProperty("first_seq", firstSeq);
                    json.writeNumberProperty("last_seq", lastSeq);
                }
                case Containers(List<OfContainer> containers) -> {
                    json.writeStringProperty("status", "ok");
                    json.writeArrayPropertyStart("containers");
                    for (OfContainer container : containers) {
                        json.writeStartObject();
                        write(json, container);
                        json.writeEndObject();
                    }
                    json.writeEndArray();
                }
                case Pong pong -> write(json, pong);
                case Refused(String error, String message) -> {
                    json.writeStringProperty("status", "error");
                    json.writeStringProperty("error", error);
                    json.writeStringProperty("message", message);
                }
            }
        });
    }

    private static void write(JsonGenerator json, Pong pong) {
        Backlog backlog = pong.backlog();
        json.writeStringProperty("status", "ok");
        json.writeStringProperty("version", pong.version());
        json.writeNumberProperty("last_seq", pong.lastSeq());
        json.writeBooleanProperty("durable", backlog.durable());
        json.writeNumberProperty("unwritten", backlog.unwritten());
        json.writeNumberProperty("dropped", backlog.dropped());
        if (pong.health().isPresent()) {
            HealthJson.write(json, pong.health().get());
            json.writeArrayPropertyStart("problems");
            pong.problems().forEach(json::writeString);
            json.writeEndArray();
        }
    }

    private static void write(JsonGenerator json, OfContainer answer) {
        switch (answer) {
            case Exited(ExitEvent event, boolean durable) -> {
                json.writeStringProperty("status", "exited");
                json.writeNumberProperty("exit_code", event.exit().exitStatus());
                EventJson.write(json, event);
                if (!durable) {
                    json.writeBooleanProperty("durable", false);
                }
            }
            case Running(ContainerKey container, Optional<Published.Begun> begun) -> {
                write(json, "running", container);
                begun.ifPresent(it -> PublishedCodec.writeBegun(json, it));
            }
            case Lost(ContainerKey container, Optional<Published.Begun> begun) -> {
                write(json, "lost", container);
                begun.ifPresent(it -> PublishedCodec.writeBegun(json, it));
            }
            case Unknown(ContainerKey container) -> write(json, "unknown", container);
        }
    }

    private static void write(JsonGenerator json, String status, ContainerKey container) {
        json.writeStringProperty("status", status);
        EventJson.writeContainer(json, container);
    }

    /**
     * The answer that {@code bytes} hold.
     *
     * @throws MalformedMessageException if they hold none
     */
    public static Answer decode(byte[] bytes) {
        JsonNode node = EventJson.readObject(bytes);
        String status = EventJson.string(node, "status");
        return switch (status) {
            case "ok" -> decodeOk(node);
            case "error" ->
                    new Refused(EventJson.string(node, "error"), EventJson.string(node, "message"));
            default -> decodeOfContainer(status, node);
        };
    }

    private static Answer decodeOk(JsonNode node) {
        if (node.has("events")) {
            List<ExitEvent> events = new ArrayList<>();
            EventJson.array(node, "events").forEach(event -> events.add(EventJson.read(event)));
            return new Events(
                    events,
                    EventJson.number(node, "first_seq"),
                    EventJson.number(node, "last_seq"));
        }
        if (node.has("containers")) {
            List<OfContainer> containers = new ArrayList<>();
            EventJson.array(node, "containers")
                    .forEach(container ->
                            containers.add(
                                    decodeOfContainer(
                                            EventJson.string(container, "status"), container)));
            return new Containers(containers);
        }
        return new Pong(
                EventJson.string(node, "version"),
                EventJson.number(node, "last_seq"),
                new Backlog(
                        node.path("durable").asBoolean(true),
                        node.path("unwritten").asLong(0),
                        node.path("dropped").asLong(0)),
                HealthJson.read(node));
    }

    private static Optional<Published.Begun> begun(JsonNode node) {
        return EventJson.readLife(node).map(_ -> PublishedCodec.readBegun(node, 0));
    }

    private static OfContainer decodeOfContainer(String status, JsonNode node) {
        return switch (status) {
            case "exited" -> new Exited(EventJson.read(node), node.path("durable").asBoolean(true));
            case "running" -> new Running(EventJson.readContainer(node), begun(node));
            case "lost" -> new Lost(EventJson.readContainer(node), begun(node));
            case "unknown" -> new Unknown(EventJson.readContainer(node));
            default ->
                    throw new MalformedMessageException(
                            "an answer of status '"
                                    + EventJson.shortened(status)
                                    + "' is not understood");
        };
    }
}
