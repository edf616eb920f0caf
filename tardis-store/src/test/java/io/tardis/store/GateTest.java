package io.tardis.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.config.Limits;
import io.tardis.core.wire.Answer.Refused;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqReplier;
import io.tardis.core.zmq.ZmqRequester;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class GateTest {

    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);
    private static final long START = Long.MAX_VALUE - SECOND / 2; // nanoTime may wrap
    private static final Limits LIMITS = new Limits(1_000, 100, 512, 2, 3);

    private final Gate gate = new Gate(LIMITS, START);

    @Test
    void countsTheRequestsOfEachConnectionBySeconds() throws Exception {
        Asked asked = ask("tcp", "inproc", "tcp");
        ZmqReplier.Request one = asked.outside().getFirst();
        ZmqReplier.Request other = asked.outside().getLast();
        for (int i = 0; i < LIMITS.maxRequestsPerSecond(); i++) {
            assertThat(gate.refusal(one, START)).isEmpty();
        }

        assertThat(gate.refusal(one, START + SECOND - 1))
                .contains(
                        new Refused(
                                Refused.TOO_MANY,
                                "this connection asked more than 3 times within a second"
                                        + " (TARDIS_MAX_REQUESTS_PER_SECOND)"));
        assertThat(gate.refusal(other, START + SECOND - 1)).isEmpty();
        for (int i = 0; i < 10; i++) {
            assertThat(gate.refusal(asked.inside(), START)).isEmpty();
        }
        assertThat(gate.refusal(one, START + SECOND)).isEmpty();
    }

    @Test
    void refusesWaitsOverTheLimitButNotOfThisProcess() throws Exception {
        Asked asked = ask("tcp", "inproc");

        assertThat(gate.refusalToWait(asked.outside().getFirst(), 1, 1)).isEmpty();
        assertThat(gate.refusalToWait(asked.outside().getFirst(), 2, 1))
                .contains(
                        new Refused(
                                Refused.TOO_MANY,
                                "2 requests wait for an end already (TARDIS_MAX_WAITING)"));
        assertThat(gate.refusalToWait(asked.inside(), 2, 1_000)).isEmpty();
    }

    @Test
    void refusesWaitsOverTheLimitOfAConnectionButNotOfThisProcess() throws Exception {
        Asked asked = ask("tcp", "inproc");
        ZmqReplier.Request outside = asked.outside().getFirst();

        assertThat(gate.refusalToWait(outside, 1, Gate.MAX_WAITING_OF_ONE - 1)).isEmpty();
        assertThat(gate.refusalToWait(outside, 1, Gate.MAX_WAITING_OF_ONE))
                .contains(
                        new Refused(
                                Refused.TOO_MANY,
                                "100 requests of this connection wait for an end already, as many"
                                        + " as one connection may have"));
        assertThat(gate.refusalToWait(asked.inside(), 1, Gate.MAX_WAITING_OF_ONE)).isEmpty();
    }

    private record Asked(List<ZmqReplier.Request> outside, ZmqReplier.Request inside) {}

    /** Real questions, one from each connection, which are answered and gone. */
    private static Asked ask(String... from) throws Exception {
        List<ZmqReplier.Request> requests = new ArrayList<>();
        ZmqContext context = new ZmqContext(_ -> {});
        String endpoint = TestSettings.freeEndpoint();
        try (ZmqReplier replier = context.replier(List.of("inproc://queries", endpoint))) {
            List<ZmqRequester> clients =
                    List.of(from).stream()
                            .map(it ->
                                    context.requester(
                                            it.equals("tcp") ? endpoint : "inproc://queries",
                                            Duration.ofSeconds(10)))
                            .toList();
            List<CompletableFuture<byte[]>> answers =
                    clients.stream()
                            .map(it ->
                                    CompletableFuture.supplyAsync(
                                            () ->
                                                    it.ask(
                                                            "x".getBytes(StandardCharsets.UTF_8),
                                                            Duration.ZERO),
                                            Thread::startVirtualThread))
                            .toList();
            while (requests.size() < from.length) {
                requests.add(
                        Objects.requireNonNull(
                                replier.receive(Duration.ofSeconds(10)), "a question"));
            }
            requests.forEach(it -> replier.reply(it, new byte[] {1}));
            for (CompletableFuture<byte[]> answer : answers) {
                assertThat(answer.get(10, TimeUnit.SECONDS)).hasSize(1);
            }
            clients.forEach(ZmqRequester::close);
        }
        context.close();
        return new Asked(
                requests.stream().filter(it -> !it.fromThisProcess()).toList(),
                requests.stream()
                        .filter(ZmqReplier.Request::fromThisProcess)
                        .findFirst()
                        .orElseThrow());
    }
}
