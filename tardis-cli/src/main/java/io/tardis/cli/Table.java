package io.tardis.cli;

import io.tardis.core.Printable;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Rows of text in columns, two blanks apart. */
final class Table {

    private final List<List<String>> rows = new ArrayList<>();

    /** A table with this header. */
    Table(List<String> header) {
        rows.add(header);
    }

    /** Adds a row, as long as the header. What a terminal may not get is replaced. */
    void add(List<String> row) {
        rows.add(row.stream().map(Printable::of).toList());
    }

    /** Prints all rows, each behind {@code indent}. */
    void print(PrintWriter out, String indent) {
        String format =
                IntStream.range(0, rows.getFirst().size())
                        .mapToObj(i -> "%-" + width(i) + "s")
                        .collect(Collectors.joining("  ", indent, ""));
        rows.forEach(it -> out.println(format.formatted(it.toArray()).stripTrailing()));
    }

    private int width(int column) {
        return rows.stream().mapToInt(it -> it.get(column).length()).max().orElse(0);
    }
}
