package io.tardis.core.curve;

import io.tardis.core.Owner;
import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who may connect to a daemon: the owner of its own key pair, and whoever's public key is in a
 * {@code *.key} file of a directory. The directory is read again, at most once a second, when
 * somebody connects, so that files can be added and removed while the daemon runs; a connection
 * that is there already stays. Belongs to one thread.
 */
public final class CurveClients {

    private static final Logger LOG = LoggerFactory.getLogger(CurveClients.class);
    private static final Duration READ_AGAIN = Duration.ofSeconds(1);

    private final CurvePublicKey own;
    private final Optional<Path> directory;
    private Set<CurvePublicKey> admitted = Set.of();
    private List<String> problems = List.of();
    private long readAt;

    private CurveClients(CurvePublicKey own, Optional<Path> directory) {
        this.own = own;
        this.directory = directory;
    }

    /**
     * Reads the directory of {@code keys}, if it names one.
     *
     * @throws SetupException if the directory is a link, somebody else's, or can be written by
     *     others; or if it or a file in it cannot be read; names each file and line
     */
    public static CurveClients open(CurveKeys keys) {
        CurveClients clients = new CurveClients(keys.own().publicKey(), keys.clientsDir());
        clients.read();
        if (!clients.problems.isEmpty()) {
            throw new SetupException(String.join("\n", clients.problems));
        }
        return clients;
    }

    /** How many may connect, besides the owner of the daemon's own key pair. */
    public int size() {
        return admitted.size();
    }

    /** Whether the owner of this key may connect. */
    public boolean admits(CurvePublicKey client) {
        if (client.equals(own)) {
            return true;
        }
        if (System.nanoTime() - readAt > READ_AGAIN.toNanos()) {
            List<String> before = problems;
            read();
            if (!problems.equals(before)) {
                problems.forEach(it -> LOG.warn("clients are left out: {}", it));
            }
        }
        return admitted.contains(client);
    }

    /** A file that cannot be read lets nobody in, and keeps nobody else out. */
    private void read() {
        Set<CurvePublicKey> found = new HashSet<>();
        List<String> wrong = new ArrayList<>();
        directory.ifPresent(it -> {
            try {
                // Whoever can write into it can let anybody in.
                Owner.check(
                        "directory of clients' keys",
                        it,
                        true,
                        "----w--w-",
                        "can be written by others than its owner; close it with chmod go-w");
                try (DirectoryStream<Path> files = Files.newDirectoryStream(it, "*.key")) {
                    for (Path file : files) {
                        try {
                            found.add(CurveKeyFiles.readPublic(file));
                        } catch (SetupException e) {
                            wrong.add(String.valueOf(e.getMessage()));
                        }
                    }
                }
            } catch (SetupException e) {
                wrong.add(String.valueOf(e.getMessage()));
            } catch (IOException | DirectoryIteratorException e) {
                wrong.add("the directory of clients' keys " + it + " cannot be read: " + e);
            }
        });
        admitted = found;
        problems = wrong.stream().sorted().toList();
        readAt = System.nanoTime();
    }
}
