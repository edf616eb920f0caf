package io.tardis.cli;

import io.tardis.cli.Report.Bucket;
import io.tardis.cli.Report.Code;
import io.tardis.cli.Report.Group;
import io.tardis.cli.Report.Tally;
import io.tardis.cli.Report.Top;
import io.tardis.cli.ReportTable.Column;
import io.tardis.core.Printable;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A report for a terminal. No line is longer than the terminal is wide. */
final class ReportText {

    private static final int NARROWEST = 40;
    private static final int NARROWEST_NAME = 16;

    /** Room for the codes over time, too. */
    private static final int WIDE = 60;

    private static final String GAP = "  ";

    private final Report report;
    private final int width;
    private final String dark;
    private final String light;
    private final String ellipsis;
    private final StringBuilder text = new StringBuilder();

    private ReportText(Report report, int width, boolean ascii) {
        this.report = report;
        this.width = Math.max(width, NARROWEST);
        this.dark = ascii ? "#" : "█";
        this.light = ascii ? "-" : "░";
        this.ellipsis = ascii ? "~" : "…";
    }

    /**
     * The lines of the report.
     *
     * @param width of the terminal, in columns
     * @param ascii whether it can show nothing else
     */
    static String of(Report report, int width, boolean ascii) {
        return new ReportText(report, width, ascii).build();
    }

    private String build() {
        Tally total = report.total();
        line("%s to %s".formatted(minute(report.from()), minute(report.to())));
        line("times in UTC");
        report.lateBegin().ifPresent(it -> line("oldest recorded exit at " + minute(it)));
        line("");
        line("%8d exits".formatted(total.exits()));
        line("%8d failed".formatted(total.failed()));
        line("%8d out of memory".formatted(total.oomKilled()));
        if (total.exits() > 0) {
            codes(total.codes());
            ReportTable.of(report).forEach(this::table);
            buckets();
        }
        return text.toString();
    }

    private static String minute(Instant time) {
        return ReportTable.MINUTE.format(time);
    }

    private void codes(Top<Code> codes) {
        heading("Codes");
        long most = codes.first().getFirst().exits();
        for (Code it : codes.first()) {
            bar("%10d %8d  ".formatted(it.code(), it.exits()), it.exits(), it.failed(), most);
        }
        more(codes);
    }

    private void table(ReportTable table) {
        heading(table.title());
        List<Group> groups = table.groups().first();
        if (groups.isEmpty()) {
            line("  none");
            return;
        }
        List<List<String>> columns = new ArrayList<>();
        table.columns().forEach(it -> columns.add(cells(it, groups)));
        int longest = groups.stream().mapToInt(it -> it.name().length()).max().orElse(0);
        while (room(columns) < Math.min(longest, NARROWEST_NAME)) {
            columns.removeLast();
        }
        int nameWidth = Math.min(longest, room(columns));
        for (int i = 0; i <= groups.size(); i++) {
            int row = i;
            String name = row == 0 ? "" : cut(groups.get(row - 1).name(), nameWidth);
            line(
                    columns.stream()
                            .map(it -> GAP + it.get(row))
                            .collect(
                                    Collectors.joining(
                                            "", ("  %-" + nameWidth + "s").formatted(name), "")));
        }
        more(table.groups());
    }

    /** The header and what follows below it, all of one width. */
    private static List<String> cells(Column column, List<Group> groups) {
        List<String> cells =
                Stream.concat(Stream.of(column.header()), groups.stream().map(column.text()))
                        .toList();
        int width = cells.stream().mapToInt(String::length).max().orElse(0);
        return cells.stream().map(it -> ("%" + width + "s").formatted(it)).toList();
    }

    /** What the columns leave for the name. */
    private int room(List<List<String>> columns) {
        return width
                - GAP.length()
                - columns.stream().mapToInt(it -> GAP.length() + it.getFirst().length()).sum();
    }

    /** The begin and, more of it, the end, where names differ. */
    private String cut(String name, int length) {
        if (name.length() <= length) {
            return name;
        }
        int head = (length - 1) / 3;
        int tail = name.length() - (length - 1 - head);
        return Printable.of(name.substring(0, head)) // half a character may be at the cut
                + ellipsis
                + Printable.of(name.substring(tail));
    }

    private void buckets() {
        heading("Over time, %s a line".formatted(ReportTable.length(report.step())));
        line("  %s failed  %s code 0".formatted(dark, light));
        int codeWidth =
                report.buckets().stream()
                        .mapToInt(it -> Long.toString(it.tally().mainCode()).length())
                        .reduce("CODE".length(), Math::max);
        String format = "  %-11s  %7s %7s  " + (width < WIDE ? "" : "%" + codeWidth + "s  ");
        line(format.formatted("BEGIN", "EXITS", "FAILED", "CODE"));
        for (Bucket bucket : report.buckets()) {
            Tally tally = bucket.tally();
            String begin = ReportTable.begin(bucket, report.step());
            Object code = tally.exits() == 0 ? "-" : tally.mainCode();
            bar(
                    format.formatted(begin, tally.exits(), tally.failed(), code),
                    tally.exits(),
                    tally.failed(),
                    report.mostAtOnce());
        }
    }

    private void bar(String head, long exits, long failed, long most) {
        int room = width - head.length();
        int whole = scale(exits, most, room);
        int part = Math.min(whole, scale(failed, most, room));
        line(head + dark.repeat(part) + light.repeat(whole - part));
    }

    /** At least one column for what is not nothing. */
    private static int scale(long part, long most, int room) {
        return part == 0
                ? 0
                : Math.max(1, Math.toIntExact(Math.round((double) part / most * room)));
    }

    private void more(Top<?> top) {
        if (top.more() > 0) {
            line("  and %d more".formatted(top.more()));
        }
    }

    private void heading(String title) {
        line("");
        line(title);
    }

    private void line(String line) {
        text.append(line.stripTrailing()).append('\n');
    }
}
