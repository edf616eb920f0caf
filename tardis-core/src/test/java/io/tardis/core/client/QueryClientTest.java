package io.tardis.core.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tardis.core.TardisException;
import io.tardis.core.UnavailableException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.core.figures.Meter;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.MalformedMessageException;
import io.tardis.core.wire.Query;
import io.tardis.core.wire.QueryCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqReplier;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class QueryClientTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Duration LITTLE = Duration.ofMillis(100);
    private static final ExitEvent EXIT =
            new ExitEvent(
                    7,
                    new TaskExit(TC, "tc", 6615, 137, Instant.parse("2026-11-23T06:51:23.418Z")),
                    OptionalInt.of(9),
                    true,
                    ExitSource.KERNEL,
                    Optional.empty());

    private final BlockingQueue<Query> asked = new LinkedBlockingQueue<>();
    private ZmqContext context;
    private String endpoint;

    @BeforeEach
    void open() throws IOException {
        context = new ZmqContext(_ -> {});
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            endpoint = "tcp://127.0.0.1:" + free.getLocalPort();
        }
    }

    @AfterEach
    void close() {
        context.close();
    }

    @Test
    void asksEachQuestionAndGivesItsAnswer() {
        Answer.OfContainer exited = new Answer.Exited(EXIT, true);
        Answer.Events events = new Answer.Events(List.of(EXIT), 1, 7);
        Answer.Containers containers = new Answer.Containers(List.of(exited));
        Answer.Counted figures = new Answer.Counted(new Meter().read(1, 2, 3));
        Answer.Pong pong = new Answer.Pong("0.1.0", 7, Answer.Backlog.NONE, Optional.empty());
        Query.ExitCode exitCode = new Query.ExitCode(TC, Optional.empty(), Duration.ofMillis(500));
        Query.ExitCode ofLife = new Query.ExitCode(TC, Optional.of("5f0c"), Duration.ZERO);
        Query.Replay replay = new Query.Replay(6, 3);
        Query.ListContainers list = new Query.ListContainers(Optional.of("default"), 5);

        try (Daemon _ =
                        answering(query ->
                                switch (query) {
                                    case Query.ExitCode _ -> exited;
                                    case Query.Replay _ -> events;
                                    case Query.ListContainers _ -> containers;
                                    case Query.AskFigures _ -> figures;
                                    case Query.Ping _ -> pong;
                                });
                QueryClient client = new QueryClient(context, endpoint)) {
            assertThat(client.exitCode(TC, Duration.ofMillis(500))).isEqualTo(exited);
            assertThat(client.exitCode(TC, Optional.of("5f0c"), Duration.ZERO)).isEqualTo(exited);
            assertThat(client.replay(6, 3)).isEqualTo(events);
            assertThat(client.list(Optional.of("default"), 5)).isEqualTo(containers);
            assertThat(client.ping()).isEqualTo(pong);
            assertThat(client.figures()).isEqualTo(figures.figures());
        }

        assertThat(asked)
                .containsExactly(
                        exitCode, ofLife, replay, list, new Query.Ping(), new Query.AskFigures());
    }

    @Test
    void isUnavailableWhenNobodyAnswersInTime() {
        try (QueryClient client = new QueryClient(context, endpoint, LITTLE)) {
            assertThatThrownBy(client::ping)
                    .isInstanceOf(UnavailableException.class)
                    .hasMessageContaining(endpoint);
        }
    }

    @Test
    void isUnavailableWhenTheDaemonHoldsItsAnswerBack() {
        try (Daemon _ = new Daemon(_ -> null);
                QueryClient client = new QueryClient(context, endpoint, LITTLE)) {
            assertThatThrownBy(client::ping).isInstanceOf(UnavailableException.class);
        }
    }

    @Test
    void waitsAsLongAsTheQuestionItselfAsksFor() {
        Answer.Running running = new Answer.Running(TC, Optional.empty());
        try (Daemon _ =
                        answering(_ -> {
                            await().pollDelay(LITTLE.multipliedBy(5)).until(() -> true);
                            return running;
                        });
                QueryClient client = new QueryClient(context, endpoint, LITTLE)) {
            assertThat(client.exitCode(TC, PATIENCE)).isEqualTo(running);
        }
    }

    @Test
    void worksAgainAfterTheDaemonIsStartedAgain() {
        try (QueryClient client = new QueryClient(context, endpoint, Duration.ofSeconds(1))) {
            try (Daemon _ =
                    answering(_ ->
                            new Answer.Pong("old", 1, Answer.Backlog.NONE, Optional.empty()))) {
                assertThat(client.ping().version()).isEqualTo("old");
            }
            assertThatThrownBy(client::ping).isInstanceOf(UnavailableException.class);

            // The address is free a moment after the socket was closed.
            try (Daemon _ =
                    await().ignoreExceptions()
                            .until(
                                    () ->
                                            answering(_ ->
                                                    new Answer.Pong(
                                                            "new",
                                                            1,
                                                            Answer.Backlog.NONE,
                                                            Optional.empty())),
                                    it -> true)) {
                assertThat(client.ping().version()).isEqualTo("new");
            }
        }
    }

    @Test
    void doesNotTakeTheLateAnswerToOneQuestionForTheAnswerToTheNext() {
        try (Daemon _ =
                        answering(query -> {
                            if (query instanceof Query.ExitCode) {
                                await().pollDelay(LITTLE.multipliedBy(3)).until(() -> true);
                                return new Answer.Unknown(TC);
                            }
                            return new Answer.Pong(
                                    "0.1.0", 7, Answer.Backlog.NONE, Optional.empty());
                        });
                QueryClient impatient = new QueryClient(context, endpoint, LITTLE)) {
            assertThatThrownBy(() -> impatient.exitCode(TC, Duration.ZERO))
                    .isInstanceOf(UnavailableException.class);

            // The first answers come while the daemon is still busy with the question before.
            await().ignoreException(UnavailableException.class)
                    .untilAsserted(() -> assertThat(impatient.ping().lastSeq()).isEqualTo(7));
        }
    }

    @Test
    void saysWhyTheDaemonRefusesTheQuestion() {
        try (Daemon _ = answering(_ -> new Answer.Refused("bad_request", "limit is too big"));
                QueryClient client = new QueryClient(context, endpoint, PATIENCE)) {
            assertThatThrownBy(() -> client.replay(0, 1))
                    .isInstanceOf(TardisException.class)
                    .isNotInstanceOf(UnavailableException.class)
                    .hasMessageContaining("bad_request")
                    .hasMessageContaining("limit is too big");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {Answer.Refused.UNAVAILABLE, Answer.Refused.TOO_MANY})
    void distinguishesARefusalForNowFromOneForGood(String error) {
        try (Daemon _ = answering(_ -> new Answer.Refused(error, "disk full"));
                QueryClient client = new QueryClient(context, endpoint, PATIENCE)) {
            assertThatThrownBy(client::ping)
                    .isInstanceOf(RefusedForNowException.class)
                    .hasMessageContaining("disk full");
        }
    }

    @Test
    void refusesTheAnswerToAnotherQuestion() {
        try (Daemon _ = answering(_ -> new Answer.Running(TC, Optional.empty()));
                QueryClient client = new QueryClient(context, endpoint, PATIENCE)) {
            assertThatThrownBy(client::ping)
                    .isInstanceOf(TardisException.class)
                    .isNotInstanceOf(UnavailableException.class)
                    .hasMessageContaining("Running");
        }
    }

    @Test
    void refusesAnAnswerThatIsNone() {
        try (Daemon _ = new Daemon(_ -> "it works".getBytes(StandardCharsets.UTF_8));
                QueryClient client = new QueryClient(context, endpoint, PATIENCE)) {
            assertThatThrownBy(client::ping).isInstanceOf(MalformedMessageException.class);
        }
    }

    private Daemon answering(Function<Query, Answer> answers) {
        return new Daemon(query -> AnswerCodec.encode(answers.apply(query)));
    }

    /** Remembers every question, and answers as the test wants; no bytes, no answer. */
    private final class Daemon implements AutoCloseable {
        private final ZmqReplier replier = context.replier(List.of(endpoint));
        private final Function<Query, byte @Nullable []> answers;
        private volatile boolean stopping;
        private final Thread thread;

        Daemon(Function<Query, byte @Nullable []> answers) {
            this.answers = answers;
            this.thread = Thread.ofPlatform().name("fake-daemon").start(this::serve);
        }

        private void serve() {
            try (replier) {
                while (!stopping) {
                    ZmqReplier.Request request = replier.receive(Duration.ofMinutes(1));
                    if (request != null) {
                        Query query = QueryCodec.decode(request.payload());
                        asked.add(query);
                        byte[] answer = answers.apply(query);
                        if (answer != null) {
                            replier.reply(request, answer);
                        }
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
}
