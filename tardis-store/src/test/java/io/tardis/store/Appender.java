package io.tardis.store;

import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Appends exits to the log that its argument names until it is killed, in groups of growing size,
 * and prints the number of the last exit of each group once it is reported to be safe.
 */
final class Appender {

    private Appender() {}

    public static void main(String[] arguments) {
        Path file = Path.of(arguments[0]);
        // Where the library that SQLite unpacks is removed with the rest when this is killed.
        System.setProperty("org.sqlite.tmpdir", file.resolveSibling("").toString());
        try (SqliteExitLog log =
                SqliteExitLog.openWriter(file, InstantSource.system(), () -> true)) {
            long seq = log.lastSeq() + 1;
            for (int size = 1; ; size = size % 20 + 1) {
                log.append(group(seq, size));
                seq += size;
                System.out.println(seq - 1);
            }
        }
    }

    private static List<Recorded> group(long first, int size) {
        return LongStream.range(first, first + size)
                .mapToObj(i ->
                        Exits.ending(
                                "life-" + i,
                                i,
                                Exits.exit(i, Exits.container("c" + i % 10), i, i % 256)))
                .toList();
    }
}
