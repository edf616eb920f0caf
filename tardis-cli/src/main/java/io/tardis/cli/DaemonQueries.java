package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.config.Settings;
import io.tardis.core.zmq.ZmqContext;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A client of the running daemon, with a ZeroMQ context of its own. */
record DaemonQueries(ZmqContext context, QueryClient client) implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(DaemonQueries.class);

    static DaemonQueries open(Settings settings) {
        ZmqContext context =
                new ZmqContext(
                        cause -> LOG.error("ZeroMQ's I/O thread died", cause),
                        settings.curve(),
                        settings.limits().maxConnections(),
                        Optional.empty());
        return new DaemonQueries(context, new QueryClient(context, settings.queryEndpoint()));
    }

    @Override
    public void close() {
        client.close();
        context.close();
    }
}
