package io.tardis.core.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.UnavailableException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqReplier;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** One client that several threads ask. */
@Timeout(30)
class QueryClientThreadsTest {

    private static final String ENDPOINT = "inproc://store";
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final ContainerKey OTHER = new ContainerKey("default", "other");

    private final ZmqContext context =
            new ZmqContext(cause -> {
                throw new AssertionError(cause);
            });
    private final ZmqReplier store = context.replier(List.of(ENDPOINT));

    /** Ends only when every socket is closed. */
    @AfterEach
    void closeContext() throws Exception {
        store.close();
        CompletableFuture.runAsync(context::close).get(10, TimeUnit.SECONDS);
    }

    @Test
    void answersOneQuestionAfterTheOther() throws Exception {
        try (QueryClient client = new QueryClient(context, ENDPOINT, PATIENCE)) {
            for (Answer.OfContainer expected :
                    List.of(
                            new Answer.Running(TC, Optional.empty()),
                            new Answer.Lost(TC, Optional.empty()),
                            new Answer.Unknown(TC))) {
                CompletableFuture<Answer.OfContainer> answer = ask(client, TC);
                reply(question(), expected);

                assertThat(answer.get(10, TimeUnit.SECONDS)).isEqualTo(expected);
            }
        }
    }

    @Test
    void answersSeveralThreadsAtOnceAndEachItsOwnQuestion() throws Exception {
        try (QueryClient client = new QueryClient(context, ENDPOINT, PATIENCE)) {
            CompletableFuture<Answer.OfContainer> one = ask(client, TC);
            ZmqReplier.Request first = question();
            CompletableFuture<Answer.OfContainer> two = ask(client, OTHER);
            ZmqReplier.Request second = question();

            reply(second, new Answer.Lost(OTHER, Optional.empty()));
            reply(first, new Answer.Running(TC, Optional.empty()));

            assertThat(two.get(10, TimeUnit.SECONDS))
                    .isEqualTo(new Answer.Lost(OTHER, Optional.empty()));
            assertThat(one.get(10, TimeUnit.SECONDS))
                    .isEqualTo(new Answer.Running(TC, Optional.empty()));
        }
    }

    @Test
    void canBeAskedAgainAfterAQuestionWithoutAnswer() throws Exception {
        try (QueryClient client = new QueryClient(context, ENDPOINT, Duration.ofMillis(50))) {
            assertThatThrownBy(() -> client.exitCode(TC, Duration.ZERO))
                    .isInstanceOf(UnavailableException.class);
            ZmqReplier.Request _ = question();

            CompletableFuture<Answer.OfContainer> answer =
                    CompletableFuture.supplyAsync(() -> client.exitCode(TC, PATIENCE));
            reply(question(), new Answer.Lost(TC, Optional.empty()));

            assertThat(answer.get(10, TimeUnit.SECONDS))
                    .isEqualTo(new Answer.Lost(TC, Optional.empty()));
        }
    }

    @Test
    void leavesNoSocketOpenWhereSomebodyStillWaitsAtItsEnd() throws Exception {
        QueryClient client = new QueryClient(context, ENDPOINT, PATIENCE);
        CompletableFuture<Answer.OfContainer> answer = ask(client, TC);
        ZmqReplier.Request request = question();

        client.close();
        reply(request, new Answer.Running(TC, Optional.empty()));

        assertThat(answer.get(10, TimeUnit.SECONDS))
                .isEqualTo(new Answer.Running(TC, Optional.empty()));
    }

    private static CompletableFuture<Answer.OfContainer> ask(
            QueryClient client, ContainerKey container) {
        return CompletableFuture.supplyAsync(
                () -> client.exitCode(container, Duration.ZERO), it -> new Thread(it).start());
    }

    private ZmqReplier.Request question() {
        return Objects.requireNonNull(store.receive(PATIENCE));
    }

    private void reply(ZmqReplier.Request request, Answer answer) {
        store.reply(request, AnswerCodec.encode(answer));
    }
}
