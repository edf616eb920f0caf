package io.tardis.it;

import static io.tardis.it.Wait.SOON;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A valve before {@code ctr events}: closed, the daemon's event source is killed, and the next one
 * does not start {@code ctr} until the valve is open again. What containerd reports meanwhile is
 * missed.
 */
final class Valve {

    private static final String NAME = "valve-is-closed";

    private final TardisNode node;

    Valve(TardisNode node) {
        this.node = node;
    }

    /** The command of a source with a valve, for a node whose own source is the real one. */
    static String command(TardisNode node) {
        return "sh -c 'while [ -e "
                + file(node)
                + " ]; do sleep 0.05; done; exec "
                + node.setting("TARDIS_CTR_CMD")
                + "'";
    }

    void close() {
        try {
            Files.writeString(file(node), "");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Wait.until(
                () -> "end of " + node.sources(),
                SOON,
                () -> {
                    node.sources().forEach(source -> source.signal("KILL"));
                    return node.sources().isEmpty();
                });
    }

    /** Does nothing where it is open. */
    void open() {
        try {
            boolean _ = Files.deleteIfExists(file(node));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Path file(TardisNode node) {
        return Path.of(node.setting("TARDIS_CONFIG")).resolveSibling(NAME);
    }
}
