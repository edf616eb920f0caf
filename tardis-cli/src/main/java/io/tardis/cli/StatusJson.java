package io.tardis.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.tardis.core.Printable;
import io.tardis.core.config.Settings;
import io.tardis.core.figures.Figures;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.AnswerCodec;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * {@code tardis status} as one JSON object: the daemon's answer to a ping, its figures, and what
 * the settings say. {@code status} is {@code well}, {@code not_well}, {@code not_answering} or
 * {@code not_running}.
 *
 * @param settings those of the command
 * @param pid the daemon's process; empty if none runs
 */
record StatusJson(Settings settings, OptionalLong pid) {

    /** How the answers of the daemon begin. */
    private static final String OK = "{\"status\":\"ok\",";

    String running(Answer.Pong pong, Optional<Figures> figures) {
        String counted = figures.map(it -> "," + fields(new Answer.Counted(it))).orElse("");
        return object(
                pong.problems().isEmpty() ? "well" : "not_well", "," + fields(pong) + counted);
    }

    String notAnswering(String reason) {
        return object("not_answering", ",\"reason\":" + ReportJson.quote(Printable.of(reason)));
    }

    String notRunning(Optional<String> reason) {
        return object(
                "not_running",
                reason.map(it -> ",\"reason\":" + ReportJson.quote(Printable.of(it))).orElse(""));
    }

    private String object(String status, String fields) {
        return "{\"status\":%s%s%s,\"events\":%s,\"queries\":%s,\"metrics\":%s,\"state\":%s,\"log\":%s}"
                .formatted(
                        ReportJson.quote(status),
                        pid.isPresent() ? ",\"pid\":" + pid.getAsLong() : "",
                        fields,
                        ReportJson.quote(settings.eventsEndpoint()),
                        ReportJson.quote(settings.queryEndpoint()),
                        settings.metricsEndpoint().map(ReportJson::quote).orElse("null"),
                        ReportJson.quote(settings.stateDir().toString()),
                        ReportJson.quote(settings.logFile().toString()));
    }

    /** The fields of an answer, without its status. */
    private static String fields(Answer answer) {
        String json = new String(AnswerCodec.encode(answer), UTF_8);
        return json.substring(OK.length(), json.length() - 1);
    }
}
