package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

class TableTest {

    @Test
    void alignsItsColumns() {
        Table table = new Table(List.of("NAME", "CODE", "TEXT"));
        table.add(List.of("a-longer-name", "0", "x"));
        table.add(List.of("b", "137", ""));

        assertThat(print(table))
                .isEqualTo(
                        """
                        NAME           CODE  TEXT
                        a-longer-name  0     x
                        b              137
                        """
                                .indent(2));
    }

    @Test
    void staysATableWhateverItsTextsAre() {
        Table table = new Table(List.of("NAME", "CODE"));
        table.add(List.of("a\n\u001b[2Jb%s", "7"));

        assertThat(print(table)).isEqualTo("  NAME       CODE\n  a??[2Jb%s  7\n");
    }

    private static String print(Table table) {
        StringWriter text = new StringWriter();
        table.print(new PrintWriter(text, true), "  ");
        return text.toString();
    }
}
