package io.tardis.cli;

import io.tardis.cli.Report.Bucket;
import io.tardis.cli.Report.Code;
import io.tardis.cli.Report.Group;
import io.tardis.cli.Report.Tally;
import io.tardis.cli.Report.Top;
import io.tardis.cli.ReportTable.Column;
import io.tardis.core.Printable;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/** A report for a terminal. No line is longer than the terminal is wide. */
final class ReportText {

    private static final int NARROWEST = 40;
    private static final int NARROWEST_NAME = 16;

    /** Room for the codes over time, too. */
    private static final int WIDE = 60;

    private static final String GAP = "  ";

    private final Report report;
    private final int width;
    private final boolean ascii;
    private final StringBuilder text = new StringBuilder();

    private ReportText(Report report, int width, boolean ascii) {
        this.report = report;
        this.width = Math.max(width, NARROWEST);
        this.ascii = ascii;
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
        line(
                ReportTable.MINUTE.format(report.from())
                        + " to "
                        + ReportTable.MINUTE.format(report.to()));
        line("times in UTC");
        report.oldest()
                .filter(it -> it.isAfter(report.from()))
                .ifPresent(it -> line("oldest recorded exit at " + ReportTable.MINUTE.format(it)));
        Tally total = report.total();
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

    private void codes(Top<Code> codes) {
        line("");
        line("Codes");
        long most = codes.first().stream().mapToLong(Code::exits).max().orElse(1);
        for (Code code : codes.first()) {
            String head = "%10d %8d".formatted(code.code(), code.exits());
            long failed = code.code() == 0 ? 0 : code.exits();
            line(
                    head
                            + GAP
                            + bar(
                                    code.exits(),
                                    failed,
                                    most,
                                    width - head.length() - GAP.length()));
        }
        more(codes);
    }

    private void table(ReportTable table) {
        line("");
        line(table.title());
        if (table.groups().first().isEmpty()) {
            line("  none");
            return;
        }
        List<Column> columns = new ArrayList<>(table.columns());
        int longest =
                table.groups().first().stream().mapToInt(it -> it.name().length()).max().orElse(0);
        int room = room(table, columns);
        while (room < Math.min(longest, NARROWEST_NAME)) {
            columns.removeLast();
            room = room(table, columns);
        }
        int nameWidth = Math.min(longest, room);
        line(GAP + " ".repeat(nameWidth) + cells(columns, table, Column::header));
        for (Group group : table.groups().first()) {
            String name = ("%-" + nameWidth + "s").formatted(cut(group.name(), nameWidth));
            line(GAP + name + cells(columns, table, it -> it.text().apply(group)));
        }
        more(table.groups());
    }

    /** What the columns leave for the name. */
    private int room(ReportTable table, List<Column> columns) {
        return width
                - GAP.length()
                - columns.stream().mapToInt(it -> GAP.length() + width(it, table)).sum();
    }

    private static int width(Column column, ReportTable table) {
        return table.groups().first().stream()
                .mapToInt(it -> column.text().apply(it).length())
                .reduce(column.header().length(), Math::max);
    }

    private static String cells(
            List<Column> columns, ReportTable table, Function<Column, String> text) {
        return columns.stream()
                .map(it -> GAP + ("%" + width(it, table) + "s").formatted(text.apply(it)))
                .collect(Collectors.joining());
    }

    /** The begin and, more of it, the end, where names differ. */
    private String cut(String name, int length) {
        if (name.length() <= length) {
            return name;
        }
        int head = (length - 1) / 3;
        int tail = name.length() - (length - 1 - head);
        return Printable.of(name.substring(0, head)) // half a character may be at the cut
                + (ascii ? "~" : "…")
                + Printable.of(name.substring(tail));
    }

    private void buckets() {
        line("");
        line("Over time, %s a line".formatted(ReportTable.length(report.step())));
        line("  %s failed  %s code 0".formatted(dark(), light()));
        long most = report.buckets().stream().mapToLong(it -> it.tally().exits()).max().orElse(1);
        String format = "  %-11s  %7s %7s  " + (width < WIDE ? "" : "%" + codeWidth() + "s  ");
        line(format.formatted("BEGIN", "EXITS", "FAILED", "CODE"));
        for (Bucket bucket : report.buckets()) {
            Tally tally = bucket.tally();
            String head =
                    format.formatted(
                            ReportTable.begin(bucket, report.step()),
                            tally.exits(),
                            tally.failed(),
                            tally.exits() == 0 ? "-" : tally.mainCode());
            line(head + bar(tally.exits(), tally.failed(), most, width - head.length()));
        }
    }

    private int codeWidth() {
        return report.buckets().stream()
                .mapToInt(it -> Long.toString(it.tally().mainCode()).length())
                .reduce("CODE".length(), Math::max);
    }

    private String bar(long exits, long failed, long most, int room) {
        int whole = scale(exits, most, room);
        int part = Math.min(whole, scale(failed, most, room));
        return dark().repeat(part) + light().repeat(whole - part);
    }

    /** At least one column for what is not nothing. */
    private static int scale(long part, long most, int room) {
        return part == 0
                ? 0
                : Math.max(1, Math.toIntExact(Math.round((double) part / most * room)));
    }

    private String dark() {
        return ascii ? "#" : "█";
    }

    private String light() {
        return ascii ? "-" : "░";
    }

    private void more(Top<?> top) {
        if (top.more() > 0) {
            line("  and %d more".formatted(top.more()));
        }
    }

    private void line(String line) {
        text.append(line.stripTrailing()).append('\n');
    }
}
