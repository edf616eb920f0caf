package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.UnavailableException;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.Query;
import io.tardis.core.wire.QueryCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqReplier;
import io.tardis.store.Store;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class StoreExitCodesTest {

    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Life LIFE =
            Life.of("life-1", Events.TC, Events.TIME, Path.of("/run/bundle"));

    private final ZmqContext context =
            new ZmqContext(cause -> {
                throw new AssertionError(cause);
            });
    private final ZmqReplier store = context.replier(List.of(Store.ENDPOINT));

    /** Ends only when every socket is closed. */
    @AfterEach
    void closeContext() throws Exception {
        store.close();
        CompletableFuture.runAsync(context::close).get(10, TimeUnit.SECONDS);
    }

    @Test
    void answersOneQuestionAfterTheOther() throws Exception {
        try (StoreExitCodes exitCodes = new StoreExitCodes(context, PATIENCE)) {
            for (long code = 0; code < 3; code++) {
                CompletableFuture<Answer.OfContainer> answer = ask(exitCodes);
                answer(Events.exited(Events.TC, code));

                assertThat(answer.get(10, TimeUnit.SECONDS))
                        .isEqualTo(Events.exited(Events.TC, code));
            }
        }
    }

    @Test
    void asksForTheEndOfOneLife() throws Exception {
        try (StoreExitCodes exitCodes = new StoreExitCodes(context, PATIENCE)) {
            CompletableFuture<Answer.OfContainer> answer =
                    CompletableFuture.supplyAsync(
                            () -> exitCodes.exitCode(LIFE, Duration.ofMillis(700)));
            ZmqReplier.Request request = Objects.requireNonNull(store.receive(PATIENCE));
            store.reply(request, AnswerCodec.encode(Events.exited(Events.TC, 0)));

            assertThat(QueryCodec.decode(request.payload()))
                    .isEqualTo(
                            new Query.ExitCode(
                                    Events.TC, Optional.of(LIFE.id()), Duration.ofMillis(700)));
            assertThat(answer.get(10, TimeUnit.SECONDS)).isEqualTo(Events.exited(Events.TC, 0));
        }
    }

    @Test
    void canBeAskedAgainAfterAQuestionWithoutAnswer() throws Exception {
        try (StoreExitCodes exitCodes = new StoreExitCodes(context, Duration.ofMillis(50))) {
            assertThatThrownBy(() -> exitCodes.exitCode(LIFE, Duration.ZERO))
                    .isInstanceOf(UnavailableException.class);
            Objects.requireNonNull(store.receive(PATIENCE), "the question without an answer");

            CompletableFuture<Answer.OfContainer> answer =
                    CompletableFuture.supplyAsync(() -> exitCodes.exitCode(LIFE, PATIENCE));
            answer(Events.exited(Events.TC, 7));

            assertThat(answer.get(10, TimeUnit.SECONDS)).isEqualTo(Events.exited(Events.TC, 7));
        }
    }

    @Test
    void leavesNoSocketOpenWhereSomebodyStillWaitsAtItsEnd() throws Exception {
        StoreExitCodes exitCodes = new StoreExitCodes(context, PATIENCE);
        CompletableFuture<Answer.OfContainer> answer = ask(exitCodes);
        ZmqReplier.Request request = Objects.requireNonNull(store.receive(PATIENCE));

        exitCodes.close();
        store.reply(request, AnswerCodec.encode(new Answer.Running(Events.TC)));

        assertThat(answer.get(10, TimeUnit.SECONDS)).isEqualTo(new Answer.Running(Events.TC));
    }

    private static CompletableFuture<Answer.OfContainer> ask(StoreExitCodes exitCodes) {
        return CompletableFuture.supplyAsync(() -> exitCodes.exitCode(LIFE, Duration.ZERO));
    }

    private void answer(Answer answer) {
        ZmqReplier.Request request = Objects.requireNonNull(store.receive(PATIENCE));
        store.reply(request, AnswerCodec.encode(answer));
    }
}
