package io.tardis.cli;

import static java.util.stream.Collectors.joining;

import io.tardis.cli.Report.Bucket;
import io.tardis.cli.Report.Code;
import io.tardis.cli.Report.Tally;
import io.tardis.cli.Report.Top;
import io.tardis.cli.ReportTable.Column;
import io.tardis.core.Printable;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A report as one HTML file, which loads nothing and runs nothing: its policy forbids both. Tables
 * scroll by themselves where a screen is narrow; charts stretch, so their labels are outside them.
 * What is always the same is in {@code report.html} and {@code report-figures.html}.
 */
final class ReportHtml {

    private static final Pattern PLACE = Pattern.compile("\\{([a-z_]+)}");

    /** A bar is not wider than it would be among so many. */
    private static final int FEWEST_BARS = 24;

    private ReportHtml() {}

    static String of(Report report) {
        Tally total = report.total();
        String oldest =
                report.lateBegin()
                        .map(ReportTable.MINUTE::format)
                        .map("<p>Oldest recorded exit at %s</p>%n"::formatted)
                        .orElse("");
        return filled(
                "report.html",
                Map.of(
                        "from", ReportTable.MINUTE.format(report.from()),
                        "to", ReportTable.MINUTE.format(report.to()),
                        "oldest", oldest,
                        "exits", total.exits(),
                        "failed", total.failed(),
                        "oom_killed", total.oomKilled(),
                        "figures", total.exits() == 0 ? "" : figures(report)));
    }

    /** Each place is filled once: a name with braces is no place. */
    private static String filled(String template, Map<String, Object> values) {
        try (InputStream file = ReportHtml.class.getResourceAsStream(template)) {
            byte[] html = Objects.requireNonNull(file, template).readAllBytes();
            return PLACE.matcher(new String(html, StandardCharsets.UTF_8))
                    .replaceAll(it ->
                            Matcher.quoteReplacement(String.valueOf(values.get(it.group(1)))));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String figures(Report report) {
        List<Bucket> buckets = report.buckets();
        long most = report.mostAtOnce();
        return filled(
                "report-figures.html",
                Map.of(
                        "most", most,
                        "width", Math.max(FEWEST_BARS, buckets.size()),
                        "bars",
                                IntStream.range(0, buckets.size())
                                        .mapToObj(i -> bar(i, buckets.get(i), most))
                                        .collect(joining()),
                        "begin", ReportTable.begin(buckets.getFirst(), report.step()),
                        "step", ReportTable.length(report.step()),
                        "end", ReportTable.begin(buckets.getLast(), report.step()),
                        "buckets",
                                rows(
                                        "id=\"buckets\"",
                                        Stream.of("BEGIN", "EXITS", "FAILED", "OOM", "CODES"),
                                        buckets,
                                        ReportHtml::bucket),
                        "codes", codes(report.total().codes()),
                        "tables",
                                ReportTable.of(report).stream()
                                        .map(ReportHtml::table)
                                        .collect(joining())));
    }

    private static String bucket(Bucket bucket) {
        Tally tally = bucket.tally();
        String codes =
                tally.codes().first().stream()
                        .limit(3)
                        .map(it -> it.code() + " ×" + it.exits())
                        .collect(joining(", "));
        return cells(
                ReportTable.MINUTE.format(bucket.begin()),
                tally.exits(),
                tally.failed(),
                tally.oomKilled(),
                codes);
    }

    private static String bar(int x, Bucket bucket, long most) {
        Tally tally = bucket.tally();
        double exits = 100.0 * tally.exits() / most;
        double failed = 100.0 * tally.failed() / most;
        return tally.exits() == 0
                ? ""
                : "<g><title>%s: %d exits, %d failed</title>%s%s</g>%n"
                        .formatted(
                                ReportTable.MINUTE.format(bucket.begin()),
                                tally.exits(),
                                tally.failed(),
                                rectangle("ok", x + 0.1, 100 - exits, 0.8, exits - failed),
                                rectangle("bad", x + 0.1, 100 - failed, 0.8, failed));
    }

    private static String codes(Top<Code> codes) {
        long most = codes.first().getFirst().exits();
        return rows(
                        "id=\"codes\"",
                        Stream.of("CODE", "EXITS", ""),
                        codes.first(),
                        it -> cells(it.code(), it.exits()) + chart(it, most))
                + more(codes);
    }

    private static String chart(Code code, long most) {
        return "<td class=\"chart\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">%s</svg></td>"
                .formatted(
                        rectangle(
                                code.failed() == 0 ? "ok" : "bad",
                                0,
                                0,
                                Math.max(1, 100.0 * code.exits() / most),
                                10));
    }

    private static String rectangle(String kind, double x, double y, double width, double height) {
        return "<rect class=\"%s\" %s/>"
                .formatted(
                        kind,
                        String.format(
                                Locale.ROOT,
                                "x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"",
                                x,
                                y,
                                width,
                                height));
    }

    private static String table(ReportTable table) {
        List<Column> columns = table.columns();
        String attributes =
                "class=\"names\" id=\"%s\" style=\"--columns: %d\""
                        .formatted(table.id(), columns.size());
        Stream<String> header =
                Stream.concat(Stream.of("NAME"), columns.stream().map(Column::header));
        String rows =
                rows(
                        attributes,
                        header,
                        table.groups().first(),
                        it ->
                                cells(it.name())
                                        + cells(
                                                columns.stream()
                                                        .map(column -> column.text().apply(it))
                                                        .toArray()));
        return "<h2>%s</h2>%n%s"
                        .formatted(
                                table.title(),
                                table.groups().first().isEmpty() ? "<p>none</p>\n" : rows)
                + more(table.groups());
    }

    private static <T> String rows(
            String attributes, Stream<String> header, List<T> items, Function<T, String> cells) {
        String names = header.map("<th scope=\"col\">%s</th>"::formatted).collect(joining());
        return """
        <div class="scroll"><table %s>
        <thead><tr>%s</tr></thead>
        <tbody>
        %s</tbody>
        </table></div>
        """
                .formatted(
                        attributes,
                        names,
                        items.stream()
                                .map(it -> "<tr>" + cells.apply(it) + "</tr>\n")
                                .collect(joining()));
    }

    private static String cells(Object... texts) {
        return Stream.of(texts)
                .map(it -> "<td>" + escape(it.toString()) + "</td>")
                .collect(joining());
    }

    private static String more(Top<?> top) {
        return top.more() == 0 ? "" : "<p>and %d more</p>%n".formatted(top.more());
    }

    /** Names are data, whoever chose them. */
    static String escape(String text) {
        return Printable.of(text)
                .replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;")
                .replace("'", "&#39;");
    }
}
