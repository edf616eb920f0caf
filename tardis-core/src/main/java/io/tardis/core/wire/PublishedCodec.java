package io.tardis.core.wire;

import static io.tardis.core.wire.EventJson.checkVersion;
import static io.tardis.core.wire.EventJson.number;
import static io.tardis.core.wire.EventJson.optionalNumber;
import static io.tardis.core.wire.EventJson.read;
import static io.tardis.core.wire.EventJson.readContainer;
import static io.tardis.core.wire.EventJson.readLife;
import static io.tardis.core.wire.EventJson.readObject;
import static io.tardis.core.wire.EventJson.string;
import static io.tardis.core.wire.EventJson.time;
import static io.tardis.core.wire.EventJson.valid;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.wire.Published.Begun;
import io.tardis.core.wire.Published.Exit;
import io.tardis.core.wire.Published.Gap;
import io.tardis.core.wire.Published.Heartbeat;
import io.tardis.core.wire.Published.Lost;
import java.time.Instant;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;
import tools.jackson.databind.JsonNode;

/**
 * The two frames of a published message. An exit has the fields that docs/protocol.md lists; the
 * others are:
 *
 * <pre>
 * /tardis/heartbeat/  {"v":1,"last_seq":1732330000123001,"at":"2026-11-23T06:51:23.418Z"}
 * /tardis/gap/        {"v":1,"last_seq":1732330000123001,"from":"...","to":"...","reason":"ctr ended with 1"}
 * /tardis/begun/NS/ID/ {"v":1,"last_seq":1732330000123001,"namespace":"NS","container_id":"ID",
 *                      "life":"5f0c...","created_at":"...","kept":true,"pid":6615,"start_time":123456}
 * /tardis/lost/NS/ID/ {"v":1,"last_seq":1732330000123001,"namespace":"NS","container_id":"ID",
 *                      "life":"5f0c...","created_at":"...","kept":true}
 * </pre>
 */
public final class PublishedCodec {

    private PublishedCodec() {}

    /** The first frame. */
    public static String topic(Published message) {
        return switch (message) {
            case Exit(var event) -> Topic.of(event.exit());
            case Heartbeat _ -> Topic.HEARTBEAT;
            case Gap _ -> Topic.GAP;
            case Begun begun -> Topic.BEGUN + begun.container() + "/";
            case Lost lost -> Topic.LOST + lost.container() + "/";
        };
    }

    /** The second frame. */
    public static byte[] encode(Published message) {
        return EventJson.object(json -> {
            switch (message) {
                case Exit(var event) -> EventJson.write(json, event);
                case Heartbeat(long lastSeq, Instant at) -> {
                    writeHead(json, lastSeq);
                    json.writeStringProperty("at", Rfc3339.format(at));
                }
                case Gap(long lastSeq, Instant from, Instant to, String reason) -> {
                    writeHead(json, lastSeq);
                    json.writeStringProperty("from", Rfc3339.format(from));
                    json.writeStringProperty("to", Rfc3339.format(to));
                    json.writeStringProperty("reason", reason);
                }
                case Begun begun -> {
                    writeHead(json, begun.lastSeq());
                    EventJson.writeContainer(json, begun.container());
                    writeBegun(json, begun);
                }
                case Lost(long lastSeq, ContainerKey container, LifeRef life) -> {
                    writeHead(json, lastSeq);
                    EventJson.writeContainer(json, container);
                    EventJson.writeLife(json, life);
                }
            }
        });
    }

    private static void writeHead(JsonGenerator json, long lastSeq) {
        json.writeNumberProperty("v", EventJson.VERSION);
        json.writeNumberProperty("last_seq", lastSeq);
    }

    /**
     * The exit that is the second frame of a message.
     *
     * @throws MalformedMessageException if it is none
     */
    public static ExitEvent decodeExit(byte[] payload) {
        return read(readObject(payload));
    }

    /**
     * The begin of a life that is the second frame of a message.
     *
     * @throws MalformedMessageException if it is none
     */
    public static Begun decodeBegun(byte[] payload) {
        return (Begun) decode(Topic.BEGUN, payload);
    }

    /**
     * The message of these two frames.
     *
     * @throws MalformedMessageException if they are none
     */
    public static Published decode(String topic, byte[] payload) {
        JsonNode node = readObject(payload);
        checkVersion(node);
        return valid(
                "a time in this message cannot be read",
                () ->
                        switch (topic) {
                            case Topic.HEARTBEAT ->
                                    new Heartbeat(number(node, "last_seq"), time(node, "at"));
                            case Topic.GAP ->
                                    new Gap(
                                            number(node, "last_seq"),
                                            time(node, "from"),
                                            time(node, "to"),
                                            string(node, "reason"));
                            case String it when it.startsWith(Topic.BEGUN) ->
                                    readBegun(node, number(node, "last_seq"));
                            case String it when it.startsWith(Topic.LOST) ->
                                    new Lost(
                                            number(node, "last_seq"),
                                            readContainer(node),
                                            life(node));
                            default -> new Exit(read(node));
                        });
    }

    static void writeBegun(JsonGenerator json, Begun begun) {
        EventJson.writeLife(json, begun.life());
        begun.pid().ifPresent(it -> json.writeNumberProperty("pid", it));
        begun.startTime().ifPresent(it -> json.writeNumberProperty("start_time", it));
        begun.endedSeq().ifPresent(it -> json.writeNumberProperty("ended_seq", it));
        DetailsJson.write(json, begun.details(), Optional.empty());
    }

    /**
     * The begin of a life, which is the second frame of a message or the part of an answer.
     *
     * @param lastSeq the number of the last exit before it; 0 if that is not known
     * @throws MalformedMessageException if it is none
     */
    static Begun readBegun(JsonNode node, long lastSeq) {
        return new Begun(
                lastSeq,
                readContainer(node),
                life(node),
                optionalNumber(node, "pid"),
                optionalNumber(node, "start_time"),
                optionalNumber(node, "ended_seq"),
                DetailsJson.read(node));
    }

    private static LifeRef life(JsonNode node) {
        return readLife(node)
                .orElseThrow(() -> new MalformedMessageException("this names no life"));
    }
}
