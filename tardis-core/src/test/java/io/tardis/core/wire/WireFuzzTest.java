package io.tardis.core.wire;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.tardis.core.event.ContainerKey;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.provider.MethodSource;

/** Any bytes in the place of a question, an answer or a message; see CONTRIBUTING.md. */
class WireFuzzTest {

    private static final int LONGEST_REFUSAL = 500;

    static Stream<byte[]> seeds() {
        String exit =
                """
                "v":1,"seq":17,"topic":"/tasks/exit","namespace":"default","container_id":"tc",\
                "id":"tc","pid":6615,"exit_status":137,"signal":9,"oom_killed":false,\
                "exited_at":"2025-04-04T19:10:59.78307293Z","source":"containerd\"\
                """;
        String life =
                """
                ,"life":"5f0c","created_at":"2025-04-04T19:10:12.5Z","kept":true\
                """;
        return Stream.of(
                        """
                        {"op":"exit_code","namespace":"k8s.io","container_id":"tc","wait_ms":500}\
                        """,
                        """
                        {"op":"exit_code","container_id":"tc","life":"5f0c"}\
                        """,
                        """
                        {"op":"replay","after":1732330000123001,"limit":500}\
                        """,
                        """
                        {"op":"list","namespace":"default","limit":100}\
                        """,
                        """
                        {"op":"list"}\
                        """,
                        """
                        {"op":"ping"}\
                        """,
                        "{" + exit + "}",
                        "{" + exit + life + "}",
                        "{" + exit.replace("/tasks/exit", "/tasks/exec-exit") + life + "}",
                        "{\"status\":\"exited\",\"exit_code\":137,\"durable\":false," + exit + "}",
                        """
                        {"status":"running","namespace":"default","container_id":"tc"}\
                        """,
                        """
                        {"status":"running","namespace":"default","container_id":"tc",\
                        "life":"5f0c","created_at":"2025-04-04T19:10:12.5Z","kept":true,\
                        "pid":6615,"start_time":123456}\
                        """,
                        """
                        {"status":"lost","namespace":"default","container_id":"tc",\
                        "life":"5f0c","created_at":"2025-04-04T19:10:12.5Z","kept":true}\
                        """,
                        """
                        {"status":"unknown","namespace":"default","container_id":"tc"}\
                        """,
                        "{\"status\":\"ok\",\"events\":[{"
                                + exit
                                + "}],\"first_seq\":17,\"last_seq\":17}",
                        "{\"status\":\"ok\",\"containers\":[{\"status\":\"exited\"," + exit + "}]}",
                        """
                        {"status":"ok","version":"0.1.0","last_seq":9}\
                        """,
                        """
                        {"status":"error","error":"bad_request","message":"why"}\
                        """,
                        """
                        {"v":1,"last_seq":17,"at":"2025-04-04T19:11:04.000Z"}\
                        """,
                        """
                        {"v":1,"last_seq":17,"from":"2025-04-04T19:11:00Z",\
                        "to":"2025-04-04T19:11:02Z","reason":"..."}\
                        """,
                        """
                        {"v":1,"last_seq":17,"namespace":"default","container_id":"tc",\
                        "life":"5f0c","created_at":"2025-04-04T19:10:12.5Z","kept":true}\
                        """,
                        """
                        {"v":1,"last_seq":17,"namespace":"default","container_id":"tc",\
                        "life":"5f0c","created_at":"2025-04-04T19:10:12.5Z","kept":false,\
                        "pid":6615,"start_time":123456,"ended_seq":16}\
                        """)
                .map(text -> text.getBytes(StandardCharsets.UTF_8));
    }

    @MethodSource("seeds")
    @FuzzTest
    void readsAnyBytes(byte[] bytes) {
        Query query = understood(QueryCodec::decode, bytes);
        if (query != null) {
            assertThat(QueryCodec.decode(QueryCodec.encode(query))).isEqualTo(query);
            assertWithinLimits(query);
        }

        Answer answer = understood(AnswerCodec::decode, bytes);
        if (answer != null) {
            assertThat(AnswerCodec.decode(AnswerCodec.encode(answer))).isEqualTo(answer);
        }

        for (String topic :
                new String[] {Topic.EXIT, Topic.HEARTBEAT, Topic.GAP, Topic.BEGUN, Topic.LOST}) {
            Published message = understood(b -> PublishedCodec.decode(topic, b), bytes);
            if (message != null) {
                String right = PublishedCodec.topic(message);
                assertThat(PublishedCodec.decode(right, PublishedCodec.encode(message)))
                        .isEqualTo(message);
            }
        }
    }

    /** Null where the bytes are refused, with a reason that is short enough to be sent back. */
    private static <T> @Nullable T understood(Function<byte[], T> decoder, byte[] bytes) {
        try {
            return decoder.apply(bytes);
        } catch (MalformedMessageException e) {
            assertThat(e.getMessage()).isNotBlank().hasSizeLessThanOrEqualTo(LONGEST_REFUSAL);
            return null;
        }
    }

    private static void assertWithinLimits(Query query) {
        switch (query) {
            case Query.ExitCode(ContainerKey _, Optional<String> life, var maxWait) -> {
                assertThat(life.filter(id -> !ContainerKey.isIdentifier(id))).isEmpty();
                assertThat(maxWait).isBetween(Duration.ZERO, QueryCodec.MAX_WAIT);
            }
            case Query.Replay(long after, int limit) -> {
                assertThat(after).isNotNegative();
                assertThat(limit).isBetween(1, QueryCodec.MAX_LIMIT);
            }
            case Query.ListContainers(Optional<String> namespace, int limit) -> {
                assertThat(namespace.filter(name -> !ContainerKey.isIdentifier(name))).isEmpty();
                assertThat(limit).isBetween(1, QueryCodec.MAX_LIMIT);
            }
            case Query.Ping(), Query.AskFigures() -> {}
        }
    }
}
