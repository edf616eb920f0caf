package io.tardis.cli;

import io.tardis.core.client.ExitSubscriber;
import io.tardis.core.client.QueryClient;
import io.tardis.core.config.Settings;
import io.tardis.core.zmq.ZmqContext;
import java.time.Duration;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a command asks the running daemon with.
 *
 * @param client asks
 * @param exitsAfter subscribes to the exits after a number; the command closes what it gets
 * @param closer gives back what both have
 */
record DaemonQueries(
        QueryClient client,
        LongFunction<ExitSubscriber> exitsAfter,
        LongConsumer onPrinted,
        Duration patience,
        Runnable closer)
        implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(DaemonQueries.class);

    private static final Duration POLL = Duration.ofMillis(200);

    /** A client over TCP, with a ZeroMQ context of its own. */
    static DaemonQueries open(Settings settings) {
        ZmqContext context =
                new ZmqContext(
                        cause -> LOG.error("ZeroMQ's I/O thread died", cause),
                        settings.curve(),
                        settings.limits().maxConnections());
        return new DaemonQueries(
                new QueryClient(context, settings.queryEndpoint()),
                after ->
                        new ExitSubscriber(
                                context,
                                settings.eventsEndpoint(),
                                settings.queryEndpoint(),
                                after),
                _ -> {},
                POLL,
                context::close);
    }

    @Override
    public void close() {
        client.close();
        closer.run();
    }
}
