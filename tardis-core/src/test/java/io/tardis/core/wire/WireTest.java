package io.tardis.core.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.event.About;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.event.Usage;
import io.tardis.core.figures.CodeClass;
import io.tardis.core.figures.Figures;
import io.tardis.core.figures.Figures.Distribution;
import io.tardis.core.figures.Figures.Exits;
import io.tardis.core.figures.Meter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The wire formats, byte for byte as docs/protocol.md has them. */
class WireTest {

    private static final Health WELL =
            new Health(
                    new Health.Source(
                            true,
                            true,
                            Optional.of(Instant.parse("2025-04-04T19:10:59Z")),
                            1,
                            12,
                            Optional.of(Instant.parse("2025-04-04T19:11:00Z")),
                            "",
                            ""),
                    new Health.Witness(true, ""),
                    new Health.Socket(true, ""),
                    new Health.Clients(true, "", 3));

    private static final Health DEAF =
            new Health(
                    new Health.Source(
                            false,
                            false,
                            Optional.empty(),
                            40,
                            0,
                            Optional.empty(),
                            "'ctr events' ended with 127",
                            "setpriv: failed to execute ctr"),
                    new Health.Witness(false, "switched off by TARDIS_KERNEL_WITNESS=off"),
                    new Health.Socket(false, "/run/tardis/tardis.sock is not there"),
                    new Health.Clients(false, "the kernel cannot be asked", 0));

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final Instant AT = Instant.parse("2025-04-04T19:10:59.78307293Z");
    private static final ExitEvent KILLED =
            new ExitEvent(
                    1732330000123001L,
                    new TaskExit(TC, "tc", 6615, 137, AT),
                    OptionalInt.of(9),
                    false,
                    ExitSource.CONTAINERD,
                    Optional.empty());
    private static final ExitEvent EXEC =
            new ExitEvent(
                    2,
                    new TaskExit(TC, "e1", 0, 0, AT),
                    OptionalInt.empty(),
                    true,
                    ExitSource.ASSUMED,
                    Optional.empty());

    /** As {@code ctr task exec --exec-id tc} makes it. */
    private static final ExitEvent EXEC_NAMED_AS_CONTAINER =
            new ExitEvent(
                    3,
                    new TaskExit(TC, "tc", 6700, 0, AT).asExec(),
                    OptionalInt.empty(),
                    false,
                    ExitSource.CONTAINERD,
                    Optional.empty());

    private static final LifeRef LIFE =
            new LifeRef("5f0c", Instant.parse("2025-04-04T19:10:12.5Z"), true);
    private static final OptionalLong NONE = OptionalLong.empty();
    private static final Published.Begun BEGUN =
            new Published.Begun(
                    9,
                    TC,
                    LIFE,
                    OptionalLong.of(6615),
                    OptionalLong.of(123456),
                    OptionalLong.of(8));
    private static final String LIFE_FIELDS =
            "\"life\":\"5f0c\",\"created_at\":\"2025-04-04T19:10:12.5Z\",\"kept\":true";
    private static final String KILLED_FIELDS =
            "\"v\":1,\"seq\":1732330000123001,\"topic\":\"/tasks/exit\",\"namespace\":\"default\","
                    + "\"container_id\":\"tc\",\"id\":\"tc\",\"pid\":6615,\"exit_status\":137,\"signal\":9,"
                    + "\"oom_killed\":false,\"exited_at\":\"2025-04-04T19:10:59.78307293Z\",\"source\":\"containerd\"";

    private static ExitEvent ofLife(ExitEvent event) {
        return new ExitEvent(
                event.seq(),
                event.exit(),
                event.signal(),
                event.oomKilled(),
                event.source(),
                Optional.of(LIFE));
    }

    private static final LifeDetails DETAILS =
            new LifeDetails(
                    Optional.of(Instant.parse("2025-04-04T19:10:12.6Z")),
                    new About(
                            Optional.of("nginx"),
                            Optional.of("docker.io/library/nginx:1.29"),
                            Optional.of("wéb"),
                            Optional.of("web-0"),
                            Optional.of(new About.Pod("shop", "web-0", Optional.of("4f1c"))),
                            Optional.of("nginx"),
                            true),
                    new Usage(
                            OptionalLong.of(536608768),
                            OptionalLong.of(536870912),
                            OptionalLong.of(1),
                            OptionalLong.of(1830211),
                            OptionalLong.of(0),
                            OptionalLong.of(7)));

    private static ExitEvent detailed(LifeDetails details) {
        return new ExitEvent(
                KILLED.seq(),
                KILLED.exit(),
                KILLED.signal(),
                KILLED.oomKilled(),
                KILLED.source(),
                Optional.of(LIFE),
                details);
    }

    private static Published.Begun detailedBegun() {
        LifeDetails details = new LifeDetails(DETAILS.startedAt(), DETAILS.about(), Usage.NOTHING);
        return new Published.Begun(9, TC, LIFE, NONE, NONE, NONE, details);
    }

    static List<Published> published() {
        return List.of(
                new Published.Exit(KILLED),
                new Published.Exit(EXEC),
                new Published.Exit(ofLife(KILLED)),
                new Published.Exit(ofLife(EXEC)),
                new Published.Exit(EXEC_NAMED_AS_CONTAINER),
                new Published.Heartbeat(9, AT),
                new Published.Gap(9, AT, AT.plusSeconds(1), "ctr \"ended\" with 1"),
                BEGUN,
                new Published.Begun(9, TC, new LifeRef("5f0d", AT, false), NONE, NONE, NONE),
                new Published.Lost(9, TC, LIFE),
                new Published.Exit(detailed(DETAILS)),
                detailedBegun());
    }

    static List<Query> queries() {
        return List.of(
                new Query.ExitCode(TC, Optional.empty(), Duration.ofMillis(500)),
                new Query.ExitCode(TC, Optional.of("5f0c"), Duration.ZERO),
                new Query.Replay(7, 500),
                new Query.ListContainers(Optional.of("default"), 100),
                new Query.ListContainers(Optional.empty(), 100),
                new Query.AskFigures(),
                new Query.Ping());
    }

    private static Figures figures() {
        List<Long> counts = new ArrayList<>(Distribution.NONE.counts());
        counts.set(1, 2L);
        counts.set(15, 1L);
        return new Figures(
                List.of(
                        new Exits("default", CodeClass.SIGNAL, true, ExitSource.KERNEL, 3),
                        new Exits("other", CodeClass.NOT_RUN, false, ExitSource.ASSUMED, 1)),
                12,
                5,
                1,
                2,
                new Distribution(counts, 61.25),
                Distribution.NONE,
                7,
                3,
                4,
                81_920);
    }

    static List<Answer> answers() {
        return List.of(
                new Answer.Exited(KILLED, true),
                new Answer.Exited(EXEC, false),
                new Answer.Exited(ofLife(KILLED), true),
                new Answer.Running(TC, Optional.empty()),
                new Answer.Running(TC, Optional.of(BEGUN)),
                new Answer.Lost(TC, Optional.empty()),
                new Answer.Lost(
                        TC, Optional.of(new Published.Begun(0, TC, LIFE, NONE, NONE, NONE))),
                new Answer.Unknown(TC),
                new Answer.Events(List.of(KILLED, ofLife(EXEC)), 1, 9),
                new Answer.Events(List.of(), 0, 0),
                new Answer.Containers(
                        List.of(
                                new Answer.Running(TC, Optional.of(BEGUN)),
                                new Answer.Running(TC, Optional.of(detailedBegun())),
                                new Answer.Exited(KILLED, true),
                                new Answer.Lost(TC, Optional.empty()))),
                new Answer.Pong("0.1.0", 9, Answer.Backlog.NONE, Optional.empty()),
                new Answer.Pong("0.1.0", 9, new Answer.Backlog(false, 12, 3), Optional.empty()),
                new Answer.Pong("0.1.0", 9, Answer.Backlog.NONE, Optional.of(WELL)),
                new Answer.Pong("0.1.0", 9, Answer.Backlog.NONE, Optional.of(DEAF)),
                new Answer.Counted(figures()),
                new Answer.Counted(new Meter().read(0, 0, 0)),
                new Answer.Refused("bad_request", "op is missing"));
    }

    @Test
    void writesFiguresAsTheProtocolSays() {
        assertThat(text(AnswerCodec.encode(new Answer.Counted(figures()))))
                .isEqualTo(
                        """
                        {"status":"ok","figures":{"exits":[\
                        {"namespace":"default","code":"signal","oom":true,"source":"kernel","count":3},\
                        {"namespace":"other","code":"not_run","oom":false,"source":"assumed","count":1}],\
                        "exec_exits":12,"corrections":5,"lost":1,"gaps":2,\
                        "witness_to_publish":{"count":3,"sum_seconds":61.25,"buckets":[0,2,0,0,0,0,0,0,0,0,0,0,0,0,0,1]},\
                        "event_to_disk":{"count":0,"sum_seconds":0.0,"buckets":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]},\
                        "open_lives":7,"unwritten":3,"dropped":4,"database_bytes":81920}}\
                        """);
    }

    @Test
    void writesHowADaemonIsAsTheProtocolSays() {
        assertThat(
                        text(
                                AnswerCodec.encode(
                                        new Answer.Pong(
                                                "0.1.0",
                                                9,
                                                Answer.Backlog.NONE,
                                                Optional.of(WELL)))))
                .isEqualTo(
                        """
                        {"status":"ok","version":"0.1.0","last_seq":9,"durable":true,"unwritten":0,"dropped":0,\
                        "source":{"ok":true,"running":true,"started_at":"2025-04-04T19:10:59Z","starts":1,\
                        "lines":12,"last_line_at":"2025-04-04T19:11:00Z"},"witness":{"on":true},\
                        "socket":{"ok":true},"clients":{"ok":true,"refused":3},"problems":[]}\
                        """);
        assertThat(
                        text(
                                AnswerCodec.encode(
                                        new Answer.Pong(
                                                "0.1.0",
                                                9,
                                                new Answer.Backlog(false, 2, 0),
                                                Optional.of(DEAF)))))
                .endsWith(
                        """
                        "problems":["'ctr events' ended with 127","/run/tardis/tardis.sock is not there",\
                        "the kernel cannot be asked",\
                        "2 exits are in memory only, because the exit log cannot be used; the daemon's log says why"]}\
                        """);
    }

    @Test
    void writesAnExitAsTheProtocolSays() {
        Published.Exit message = new Published.Exit(KILLED);

        assertThat(PublishedCodec.topic(message)).isEqualTo("/tasks/exit/default/tc/");
        assertThat(text(PublishedCodec.encode(message))).isEqualTo("{" + KILLED_FIELDS + "}");
    }

    @Test
    void writesAnExitStatusOfZeroAndLeavesOutASignalThatIsNotKnown() {
        Published.Exit message = new Published.Exit(EXEC);

        assertThat(PublishedCodec.topic(message)).isEqualTo("/tasks/exec-exit/default/tc/e1/");
        assertThat(text(PublishedCodec.encode(message)))
                .contains("\"exit_status\":0", "\"topic\":\"/tasks/exec-exit\"", "\"pid\":0")
                .doesNotContain("signal");
    }

    @Test
    void writesTheLifeThatAnExitEnds() {
        assertThat(text(PublishedCodec.encode(new Published.Exit(ofLife(KILLED)))))
                .isEqualTo("{" + KILLED_FIELDS + "," + LIFE_FIELDS + "}");
    }

    @Test
    void writesWhoItWasAndWhatItHadUsed() {
        assertThat(text(PublishedCodec.encode(new Published.Exit(detailed(DETAILS)))))
                .isEqualTo(
                        "{"
                                + KILLED_FIELDS
                                + ","
                                + LIFE_FIELDS
                                + """
                                ,"started_at":"2025-04-04T19:10:12.6Z","duration_ms":47183,\
                                "about":{"command":"nginx","image":"docker.io/library/nginx:1.29","name":"wéb",\
                                "hostname":"web-0","pod":{"namespace":"shop","name":"web-0","uid":"4f1c"},\
                                "container":"nginx","sandbox":true},\
                                "usage":{"memory_peak":536608768,"memory_limit":536870912,"oom_kills":1,\
                                "cpu_us":1830211,"throttled_us":0,"pids_peak":7}}\
                                """);
    }

    @Test
    void leavesOutWhatIsNotKnown() {
        About named =
                new About(
                        Optional.empty(),
                        Optional.empty(),
                        Optional.of("web"),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        false);
        LifeDetails afterEnd =
                new LifeDetails(Optional.of(AT.plusSeconds(1)), named, Usage.NOTHING);

        assertThat(text(PublishedCodec.encode(new Published.Exit(detailed(afterEnd)))))
                .as("the clock was set back while it ran")
                .endsWith(
                        ",\"started_at\":\"2025-04-04T19:11:00.78307293Z\",\"about\":{\"name\":\"web\"}}");
    }

    @Test
    void readsAnExitThatNamesALifeOnlyInPartAsOneOfNoKnownLife() {
        assertThat(PublishedCodec.decodeExit(bytes("{" + KILLED_FIELDS + ",\"life\":\"5f0c\"}")))
                .isEqualTo(KILLED);
    }

    /** An exec may have the container's id, and ends no container then. */
    @Test
    void knowsAnExecByItsTopic() {
        Published.Exit message = new Published.Exit(EXEC_NAMED_AS_CONTAINER);
        String text = text(PublishedCodec.encode(message));

        assertThat(PublishedCodec.topic(message)).isEqualTo("/tasks/exec-exit/default/tc/tc/");
        assertThat(text).contains("\"topic\":\"/tasks/exec-exit\"", "\"id\":\"tc\"");
        assertThat(PublishedCodec.decodeExit(bytes(text)).exit().isContainerExit()).isFalse();
        assertThat(PublishedCodec.decodeExit(bytes("{" + KILLED_FIELDS + "}")).exit())
                .matches(TaskExit::isContainerExit);
    }

    @Test
    void knowsAnExecByItsIdWhereThereIsNoTopic() {
        String fields = KILLED_FIELDS.replace("\"topic\":\"/tasks/exit\",", "");

        assertThat(PublishedCodec.decodeExit(bytes("{" + fields + "}"))).isEqualTo(KILLED);
        assertThat(
                        PublishedCodec.decodeExit(
                                        bytes(
                                                "{"
                                                        + fields.replace(
                                                                "\"id\":\"tc\"", "\"id\":\"e1\"")
                                                        + "}"))
                                .exit())
                .matches(it -> !it.isContainerExit());
    }

    @Test
    void writesTheOtherMessagesAsTheProtocolSays() {
        assertThat(published().stream().skip(5).limit(5).map(it -> text(PublishedCodec.encode(it))))
                .containsExactly(
                        "{\"v\":1,\"last_seq\":9,\"at\":\"2025-04-04T19:10:59.78307293Z\"}",
                        "{\"v\":1,\"last_seq\":9,\"from\":\"2025-04-04T19:10:59.78307293Z\","
                                + "\"to\":\"2025-04-04T19:11:00.78307293Z\",\"reason\":\"ctr \\\"ended\\\" with 1\"}",
                        "{\"v\":1,\"last_seq\":9,\"namespace\":\"default\",\"container_id\":\"tc\","
                                + LIFE_FIELDS
                                + ",\"pid\":6615,\"start_time\":123456,\"ended_seq\":8}",
                        "{\"v\":1,\"last_seq\":9,\"namespace\":\"default\",\"container_id\":\"tc\","
                                + "\"life\":\"5f0d\",\"created_at\":\"2025-04-04T19:10:59.78307293Z\",\"kept\":false}",
                        "{\"v\":1,\"last_seq\":9,\"namespace\":\"default\",\"container_id\":\"tc\","
                                + LIFE_FIELDS
                                + "}");
        assertThat(published().stream().skip(5).limit(5).map(PublishedCodec::topic))
                .containsExactly(
                        "/tardis/heartbeat/",
                        "/tardis/gap/",
                        "/tardis/begun/default/tc/",
                        "/tardis/begun/default/tc/",
                        "/tardis/lost/default/tc/");
    }

    @Test
    void writesAnswersAsTheProtocolSays() {
        assertThat(answers().stream().map(it -> text(AnswerCodec.encode(it))))
                .contains(
                        "{\"status\":\"exited\",\"exit_code\":137," + KILLED_FIELDS + "}",
                        "{\"status\":\"exited\",\"exit_code\":137,"
                                + KILLED_FIELDS
                                + ","
                                + LIFE_FIELDS
                                + "}",
                        "{\"status\":\"running\",\"namespace\":\"default\",\"container_id\":\"tc\"}",
                        "{\"status\":\"running\",\"namespace\":\"default\",\"container_id\":\"tc\","
                                + LIFE_FIELDS
                                + ",\"pid\":6615,\"start_time\":123456,\"ended_seq\":8,\"last_seq\":9}",
                        "{\"status\":\"lost\",\"namespace\":\"default\",\"container_id\":\"tc\","
                                + LIFE_FIELDS
                                + "}",
                        "{\"status\":\"lost\",\"namespace\":\"default\",\"container_id\":\"tc\"}",
                        "{\"status\":\"unknown\",\"namespace\":\"default\",\"container_id\":\"tc\"}",
                        "{\"status\":\"ok\",\"events\":[],\"first_seq\":0,\"last_seq\":0}",
                        "{\"status\":\"error\",\"error\":\"bad_request\",\"message\":\"op is missing\"}")
                .filteredOn(it -> it.contains("\"durable\":false"))
                .hasSize(2);
    }

    @Test
    void givesNoNumberUnlessTheCodeIsKnown() {
        assertThat(
                        Stream.of(
                                        new Answer.Running(TC, Optional.of(BEGUN)),
                                        new Answer.Lost(TC, Optional.of(BEGUN)),
                                        new Answer.Unknown(TC))
                                .map(it -> text(AnswerCodec.encode(it))))
                .noneMatch(it -> it.contains("exit_code") || it.contains("exit_status"));
    }

    @ParameterizedTest
    @MethodSource("published")
    void readsAMessageThatItWrote(Published message) {
        assertThat(
                        PublishedCodec.decode(
                                PublishedCodec.topic(message), PublishedCodec.encode(message)))
                .isEqualTo(message);
    }

    @ParameterizedTest
    @MethodSource("queries")
    void readsAQuestionThatItWrote(Query query) {
        assertThat(QueryCodec.decode(QueryCodec.encode(query))).isEqualTo(query);
    }

    @ParameterizedTest
    @MethodSource("answers")
    void readsAnAnswerThatItWrote(Answer answer) {
        assertThat(AnswerCodec.decode(AnswerCodec.encode(answer))).isEqualTo(answer);
    }

    @Test
    void fillsInWhatAQuestionLeavesOut() {
        assertThat(query("{\"op\":\"exit_code\",\"container_id\":\"tc\"}"))
                .isEqualTo(new Query.ExitCode(TC, Optional.empty(), Duration.ZERO));
        assertThat(query("{\"op\":\"replay\"}")).isEqualTo(new Query.Replay(0, 500));
        assertThat(query("{\"op\":\"list\"}"))
                .isEqualTo(new Query.ListContainers(Optional.empty(), 100));
    }

    @Test
    void ignoresKeysThatItDoesNotKnow() {
        assertThat(query(" {\"new\":{\"a\":[1]},\"op\":\"ping\"} ")).isEqualTo(new Query.Ping());
        assertThat(
                        PublishedCodec.decode(
                                "/tasks/exit/default/tc/",
                                bytes("{\"new\":true," + KILLED_FIELDS + "}")))
                .isEqualTo(new Published.Exit(KILLED));
    }

    @Test
    void refusesAnotherVersion() {
        assertThatThrownBy(() ->
                        PublishedCodec.decodeExit(
                                bytes("{" + KILLED_FIELDS.replace("\"v\":1", "\"v\":2") + "}")))
                .isInstanceOf(MalformedMessageException.class)
                .hasMessageContaining("v is 2");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "'' | not a JSON object",
                "{ | not JSON",
                "[] | not a JSON object",
                "1 | not a JSON object",
                "null | not a JSON object",
                "{} | op is missing",
                "{\"op\":1} | op is not a string",
                "{\"op\":\"kill\"} | op is none of",
                "{\"op\":\"ping\"}{\"op\":\"ping\"} | not JSON",
                "{\"op\":\"ping\",\"op\":\"list\"} | not JSON",
                "{\"op\":\"exit_code\"} | container_id is missing",
                "{\"op\":\"exit_code\",\"container_id\":\"\"} | container_id is not",
                "{\"op\":\"exit_code\",\"container_id\":\"../../etc\"} | container_id is not",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"namespace\":\"a/b\"} | namespace is not",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"namespace\":7} | namespace is not a string",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":-1} | wait_ms is not within",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":3600001} | wait_ms is not within",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":1.5} | wait_ms is not a whole number",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"wait_ms\":\"1\"} | wait_ms is not a whole number",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"life\":\"\"} | life is not",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"life\":\"../x\"} | life is not",
                "{\"op\":\"exit_code\",\"container_id\":\"tc\",\"life\":null} | life is not a string",
                "{\"op\":\"replay\",\"after\":-1} | after is not within",
                "{\"op\":\"replay\",\"after\":99999999999999999999} | after is not a whole number",
                "{\"op\":\"replay\",\"limit\":0} | limit is not within",
                "{\"op\":\"replay\",\"limit\":10001} | limit is not within",
                "{\"op\":\"list\",\"limit\":null} | limit is not a whole number"
            })
    void saysInASentenceWhatIsWrongWithAQuestion(String request, String problem) {
        assertThatThrownBy(() -> query(request))
                .isInstanceOf(MalformedMessageException.class)
                .hasMessageContaining(problem);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "\"v\":1, | '' | only version 1",
                "\"v\":1 | \"v\":\"1\" | only version 1",
                "\"v\":1 | \"v\":1.5 | only version 1",
                "\"v\":1 | \"v\":true | only version 1",
                "\"v\":1 | \"v\":4294967297 | only version 1",
                "\"v\":1 | \"v\":[1] | only version 1",
                "1732330000123001 | \"1\" | seq is not a whole number",
                "\"default\" | \"\" | names no container",
                "\"container_id\":\"tc\" | \"container_id\":\"..\" | names no container",
                "\"id\":\"tc\" | \"id\":\"a/b\" | not a process id",
                "\"id\":\"tc\" | \"id\":\"e1\" | not the id of default/tc",
                "\"topic\":\"/tasks/exit\" | \"topic\":7 | topic is not a string",
                "6615 | -1 | pid out of range",
                "\"exit_status\":137, | '' | exit_status is missing",
                "\"exit_status\":137 | \"exit_status\":null | exit_status is not a whole number",
                "\"exit_status\":137 | \"exit_status\":1e2 | exit_status is not a whole number",
                "\"exit_status\":137 | \"exit_status\":-1 | exit status out of range",
                "\"exit_status\":137 | \"exit_status\":4294967296 | exit status out of range",
                "\"signal\":9 | \"signal\":\"9\" | signal is not a whole number",
                // Its lowest 32 bits are 9.
                "\"signal\":9 | \"signal\":4294967305 | signal is not",
                "2025-04-04T | yesterday | not an exit",
                "\"containerd\" | \"rumour\" | not an exit source",
            })
    void refusesAnExitWithAFieldThatMakesNoSense(String good, String bad, String problem) {
        assertThat(KILLED_FIELDS).contains(good);
        String fields = KILLED_FIELDS.replace(good, bad);

        assertThatThrownBy(() -> PublishedCodec.decodeExit(bytes("{" + fields + "}")))
                .isInstanceOf(MalformedMessageException.class)
                .hasMessageContaining(problem);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "\"v\":1 | \"v\":2 | only version 1",
                "\"last_seq\":9, | '' | last_seq is missing",
                "\"last_seq\":9 | \"last_seq\":\"9\" | last_seq is not a whole number",
                "\"container_id\":\"tc\" | \"container_id\":\"..\" | names no container",
                "\"life\":\"5f0c\", | '' | names no life",
                "\"life\":\"5f0c\" | \"life\":\"../x\" | names no life",
                "\"life\":\"5f0c\" | \"life\":7 | life is not a string",
                "\"created_at\":\"2025 | \"created_at\":\"yesterday | names no life",
            })
    void refusesALifeWithAFieldThatMakesNoSense(String good, String bad, String problem) {
        for (Published message : List.of(BEGUN, new Published.Lost(9, TC, LIFE))) {
            String text = text(PublishedCodec.encode(message));
            assertThat(text).contains(good);
            byte[] spoiled = bytes(text.replace(good, bad));

            assertThatThrownBy(() -> PublishedCodec.decode(PublishedCodec.topic(message), spoiled))
                    .isInstanceOf(MalformedMessageException.class)
                    .hasMessageContaining(problem);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "\"pid\":6615 | \"pid\":\"6615\" | pid is not a whole number",
                "\"start_time\":123456 | \"start_time\":null | start_time is not a whole number",
                "\"ended_seq\":8 | \"ended_seq\":1.5 | ended_seq is not a whole number",
            })
    void refusesABeginWithAFieldThatMakesNoSense(String good, String bad, String problem) {
        byte[] spoiled = bytes(text(PublishedCodec.encode(BEGUN)).replace(good, bad));

        assertThatThrownBy(() -> PublishedCodec.decodeBegun(spoiled))
                .isInstanceOf(MalformedMessageException.class)
                .hasMessageContaining(problem);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "{} | status is missing",
                "{\"status\":\"dead\"} | 'an answer of status ''dead'' is not understood'",
                "{\"status\":\"running\",\"namespace\":\"default\"} | container_id is missing",
                "{\"status\":\"exited\",\"exit_code\":0} | only version 1",
                "{\"status\":\"ok\"} | version is missing",
                "{\"status\":\"ok\",\"events\":[]} | first_seq is missing",
                "{\"status\":\"ok\",\"events\":[7],\"first_seq\":1,\"last_seq\":7} | only version 1",
                "{\"status\":\"ok\",\"events\":7,\"first_seq\":1,\"last_seq\":7} | events is not an array",
                "{\"status\":\"ok\",\"events\":null,\"first_seq\":1,\"last_seq\":7} | events is not an array",
                "{\"status\":\"ok\",\"events\":{},\"first_seq\":1,\"last_seq\":7} | events is not an array",
                "{\"status\":\"ok\",\"containers\":\"tc\"} | containers is not an array",
                "{\"status\":\"ok\",\"containers\":[{}]} | status is missing",
                "{\"status\":\"error\",\"error\":\"bad_request\"} | message is missing",
            })
    void refusesAnAnswerThatMakesNoSense(String answer, String problem) {
        assertThatThrownBy(() -> AnswerCodec.decode(bytes(answer)))
                .isInstanceOf(MalformedMessageException.class)
                .hasMessageContaining(problem);
    }

    /** The reason is sent back: it must not repeat all that was asked. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'op':'ping','LONG':1,'LONG':1}",
                "{'op':'ping',LONG}",
                "{'v':'LONG','last_seq':1}",
                "{'status':'LONG'}",
                "{'status':'running','namespace':'LONG','container_id':'tc'}",
                "{'v':1,'last_seq':1,'at':'LONG'}"
            })
    void refusesInAShortSentence(String template) {
        byte[] bytes =
                template.replace('\'', '"')
                        .replace("LONG", "x".repeat(20_000))
                        .getBytes(StandardCharsets.UTF_8);

        for (Consumer<byte[]> decode :
                List.<Consumer<byte[]>>of(
                        QueryCodec::decode,
                        AnswerCodec::decode,
                        b -> PublishedCodec.decode(Topic.HEARTBEAT, b))) {
            assertThatThrownBy(() -> decode.accept(bytes))
                    .isInstanceOf(MalformedMessageException.class)
                    .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(500));
        }
    }

    @Test
    void refusesNestingThatCouldEatTheStack() {
        String bomb = "{\"op\":\"ping\",\"x\":" + "[".repeat(5_000) + "]".repeat(5_000) + "}";

        assertThatThrownBy(() -> query(bomb)).isInstanceOf(MalformedMessageException.class);
    }

    @Test
    void takesSpoiledBytesForMalformedAndNeverFailsOtherwise() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (Published message : published()) {
            String topic = PublishedCodec.topic(message);
            spoil(
                    PublishedCodec.encode(message),
                    random,
                    seed,
                    it -> PublishedCodec.decode(topic, it));
        }
        for (Query query : queries()) {
            spoil(QueryCodec.encode(query), random, seed, QueryCodec::decode);
        }
        for (Answer answer : answers()) {
            spoil(AnswerCodec.encode(answer), random, seed, AnswerCodec::decode);
        }
    }

    /** Every beginning, and many copies with some bytes changed. */
    private static void spoil(byte[] good, Random random, long seed, Consumer<byte[]> decode) {
        for (int length = 0; length < good.length; length++) {
            byte[] part = Arrays.copyOf(good, length);
            assertThatThrownBy(() -> decode.accept(part))
                    .isInstanceOf(MalformedMessageException.class);
        }
        for (int round = 0; round < 2_000; round++) {
            byte[] bad = good.clone();
            for (int i = random.nextInt(4); i >= 0; i--) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
            }
            try {
                decode.accept(bad);
            } catch (MalformedMessageException _) {
                // What it should be, unless the bytes happen to make sense.
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed + ": " + text(bad), e);
            }
        }
    }

    private static Query query(String text) {
        return QueryCodec.decode(bytes(text));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
