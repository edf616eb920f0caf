package io.tardis.core.zmq;

import java.time.Duration;
import java.util.List;

/** Sends every question back, in a thread of its own. */
final class Echo implements AutoCloseable {

    private final ZmqReplier replier;
    private final Thread thread;
    private volatile boolean stopping;

    Echo(ZmqContext context, String... endpoints) {
        replier = context.replier(List.of(endpoints));
        thread = Thread.ofPlatform().name("echo").start(this::serve);
    }

    private void serve() {
        try (replier) {
            while (!stopping) {
                ZmqReplier.Request request = replier.receive(Duration.ofMinutes(1));
                if (request != null) {
                    replier.reply(request, request.payload());
                }
            }
        }
    }

    @Override
    public void close() {
        stopping = true;
        replier.wake();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
