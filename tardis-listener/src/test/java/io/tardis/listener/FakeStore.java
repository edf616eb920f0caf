package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.Query;
import io.tardis.core.wire.QueryCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqReplier;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;

/** Answers the listener as the store does, with exits that the test puts there. */
final class FakeStore implements AutoCloseable {

    static final String ENDPOINT = "inproc://fake-store";

    private final List<ExitEvent> recorded = new CopyOnWriteArrayList<>();
    private final List<ContainerKey> asked = new CopyOnWriteArrayList<>();
    private final ZmqReplier replier;
    private final Thread thread;
    private volatile boolean stopping;

    FakeStore(ZmqContext context) {
        replier = context.replier(List.of(ENDPOINT));
        thread = new Thread(this::serve, "fake-store");
        thread.start();
    }

    void record(ExitEvent event) {
        recorded.add(event);
    }

    /** The containers whose ends were asked for. */
    List<ContainerKey> asked() {
        return List.copyOf(asked);
    }

    private void serve() {
        try (replier) {
            while (!stopping) {
                ZmqReplier.Request request = replier.receive(Duration.ofMinutes(1));
                if (request != null) {
                    Query query = QueryCodec.decode(request.payload());
                    replier.reply(request, AnswerCodec.encode(answer(query)));
                }
            }
        }
    }

    private Answer answer(Query query) {
        return switch (query) {
            case Query.Replay(long after, int _) ->
                    new Answer.Events(
                            recorded.stream().filter(it -> it.seq() > after).toList(),
                            0,
                            recorded.stream().mapToLong(ExitEvent::seq).max().orElse(0));
            case Query.ExitCode(ContainerKey container, Optional<String> _, Duration _) ->
                    stateOf(container);
            case Query.ListContainers _ -> new Answer.Containers(List.of());
            case Query.Ping _, Query.AskFigures _ ->
                    new Answer.Refused("bad_request", "no listener asks that");
        };
    }

    private Answer stateOf(ContainerKey container) {
        asked.add(container);
        return recorded.stream()
                .filter(it -> it.exit().container().equals(container))
                .<Answer>map(it -> new Answer.Exited(it, true))
                .findFirst()
                .orElseGet(() -> new Answer.Running(container, Optional.empty()));
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
