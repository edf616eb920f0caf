package io.tardis.cli;

import io.tardis.core.SetupException;
import io.tardis.core.client.QueryClient;
import io.tardis.core.config.SettingParser;
import io.tardis.core.config.Settings;
import io.tardis.listener.InstanceLock;
import io.tardis.store.DirectAnswers;
import io.tardis.store.StoppedStore;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Optional;

/** Answers from {@code exits.db} where no daemon runs. */
final class StoppedDaemonQueries {

    private StoppedDaemonQueries() {}

    /**
     * What answers in the place of a daemon that does not run; empty if one may, or nothing is
     * recorded.
     *
     * @throws io.tardis.core.TardisException if this user may not find out, or not read
     */
    static Optional<DaemonQueries> find(Settings settings) {
        if (mayBeServed(settings.queryEndpoint())) {
            return Optional.empty();
        }
        if (InstanceLock.holder(settings.stateDir()).isPresent()) {
            return Optional.empty();
        }
        return StoppedStore.open(settings.exitLog(), Version.text())
                .map(StoppedDaemonQueries::queries);
    }

    /** Whether somebody listens there, or it is on another machine. */
    private static boolean mayBeServed(String endpoint) {
        try {
            InetAddress address = SettingParser.address(endpoint).getAddress();
            boolean isHere = address.isLoopbackAddress() || address.isAnyLocalAddress();
            return !isHere
                    || !ListeningSockets.onPort(SettingParser.address(endpoint).getPort())
                            .isEmpty();
        } catch (IOException e) {
            throw new SetupException("it cannot be found out whether a daemon runs: " + e, e);
        }
    }

    private static DaemonQueries queries(DirectAnswers log) {
        return new DaemonQueries(
                new QueryClient((query, _) -> log.answer(query)),
                _ -> {
                    throw new UnsupportedOperationException("nothing is published");
                },
                _ -> {},
                Duration.ZERO,
                log::close);
    }
}
