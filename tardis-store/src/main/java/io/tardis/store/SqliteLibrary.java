package io.tardis.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.sqlite.SQLiteJDBCLoader;

/**
 * SQLite's library, mapped from a copy without a name. Who copies another version over the
 * installation cuts the file there short for a moment, and the kernel then takes away what the
 * process has changed in the mapped pages, too: the JVM would die of SIGSEGV at the next statement.
 */
final class SqliteLibrary {

    private static final Logger LOG = LoggerFactory.getLogger(SqliteLibrary.class);
    private static final String DIRECTORY = "org.sqlite.lib.path";

    private SqliteLibrary() {}

    /**
     * Loads the library that the installation has named, if it has. Where the copy cannot be made,
     * or not be mapped ({@code noexec}), that file itself is mapped.
     *
     * @param stateDir where the copy is for a moment; for the holder of its lock alone
     */
    static void load(Path stateDir) {
        String directory = System.getProperty(DIRECTORY);
        String name = System.getProperty("org.sqlite.lib.name");
        if (directory == null || name == null) {
            return;
        }
        Path copy = stateDir.resolve(name);
        try {
            Files.deleteIfExists(copy); // left by a kill
            Files.copy(Path.of(directory, name), copy);
            if (copy.toFile().setExecutable(true) && Files.isExecutable(copy)) {
                System.setProperty(DIRECTORY, stateDir.toString());
            }
        } catch (IOException e) {
            LOG.warn("SQLite's library is not copied, and must not be replaced: {}", e.toString());
        }
        try {
            boolean _ = SQLiteJDBCLoader.initialize();
            Files.deleteIfExists(copy);
        } catch (Exception e) { // as it is declared there
            LOG.warn("SQLite's library cannot be loaded from {}", stateDir, e);
        } finally {
            System.setProperty(DIRECTORY, directory);
        }
    }
}
