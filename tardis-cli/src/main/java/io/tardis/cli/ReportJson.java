package io.tardis.cli;

import io.tardis.cli.Report.Bucket;
import io.tardis.cli.Report.Code;
import io.tardis.cli.Report.Group;
import io.tardis.cli.Report.Tally;
import io.tardis.cli.Report.Top;
import io.tardis.core.Printable;
import io.tardis.core.event.Rfc3339;
import java.time.Instant;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * A report as one JSON object, for programs. Sizes are in bytes; keys of unknown values are absent.
 */
final class ReportJson {

    private ReportJson() {}

    static String of(Report report) {
        return "{\"from\":%s,\"to\":%s%s,%s,%s,%s,%s,%s,\"step_s\":%d,\"buckets\":%s}"
                .formatted(
                        time(report.from()),
                        time(report.to()),
                        report.oldest().map(it -> ",\"oldest_exit_at\":" + time(it)).orElse(""),
                        tally(report.total()),
                        top("images", report.images(), ReportJson::group),
                        top("names", report.names(), ReportJson::group),
                        top("restarts", report.restarts(), ReportJson::group),
                        top("memory", report.memory(), ReportJson::group),
                        report.step().toSeconds(),
                        array(report.buckets(), ReportJson::bucket));
    }

    private static String tally(Tally tally) {
        return "\"exits\":%d,\"failed\":%d,\"oom_killed\":%d,%s"
                .formatted(
                        tally.exits(),
                        tally.failed(),
                        tally.oomKilled(),
                        top("codes", tally.codes(), ReportJson::code));
    }

    private static String code(Code code) {
        return "{\"code\":%d,\"exits\":%d}".formatted(code.code(), code.exits());
    }

    private static String group(Group group) {
        StringBuilder text = new StringBuilder();
        text.append("{\"name\":%s,%s".formatted(quote(group.name()), tally(group.tally())));
        text.append(",\"near_limit\":").append(group.nearLimit());
        group.median().ifPresent(it -> text.append(",\"median_ms\":").append(it.toMillis()));
        group.peak()
                .ifPresent(it -> {
                    text.append(",\"memory_peak\":").append(it.peak());
                    it.limit().ifPresent(limit -> text.append(",\"memory_limit\":").append(limit));
                });
        return text.append(
                        ",\"last\":%s,\"last_code\":%d}"
                                .formatted(time(group.last()), group.lastCode()))
                .toString();
    }

    private static String bucket(Bucket bucket) {
        return "{\"begin\":%s,%s}".formatted(time(bucket.begin()), tally(bucket.tally()));
    }

    /** Two keys: the list itself, and how many more there are. */
    private static <T> String top(String key, Top<T> top, Function<T, String> item) {
        return "\"%s\":%s,\"more_%s\":%d".formatted(key, array(top.first(), item), key, top.more());
    }

    private static <T> String array(List<T> items, Function<T, String> item) {
        return items.stream().map(item).collect(Collectors.joining(",", "[", "]"));
    }

    private static String time(Instant time) {
        return quote(Rfc3339.format(time));
    }

    /** {@code text} as a JSON string. No name has control characters: {@link Printable}. */
    static String quote(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }
}
