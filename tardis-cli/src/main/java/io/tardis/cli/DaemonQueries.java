package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.client.ExitSubscriber;
import io.tardis.core.client.QueryClient;
import io.tardis.core.config.SettingParser;
import io.tardis.core.config.Settings;
import io.tardis.core.zmq.ZmqContext;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.Optional;
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

    private static final int GREETING_MILLIS = 500;
    private static final Duration POLL = Duration.ofMillis(200);

    /**
     * A client over TCP, with a ZeroMQ context of its own.
     *
     * @throws TardisException if the daemon does not serve this user
     */
    static DaemonQueries open(Settings settings) {
        if (settings.curve().isEmpty()) {
            checkServed(settings.queryEndpoint());
        }
        ZmqContext context =
                new ZmqContext(
                        cause -> LOG.error("ZeroMQ's I/O thread died", cause),
                        settings.curve(),
                        settings.limits().maxConnections(),
                        Optional.empty());
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

    /**
     * A daemon resets the connections of users who may not read. ZeroMQ would try again and again,
     * and could not say why there is no answer. What else can happen, it finds out itself.
     */
    private static void checkServed(String endpoint) {
        try (Socket socket = new Socket()) {
            socket.setSoTimeout(GREETING_MILLIS);
            socket.connect(SettingParser.address(endpoint), GREETING_MILLIS);
            int _ = socket.getInputStream().read();
        } catch (SocketException e) {
            if (String.valueOf(e.getMessage()).contains("reset")) {
                throw new TardisException(
                        "cannot tell: permission denied on %s: the daemon does not serve this user; its log says why"
                                .formatted(endpoint),
                        e);
            }
        } catch (IOException e) {
            LOG.debug("{} does not greet", endpoint, e);
        }
    }

    @Override
    public void close() {
        client.close();
        closer.run();
    }
}
