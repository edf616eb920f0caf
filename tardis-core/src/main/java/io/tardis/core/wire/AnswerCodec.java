package io.tardis.core.wire;

import static io.tardis.core.wire.EventJson.array;
import static io.tardis.core.wire.EventJson.number;
import static io.tardis.core.wire.EventJson.readContainer;
import static io.tardis.core.wire.EventJson.readObject;
import static io.tardis.core.wire.EventJson.shortened;
import static io.tardis.core.wire.EventJson.string;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.figures.Figures;
import io.tardis.core.wire.Answer.Backlog;
import io.tardis.core.wire.Answer.Containers;
import io.tardis.core.wire.Answer.Counted;
import io.tardis.core.wire.Answer.Events;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Lost;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Answer.Pong;
import io.tardis.core.wire.Answer.Refused;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Answer.Unknown;
import io.tardis.core.wire.Published.Begun;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import tools.jackson.core.JsonGenerator;
import tools.jackson.databind.JsonNode;

/**
 * An answer as one JSON object.
 *
 * <pre>
 * {"status":"exited","exit_code":137, ...the fields of the exit}          "durable":false if it is not on disk
 * {"status":"running","namespace":"default","container_id":"tc",
 *  "life":"5f0c...","created_at":"...","kept":true,"pid":6615,...,
 *  "last_seq":1732330000123001}                                           likewise "lost"
 * {"status":"unknown","namespace":"default","container_id":"tc"}
 * {"status":"ok","events":[{...}],"first_seq":1,"last_seq":9}             to replay
 * {"status":"ok","containers":[{"status":"exited",...}]}                  to list
 * {"status":"ok","version":"0.1.0","last_seq":9,
 *  "durable":true,"unwritten":0,"dropped":0, ...{@link HealthJson}}       to ping
 * {"status":"ok","figures":{...}}                                         {@link FiguresJson}, to figures
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
                    write(json, "events", events, EventJson::write);
                    json.writeNumberProperty("first_seq", firstSeq);
                    json.writeNumberProperty("last_seq", lastSeq);
                }
                case Containers(List<OfContainer> containers) -> {
                    json.writeStringProperty("status", "ok");
                    write(json, "containers", containers, AnswerCodec::write);
                }
                case Pong pong -> write(json, pong);
                case Counted(Figures figures) -> {
                    json.writeStringProperty("status", "ok");
                    json.writeObjectPropertyStart("figures");
                    FiguresJson.write(json, figures);
                    json.writeEndObject();
                }
                case Refused(String error, String message) -> {
                    json.writeStringProperty("status", "error");
                    json.writeStringProperty("error", error);
                    json.writeStringProperty("message", message);
                }
            }
        });
    }

    private static <T> void write(
            JsonGenerator json, String name, List<T> items, BiConsumer<JsonGenerator, T> fields) {
        json.writeArrayPropertyStart(name);
        for (T each : items) {
            json.writeStartObject();
            fields.accept(json, each);
            json.writeEndObject();
        }
        json.writeEndArray();
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
            case Running(var container, var begun) -> write(json, "running", container, begun);
            case Lost(var container, var begun) -> write(json, "lost", container, begun);
            case Unknown(var container) -> write(json, "unknown", container, Optional.empty());
        }
    }

    private static void write(
            JsonGenerator json, String status, ContainerKey container, Optional<Begun> begun) {
        json.writeStringProperty("status", status);
        EventJson.writeContainer(json, container);
        begun.ifPresent(it -> {
            PublishedCodec.writeBegun(json, it);
            if (it.lastSeq() > 0) {
                json.writeNumberProperty("last_seq", it.lastSeq());
            }
        });
    }

    /**
     * The answer that {@code bytes} hold.
     *
     * @throws MalformedMessageException if they hold none
     */
    public static Answer decode(byte[] bytes) {
        JsonNode node = readObject(bytes);
        return switch (string(node, "status")) {
            case "ok" -> decodeOk(node);
            case "error" -> new Refused(string(node, "error"), string(node, "message"));
            default -> decodeOfContainer(node);
        };
    }

    private static Answer decodeOk(JsonNode node) {
        if (node.has("events")) {
            return new Events(
                    array(node, "events").valueStream().map(EventJson::read).toList(),
                    number(node, "first_seq"),
                    number(node, "last_seq"));
        }
        if (node.has("containers")) {
            return new Containers(
                    array(node, "containers")
                            .valueStream()
                            .map(AnswerCodec::decodeOfContainer)
                            .toList());
        }
        if (node.has("figures")) {
            return new Counted(FiguresJson.read(node.path("figures")));
        }
        return new Pong(
                string(node, "version"),
                number(node, "last_seq"),
                new Backlog(
                        isDurable(node),
                        node.path("unwritten").asLong(0),
                        node.path("dropped").asLong(0)),
                HealthJson.read(node));
    }

    private static OfContainer decodeOfContainer(JsonNode node) {
        String status = string(node, "status");
        return switch (status) {
            case "exited" -> new Exited(EventJson.read(node), isDurable(node));
            case "running" -> new Running(readContainer(node), begun(node));
            case "lost" -> new Lost(readContainer(node), begun(node));
            case "unknown" -> new Unknown(readContainer(node));
            default ->
                    throw new MalformedMessageException(
                            "an answer of status '" + shortened(status) + "' is not understood");
        };
    }

    private static Optional<Begun> begun(JsonNode node) {
        return EventJson.readLife(node)
                .map(_ ->
                        PublishedCodec.readBegun(
                                node, EventJson.optionalNumber(node, "last_seq").orElse(0)));
    }

    private static boolean isDurable(JsonNode node) {
        return node.path("durable").asBoolean(true);
    }
}
