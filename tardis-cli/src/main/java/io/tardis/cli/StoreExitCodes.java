package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.runc.ExitCodes;
import io.tardis.store.Store;
import java.time.Duration;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Asks the store of this process. Any number of threads may ask at once: each has a client for
 * itself while it does. Clients are kept for the next question, because making a socket and taking
 * it away takes ten times as long as asking; the queue's hand-over is the memory barrier that
 * ZeroMQ wants where a socket changes its thread.
 */
final class StoreExitCodes implements ExitCodes, AutoCloseable {

    private final ZmqContext context;
    private final Duration patience;
    private final Queue<QueryClient> idle = new ConcurrentLinkedQueue<>();
    private volatile boolean closed;

    /**
     * Asks through {@code context}.
     *
     * @param patience the longest wait for the answer to a question that asks for no wait
     */
    StoreExitCodes(ZmqContext context, Duration patience) {
        this.context = context;
        this.patience = patience;
    }

    @Override
    public Answer.OfContainer exitCode(Life life, Duration maxWait) {
        QueryClient found = idle.poll();
        QueryClient client =
                found != null ? found : new QueryClient(context, Store.ENDPOINT, patience);
        try {
            return client.exitCode(life.container(), Optional.of(life.id()), maxWait);
        } finally {
            idle.add(client);
            if (closed) {
                close();
            }
        }
    }

    /** Closes the clients; those that still wait for an answer are closed when they have it. */
    @Override
    public void close() {
        closed = true;
        for (QueryClient client = idle.poll(); client != null; client = idle.poll()) {
            client.close();
        }
    }
}
