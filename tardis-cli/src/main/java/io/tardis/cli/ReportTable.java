package io.tardis.cli;

import io.tardis.cli.Report.Bucket;
import io.tardis.cli.Report.Group;
import io.tardis.cli.Report.Memory;
import io.tardis.cli.Report.Top;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * One table of a report, for people.
 *
 * @param title what is in it
 * @param id names it among the tables
 * @param columns what to print of a group; a narrow terminal leaves the last ones out
 * @param groups its rows
 */
record ReportTable(String title, String id, List<Column> columns, Top<Group> groups) {

    static final DateTimeFormatter MINUTE = formatter("uuuu-MM-dd HH:mm");
    private static final DateTimeFormatter SHORT_MINUTE = formatter("MM-dd HH:mm");
    private static final DateTimeFormatter DAY = formatter("uuuu-MM-dd");

    private static final String NOTHING = "-";

    /** A column: its header, and what it says of a group. */
    record Column(String header, Function<Group, String> text) {}

    private static final Column EXITS = column("EXITS", it -> it.tally().exits());
    private static final Column FAILED = column("FAILED", it -> it.tally().failed());
    private static final Column OOM = column("OOM", it -> it.tally().oomKilled());
    private static final Column CODE = column("CODE", it -> it.tally().mainCode());
    private static final Column MEDIAN =
            column("MEDIAN", it -> it.median().map(Quantity::duration).orElse(NOTHING));
    private static final Column PEAK =
            column("PEAK", it -> it.peak().map(ReportTable::share).orElse(NOTHING));
    private static final Column MEMORY =
            column("MEMORY", it -> it.peak().map(ReportTable::size).orElse(NOTHING));
    private static final Column NEAR = column("NEAR LIMIT", Group::nearLimit);
    private static final Column LAST = column("LAST END", it -> MINUTE.format(it.last()));
    private static final Column LAST_CODE = column("LAST CODE", Group::lastCode);

    private static final List<Column> ALL = List.of(EXITS, FAILED, OOM, CODE, MEDIAN, PEAK);

    static List<ReportTable> of(Report report) {
        return List.of(
                new ReportTable("By image", "images", ALL, report.images()),
                new ReportTable("By pod or name", "names", ALL, report.names()),
                new ReportTable(
                        "Ended most often",
                        "restarts",
                        List.of(EXITS, LAST_CODE, LAST, MEDIAN),
                        report.restarts()),
                new ReportTable(
                        "Killed for memory, or near the limit",
                        "memory",
                        List.of(OOM, NEAR, MEMORY, LAST),
                        report.memory()));
    }

    private static Column column(String header, Function<Group, Object> value) {
        return new Column(header, it -> value.apply(it).toString());
    }

    /** The share of the limit; without a limit the size. */
    private static String share(Memory memory) {
        return memory.percent() < 0
                ? Quantity.bytes(memory.peak())
                : String.format(Locale.ROOT, "%.0f%%", Math.floor(memory.percent()));
    }

    private static String size(Memory memory) {
        return memory.limit().isEmpty()
                ? Quantity.bytes(memory.peak())
                : Quantity.bytes(memory.peak(), memory.limit().getAsLong());
    }

    /**
     * When a bucket of such a length begins: in 11 characters at most, what tells it from others.
     */
    static String begin(Bucket bucket, Duration length) {
        return (length.toDays() == 0 ? SHORT_MINUTE : DAY).format(bucket.begin());
    }

    /** {@code 1h} or {@code 7d}: the length of a step. */
    static String length(Duration step) {
        return step.toDays() == 0 ? step.toHours() + "h" : step.toDays() + "d";
    }

    private static DateTimeFormatter formatter(String pattern) {
        return DateTimeFormatter.ofPattern(pattern, Locale.ROOT).withZone(ZoneOffset.UTC);
    }
}
