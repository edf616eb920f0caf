package io.tardis.cli;

import io.tardis.cli.Report.Bucket;
import io.tardis.cli.Report.Code;
import io.tardis.cli.Report.Group;
import io.tardis.cli.Report.Tally;
import io.tardis.cli.Report.Top;
import io.tardis.cli.ReportTable.Column;
import io.tardis.core.Printable;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A report as one HTML file, which loads nothing and runs nothing: its policy forbids both. Tables
 * scroll by themselves where a screen is narrow; charts stretch, so their labels are outside them.
 */
final class ReportHtml {

    private static final String BEGIN =
            """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <title>Tardis report</title>
            <style>
            :root { color-scheme: light dark; --text: #1c2024; --dim: #5f6b76; --line: #d9dee3; --card: #f4f6f8;
              --ok: #9db4c6; --bad: #c93a3a; background: #fff; }
            @media (prefers-color-scheme: dark) {
              :root { --text: #e6e9ec; --dim: #9aa6b1; --line: #343b42; --card: #20262c; --ok: #4f6b80; --bad: #f0716c;
                background: #15191d; } }
            body { margin: 0 auto; padding: 1rem; max-width: 64rem; color: var(--text);
              font: 15px/1.5 system-ui, sans-serif; }
            h1 { margin: 0; font-size: 1.5rem; } h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
            p { margin: .25rem 0; color: var(--dim); }
            dl { display: flex; gap: .75rem; margin: 1rem 0; }
            dl div { flex: 1; display: flex; flex-direction: column-reverse; justify-content: flex-end; padding: .6rem .8rem;
              background: var(--card); border-radius: 6px; }
            dt { color: var(--dim); font-size: .85rem; }
            dd { margin: 0; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
            .scroll { overflow-x: auto; }
            table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
            th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
            th { color: var(--dim); font-size: .8rem; font-weight: 500; }
            th:first-child, td:first-child { padding-left: 0; text-align: left; }
            .names td:first-child { white-space: normal; overflow-wrap: anywhere; }
            @media (max-width: 36rem) {
              .names tr { display: grid; grid-template-columns: repeat(var(--columns), 1fr); border-bottom: 1px solid var(--line); }
              .names th, .names td { padding: .15rem 0; border: 0; white-space: normal; }
              .names th { font-size: .7rem; } .names td { font-size: .85rem; }
              .names th:first-child { display: none; }
              .names td:first-child { grid-column: 1 / -1; font-size: 1rem; }
            }
            .chart { width: 75%; text-align: left; }
            svg { display: block; width: 100%; height: .8rem; }
            svg.time { height: 8rem; border-bottom: 1px solid var(--line); }
            .ok { fill: var(--ok); } .bad { fill: var(--bad); }
            .key::before { content: ""; display: inline-block; width: .7rem; height: .7rem; margin-right: .35rem;
              background: var(--ok); } .key.failed::before { background: var(--bad); }
            .axis { display: flex; justify-content: space-between; color: var(--dim); font-size: .85rem; }
            summary { margin-top: .5rem; color: var(--dim); cursor: pointer; }
            </style>
            </head>
            <body>
            <h1>How containers ended</h1>
            """;

    private static final String END = "</body>\n</html>\n";

    /** A bar is not wider than it would be among so many. */
    private static final int FEWEST_BARS = 24;

    private ReportHtml() {}

    static String of(Report report) {
        StringBuilder html = new StringBuilder(BEGIN);
        html.append(
                "<p>%s to %s, times in UTC</p>%n"
                        .formatted(minute(report.from()), minute(report.to())));
        report.oldest()
                .filter(it -> it.isAfter(report.from()))
                .ifPresent(it ->
                        html.append("<p>Oldest recorded exit at %s</p>%n".formatted(minute(it))));
        Tally total = report.total();
        html.append(
                """
                <dl>
                <div><dt>exits</dt><dd id="exits">%d</dd></div>
                <div><dt>failed</dt><dd id="failed">%d</dd></div>
                <div><dt>out of memory</dt><dd id="oom_killed">%d</dd></div>
                </dl>
                """
                        .formatted(total.exits(), total.failed(), total.oomKilled()));
        if (total.exits() > 0) {
            html.append(overTime(report)).append(codes(total.codes()));
            ReportTable.of(report).forEach(it -> html.append(table(it)));
        }
        return html.append(END).toString();
    }

    private static String overTime(Report report) {
        List<Bucket> buckets = report.buckets();
        long most = buckets.stream().mapToLong(it -> it.tally().exits()).max().orElse(1);
        StringBuilder bars = new StringBuilder();
        for (int i = 0; i < buckets.size(); i++) {
            bars.append(bar(i, buckets.get(i), most));
        }
        return """
        <h2>Over time</h2>
        <p><span class="key failed">failed</span> &nbsp; <span class="key">code 0</span></p>
        <div class="axis"><span>%d exits</span></div>
        <svg class="time" viewBox="0 0 %d 100" preserveAspectRatio="none" role="img" aria-label="Exits over time">
        %s</svg>
        <div class="axis"><span>%s</span><span>%s a bar</span><span>%s</span></div>
        <details><summary>The figures</summary>
        %s</details>
        """
                .formatted(
                        most,
                        Math.max(FEWEST_BARS, buckets.size()),
                        bars,
                        ReportTable.begin(buckets.getFirst(), report.step()),
                        ReportTable.length(report.step()),
                        ReportTable.begin(buckets.getLast(), report.step()),
                        rows(
                                "<table id=\"buckets\">",
                                List.of("BEGIN", "EXITS", "FAILED", "OOM", "CODES"),
                                buckets,
                                it -> cells(bucket(it))));
    }

    private static List<String> bucket(Bucket bucket) {
        Tally tally = bucket.tally();
        return List.of(
                minute(bucket.begin()),
                Long.toString(tally.exits()),
                Long.toString(tally.failed()),
                Long.toString(tally.oomKilled()),
                tally.codes().first().stream()
                        .limit(3)
                        .map(it -> it.code() + " ×" + it.exits())
                        .collect(Collectors.joining(", ")));
    }

    private static String bar(int x, Bucket bucket, long most) {
        Tally tally = bucket.tally();
        double exits = 100.0 * tally.exits() / most;
        double failed = 100.0 * tally.failed() / most;
        return tally.exits() == 0
                ? ""
                : "<g><title>%s: %d exits, %d failed</title>%s%s</g>%n"
                        .formatted(
                                minute(bucket.begin()),
                                tally.exits(),
                                tally.failed(),
                                rectangle("ok", x + 0.1, 100 - exits, 0.8, exits - failed),
                                rectangle("bad", x + 0.1, 100 - failed, 0.8, failed));
    }

    private static String codes(Top<Code> codes) {
        long most = codes.first().stream().mapToLong(Code::exits).max().orElse(1);
        return "<h2>Codes</h2>\n"
                + rows(
                        "<table id=\"codes\">",
                        List.of("CODE", "EXITS", ""),
                        codes.first(),
                        it ->
                                cells(List.of(Long.toString(it.code()), Long.toString(it.exits())))
                                        + "<td class=\"chart\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
                                        + rectangle(
                                                it.code() == 0 ? "ok" : "bad",
                                                0,
                                                0,
                                                Math.max(1, 100.0 * it.exits() / most),
                                                10)
                                        + "</svg></td>")
                + more(codes);
    }

    private static String rectangle(String kind, double x, double y, double width, double height) {
        return String.format(
                Locale.ROOT,
                "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>",
                kind,
                x,
                y,
                width,
                height);
    }

    private static String table(ReportTable table) {
        String title = "<h2>%s</h2>%n".formatted(table.title());
        if (table.groups().first().isEmpty()) {
            return title + "<p>none</p>\n";
        }
        List<String> header = table.columns().stream().map(Column::header).toList();
        return title
                + rows(
                        "<table class=\"names\" id=\"%s\" style=\"--columns: %d\">"
                                .formatted(table.id(), header.size()),
                        Stream.concat(Stream.of("NAME"), header.stream()).toList(),
                        table.groups().first(),
                        it -> cells(List.of(it.name())) + cells(texts(table, it)))
                + more(table.groups());
    }

    private static List<String> texts(ReportTable table, Group group) {
        return table.columns().stream().map(it -> it.text().apply(group)).toList();
    }

    private static <T> String rows(
            String table, List<String> header, List<T> items, Function<T, String> cells) {
        return items.stream()
                .map(it -> "<tr>" + cells.apply(it) + "</tr>\n")
                .collect(
                        Collectors.joining(
                                "",
                                header.stream()
                                        .map(it -> "<th scope=\"col\">" + it + "</th>")
                                        .collect(
                                                Collectors.joining(
                                                        "",
                                                        "<div class=\"scroll\">"
                                                                + table
                                                                + "\n<thead><tr>",
                                                        "</tr></thead>\n<tbody>\n")),
                                "</tbody>\n</table></div>\n"));
    }

    private static String cells(List<String> texts) {
        return texts.stream()
                .map(it -> "<td>" + escape(it) + "</td>")
                .collect(Collectors.joining());
    }

    private static String more(Top<?> top) {
        return top.more() == 0 ? "" : "<p>and %d more</p>%n".formatted(top.more());
    }

    private static String minute(Instant time) {
        return ReportTable.MINUTE.format(time);
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
