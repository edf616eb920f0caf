package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.config.Settings;
import io.tardis.core.zmq.ZmqContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A client of the running daemon, with a ZeroMQ context of its own. */
final class DaemonQueries implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(DaemonQueries.class);

    private final ZmqContext context;
    private final QueryClient client;

    DaemonQueries(Settings settings) {
        this.context =
                new ZmqContext(
                        cause -> LOG.error("ZeroMQ's I/O thread died", cause),
                        settings.curve(),
                        settings.limits().maxConnections());
        this.client = new QueryClient(context, settings.queryEndpoint());
    }

    ZmqContext context() {
        return context;
    }

    QueryClient client() {
        return client;
    }

    @Override
    public void close() {
        client.close();
        context.close();
    }
}
