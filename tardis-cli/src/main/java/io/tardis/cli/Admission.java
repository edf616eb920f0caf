package io.tardis.cli;

import io.tardis.core.config.Setting;
import io.tardis.core.config.Settings;
import io.tardis.core.wire.Health;
import io.tardis.core.zmq.LocalClients;
import io.tardis.listener.LocalReaders;
import io.tardis.listener.SockDiag;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who may read from the daemon, put together of the parts that know users, connections and sockets.
 *
 * @param readers the users who may
 * @param owners whose connections are
 * @param clients who decides over ZeroMQ; empty where keys do, or nobody
 */
record Admission(LocalReaders readers, SockDiag owners, Optional<LocalClients> clients)
        implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Admission.class);

    /**
     * Finds out who may, and whether the kernel can say who connects.
     *
     * @throws io.tardis.core.SetupException if the group is set and does not exist
     */
    static Admission open(Settings settings) {
        LocalReaders readers = LocalReaders.open(settings.access());
        SockDiag owners = new SockDiag();
        boolean isOpen = settings.curve().isPresent() || settings.access().anyLocalClient();
        Optional<LocalClients> clients =
                isOpen ? Optional.empty() : Optional.of(new LocalClients(owners, readers));
        clients.flatMap(LocalClients::examine)
                .ifPresent(it -> LOG.error("no client over TCP is served: {}", it));
        return new Admission(readers, owners, clients);
    }

    /** Begins to look for new members of the group. */
    void start() {
        readers.start();
    }

    Health.Clients health() {
        return clients.map(
                        it -> {
                            Optional<String> problem = it.problem();
                            return new Health.Clients(
                                    problem.isEmpty(), problem.orElse(""), it.refused());
                        })
                .orElse(Health.Clients.WELL);
    }

    /** Who may read over ZeroMQ, in a phrase. */
    static String describe(Settings settings) {
        if (settings.curve().isPresent()) {
            return "those whose keys are known";
        }
        if (settings.access().anyLocalClient()) {
            return "every local user, by " + Setting.LOCAL_CLIENTS.key() + "=any";
        }
        return "root and the daemon's user"
                + LocalReaders.group(settings.access())
                        .map(it -> ", and the group " + it.name())
                        .orElse("; no group");
    }

    @Override
    public void close() {
        readers.close();
        owners.close();
    }
}
