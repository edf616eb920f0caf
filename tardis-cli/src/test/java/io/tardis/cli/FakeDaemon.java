package io.tardis.cli;

import io.tardis.core.config.Settings;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.wire.Query;
import io.tardis.core.wire.QueryCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.core.zmq.ZmqReplier;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;

/** Answers questions as the test wants, publishes what it is given, and remembers the questions. */
final class FakeDaemon implements AutoCloseable {

    private static final Duration POLL = Duration.ofMillis(10);

    private final ZmqContext context =
            new ZmqContext(cause -> {
                throw new AssertionError(cause);
            });
    private final ZmqReplier replier;
    private final ZmqPublisher publisher;
    private final List<Query> queries = new CopyOnWriteArrayList<>();
    private final Queue<Published> toPublish = new ConcurrentLinkedQueue<>();
    private final Thread thread = new Thread(this::serve, "fake-daemon");
    private volatile Function<Query, Optional<Answer>> answers;
    private volatile boolean stopping;

    FakeDaemon(Settings settings, Function<Query, Answer> answers) {
        this.replier = context.replier(List.of(settings.queryEndpoint()));
        this.publisher = context.publisher(List.of(settings.eventsEndpoint()));
        this.answers = query -> Optional.of(answers.apply(query));
        thread.start();
    }

    /** From now on gives these answers; to some questions perhaps none. */
    void answer(Function<Query, Optional<Answer>> newAnswers) {
        answers = newAnswers;
    }

    void publish(Published message) {
        toPublish.add(message);
        replier.wake();
    }

    List<Query> queries() {
        return queries;
    }

    private void serve() {
        try (replier;
                publisher) {
            while (!stopping) {
                ZmqReplier.Request request = replier.receive(POLL);
                if (request != null) {
                    Query query = QueryCodec.decode(request.payload());
                    queries.add(query);
                    answers.apply(query)
                            .ifPresent(it -> replier.reply(request, AnswerCodec.encode(it)));
                }
                for (Published it = toPublish.poll(); it != null; it = toPublish.poll()) {
                    publisher.send(PublishedCodec.topic(it), PublishedCodec.encode(it));
                }
            }
        }
    }

    @Override
    public void close() {
        stopping = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        context.close();
    }
}
