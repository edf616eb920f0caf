package io.tardis.core.wire;

import static io.tardis.core.wire.EventJson.array;
import static io.tardis.core.wire.EventJson.number;
import static io.tardis.core.wire.EventJson.string;
import static io.tardis.core.wire.EventJson.valid;

import io.tardis.core.event.ExitSource;
import io.tardis.core.figures.CodeClass;
import io.tardis.core.figures.Figures;
import io.tardis.core.figures.Figures.Distribution;
import io.tardis.core.figures.Figures.Exits;
import java.util.List;
import tools.jackson.core.JsonGenerator;
import tools.jackson.databind.JsonNode;

/**
 * Figures as the fields of a JSON object, in an answer and in {@code tardis status -o json}.
 *
 * <pre>
 * "exits":[{"namespace":"default","code":"signal","oom":true,"source":"kernel","count":3}],
 * "exec_exits":12,"corrections":1,"lost":0,"gaps":1,
 * "witness_to_publish":{"count":3,"sum_seconds":0.004,"buckets":[0,2,1,0,...]},
 * "event_to_disk":{...},
 * "open_lives":7,"unwritten":0,"dropped":0,"database_bytes":81920
 * </pre>
 *
 * {@code buckets} counts each time once, in the bucket of the first bound in seconds that it does
 * not exceed: 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60,
 * infinity.
 */
final class FiguresJson {

    private FiguresJson() {}

    /** Writes the fields into the object that is begun. */
    static void write(JsonGenerator json, Figures figures) {
        json.writeArrayPropertyStart("exits");
        for (Exits each : figures.exits()) {
            json.writeStartObject();
            json.writeStringProperty("namespace", each.namespace());
            json.writeStringProperty("code", each.code().word());
            json.writeBooleanProperty("oom", each.oomKilled());
            json.writeStringProperty("source", each.source().word());
            json.writeNumberProperty("count", each.count());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeNumberProperty("exec_exits", figures.execExits());
        json.writeNumberProperty("corrections", figures.corrections());
        json.writeNumberProperty("lost", figures.lost());
        json.writeNumberProperty("gaps", figures.gaps());
        write(json, "witness_to_publish", figures.witnessToPublish());
        write(json, "event_to_disk", figures.eventToDisk());
        json.writeNumberProperty("open_lives", figures.openLives());
        json.writeNumberProperty("unwritten", figures.unwritten());
        json.writeNumberProperty("dropped", figures.dropped());
        json.writeNumberProperty("database_bytes", figures.databaseBytes());
    }

    private static void write(JsonGenerator json, String name, Distribution distribution) {
        json.writeObjectPropertyStart(name);
        json.writeNumberProperty("count", distribution.count());
        json.writeNumberProperty("sum_seconds", distribution.sumSeconds());
        json.writeArrayPropertyStart("buckets");
        distribution.counts().forEach(json::writeNumber);
        json.writeEndArray();
        json.writeEndObject();
    }

    static Figures read(JsonNode node) {
        return new Figures(
                array(node, "exits").valueStream().map(FiguresJson::readExits).toList(),
                number(node, "exec_exits"),
                node.path("corrections").asLong(0), // earlier daemons count none
                number(node, "lost"),
                number(node, "gaps"),
                readDistribution(node.path("witness_to_publish")),
                readDistribution(node.path("event_to_disk")),
                number(node, "open_lives"),
                number(node, "unwritten"),
                number(node, "dropped"),
                number(node, "database_bytes"));
    }

    private static Exits readExits(JsonNode node) {
        return valid(
                "exits are counted in a way that is not known",
                () ->
                        new Exits(
                                string(node, "namespace"),
                                CodeClass.parse(string(node, "code")),
                                node.path("oom").asBoolean(false),
                                ExitSource.parse(string(node, "source")),
                                number(node, "count")));
    }

    private static Distribution readDistribution(JsonNode node) {
        List<Long> counts = array(node, "buckets").valueStream().map(it -> it.asLong(0)).toList();
        return new Distribution(counts, node.path("sum_seconds").asDouble(0));
    }
}
