package io.tardis.core.wire;

import static io.tardis.core.wire.EventJson.optionalNumber;
import static io.tardis.core.wire.EventJson.string;
import static io.tardis.core.wire.EventJson.time;

import io.tardis.core.event.About;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.event.Usage;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalLong;
import tools.jackson.core.JsonGenerator;
import tools.jackson.databind.JsonNode;

/**
 * What is known of a life besides its end. Each key is there only if its value is known.
 *
 * <pre>
 * "started_at":"2025-04-04T19:10:12.6Z"
 * "duration_ms":47183                         in an exit: from there to exited_at, unless that is earlier
 * "about":{"command":"nginx","image":"docker.io/library/nginx:1.29","name":"web","hostname":"web-0",
 *          "pod":{"namespace":"shop","name":"web-0","uid":"4f1c..."},"container":"nginx","sandbox":true}
 * "usage":{"memory_peak":536608768,"memory_limit":536870912,"oom_kills":1,
 *          "cpu_us":1830211,"throttled_us":0,"pids_peak":7}
 * </pre>
 */
final class DetailsJson {

    private DetailsJson() {}

    /**
     * Writes the keys.
     *
     * @param end when the life ended; empty if it did not
     */
    static void write(JsonGenerator json, LifeDetails details, Optional<Instant> end) {
        details.startedAt()
                .ifPresent(it -> json.writeStringProperty("started_at", Rfc3339.format(it)));
        end.flatMap(details::durationUntil)
                .ifPresent(it -> json.writeNumberProperty("duration_ms", it.toMillis()));
        if (!details.about().equals(About.NOTHING)) {
            json.writeObjectPropertyStart("about");
            write(json, details.about());
            json.writeEndObject();
        }
        if (!details.usage().equals(Usage.NOTHING)) {
            json.writeObjectPropertyStart("usage");
            write(json, details.usage());
            json.writeEndObject();
        }
    }

    private static void write(JsonGenerator json, About about) {
        write(json, "command", about.command());
        write(json, "image", about.image());
        write(json, "name", about.name());
        write(json, "hostname", about.hostname());
        about.pod()
                .ifPresent(it -> {
                    json.writeObjectPropertyStart("pod");
                    json.writeStringProperty("namespace", it.namespace());
                    json.writeStringProperty("name", it.name());
                    write(json, "uid", it.uid());
                    json.writeEndObject();
                });
        write(json, "container", about.podContainer());
        if (about.sandbox()) {
            json.writeBooleanProperty("sandbox", true);
        }
    }

    private static void write(JsonGenerator json, Usage usage) {
        write(json, "memory_peak", usage.memoryPeak());
        write(json, "memory_limit", usage.memoryLimit());
        write(json, "oom_kills", usage.oomKills());
        write(json, "cpu_us", usage.cpuMicros());
        write(json, "throttled_us", usage.throttledMicros());
        write(json, "pids_peak", usage.pidsPeak());
    }

    private static void write(JsonGenerator json, String key, Optional<String> value) {
        value.ifPresent(it -> json.writeStringProperty(key, it));
    }

    private static void write(JsonGenerator json, String key, OptionalLong value) {
        value.ifPresent(it -> json.writeNumberProperty(key, it));
    }

    /** Reads the keys. */
    static LifeDetails read(JsonNode node) {
        JsonNode about = node.path("about");
        JsonNode usage = node.path("usage");
        return new LifeDetails(
                node.has("started_at")
                        ? EventJson.valid(
                                "started_at is no time",
                                () -> Optional.of(time(node, "started_at")))
                        : Optional.empty(),
                about.isObject() ? readAbout(about) : About.NOTHING,
                usage.isObject() ? readUsage(usage) : Usage.NOTHING);
    }

    private static About readAbout(JsonNode node) {
        JsonNode pod = node.path("pod");
        return new About(
                text(node, "command"),
                text(node, "image"),
                text(node, "name"),
                text(node, "hostname"),
                pod.isObject()
                        ? Optional.of(
                                new About.Pod(
                                        string(pod, "namespace"),
                                        string(pod, "name"),
                                        text(pod, "uid")))
                        : Optional.empty(),
                text(node, "container"),
                node.path("sandbox").asBoolean(false));
    }

    private static Usage readUsage(JsonNode node) {
        return new Usage(
                optionalNumber(node, "memory_peak"),
                optionalNumber(node, "memory_limit"),
                optionalNumber(node, "oom_kills"),
                optionalNumber(node, "cpu_us"),
                optionalNumber(node, "throttled_us"),
                optionalNumber(node, "pids_peak"));
    }

    private static Optional<String> text(JsonNode node, String key) {
        return node.has(key) ? Optional.of(string(node, key)) : Optional.empty();
    }
}
