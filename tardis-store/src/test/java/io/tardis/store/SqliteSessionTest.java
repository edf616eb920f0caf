package io.tardis.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteException;

class SqliteSessionTest {

    @TempDir private Path directory;

    /** SQLite has rolled back by then, and complains when it is asked to. */
    @Test
    void saysThatTheDiskIsFullAndCanBeWrittenWhenThereIsRoom() {
        Path file = directory.resolve("exits.db");
        try (SqliteSession session = SqliteSession.open(file)) {
            session.execute("PRAGMA journal_mode = WAL");
            session.execute("CREATE TABLE t (x BLOB)");
            session.execute("PRAGMA max_page_count = 3");

            assertThatThrownBy(() -> fill(session))
                    .isInstanceOf(ExitLogException.class)
                    .hasMessageContainingAll("cannot write " + file, "full")
                    .satisfies(it -> assertThat(it.getSuppressed()).isNotEmpty())
                    .cause()
                    .isInstanceOfSatisfying(
                            SQLiteException.class,
                            it ->
                                    assertThat(it.getResultCode())
                                            .isEqualTo(SQLiteErrorCode.SQLITE_FULL));
            assertThat(session.number("SELECT count(*) FROM t")).isZero();

            session.execute("PRAGMA max_page_count = 1000");
            fill(session);
            assertThat(session.number("SELECT count(*) FROM t")).isEqualTo(1);
        }
    }

    private static void fill(SqliteSession session) {
        int _ =
                session.inTransaction(
                        () -> session.update("INSERT INTO t VALUES (zeroblob(100000))"));
    }
}
