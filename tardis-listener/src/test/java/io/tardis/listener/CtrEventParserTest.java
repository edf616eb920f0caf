package io.tardis.listener;

import static java.nio.charset.StandardCharsets.UTF_16;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.TaskExit;
import io.tardis.core.spec.AboutReader;
import io.tardis.listener.CtrEvent.Exit;
import io.tardis.listener.CtrEvent.Ignored;
import io.tardis.listener.CtrEvent.Malformed;
import io.tardis.listener.CtrEvent.Oom;
import io.tardis.listener.CtrEvent.TaskProcess;
import io.tardis.listener.CtrLineReader.Ending;
import io.tardis.listener.CtrLineReader.Line;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CtrEventParserTest {

    private static final String V1_6 = "ctr-events-containerd-1.6.20.log";
    private static final String V1_7 = "ctr-events-containerd-1.7.2.log";

    private static final String PREFIX = "2026-11-23 02:54:57.829303106 +0000 UTC default ";
    private static final Instant LINE_TIME = Instant.parse("2026-11-23T02:54:57.829303106Z");
    private static final ContainerKey TC = new ContainerKey("default", "tc");

    private final CtrEventParser parser = new CtrEventParser();

    /**
     * Both recordings hold the same events. Their numbers come from the shell:
     *
     * <pre>
     * cut -d' ' -f6 FILE | sort | uniq -c                                               # per topic
     * grep ' /tasks/exit ' FILE | grep -cE '"container_id":"([^"]*)","id":"\1"'          # not execs
     * grep ' /tasks/delete ' FILE | grep -c exit_status                                 # not 0
     * cut -d' ' -f6 FILE | grep -cvE '^/tasks/(exit|delete|create|start|oom)$|^/containers/' # others
     * </pre>
     *
     * The other 7 deletes repeat no status, so they count as ignored: 8 + 7.
     */
    @ParameterizedTest
    @ValueSource(strings = {V1_6, V1_7})
    void parsesEveryLineOfRecording(String recording) throws IOException {
        List<CtrEvent> events = new ArrayList<>();

        try (InputStream in = recording(recording)) {
            CtrLineReader reader = new CtrLineReader(in, 4096);
            for (var line = reader.next(); line != null; line = reader.next()) {
                events.add(parser.parse(line));
            }
        }

        assertThat(
                        events.stream()
                                .collect(
                                        Collectors.groupingBy(
                                                CtrEventParserTest::kind, Collectors.counting())))
                .containsExactlyInAnyOrderEntriesOf(
                        Map.of(
                                "container exit", 22L + 15,
                                "exec exit", 2L,
                                "create", 22L,
                                "start", 22L,
                                "Oom", 1L,
                                "Container", 44L,
                                "Ignored", 15L));
    }

    private static String kind(CtrEvent event) {
        return switch (event) {
            case Exit(TaskExit exit) -> exit.isContainerExit() ? "container exit" : "exec exit";
            case TaskProcess process -> process.isStart() ? "start" : "create";
            default -> event.getClass().getSimpleName();
        };
    }

    @Test
    void readsExitedAtAsContainerd16WritesIt() throws IOException {
        List<String> lines = lines(V1_6);

        assertThat(lines.stream().map(this::parse))
                .contains(
                        exit("default", "job-1", "job-1", 25684, 0, "03:45:45.810767522"),
                        exit("default", "fail-1", "fail-1", 25894, 3, "03:45:46.241934434"),
                        exit("default", "svc", "probe2", 26155, 42, "03:45:46.818340241"),
                        exit("default", "svc", "svc", 26098, 137, "03:45:47.243101951"),
                        exit(
                                "ci",
                                "build.42_x-1",
                                "build.42_x-1",
                                25963,
                                255,
                                "03:45:46.394294732"),
                        new TaskProcess(
                                new ContainerKey("default", "job-1"),
                                Path.of(""),
                                25684,
                                Instant.parse("2026-11-23T03:45:45.805014666Z"),
                                true),
                        new Oom(new ContainerKey("default", "oom1")),
                        new Exit(
                                new TaskExit(
                                        new ContainerKey("default", "fail-1"),
                                        "fail-1",
                                        25894,
                                        3,
                                        Instant.parse("2026-11-23T03:45:46.241934434Z"))));
    }

    @Test
    void readsExitedAtAsContainerd17WritesIt() throws IOException {
        List<String> lines = lines(V1_7);

        assertThat(lines.stream().map(this::parse))
                .contains(
                        exit("default", "job-1", "job-1", 27693, 0, "03:45:52.301705872"),
                        exit("default", "svc", "probe1", 28138, 0, "03:45:53.349269776"),
                        exit("default", "oom1", "oom1", 28575, 137, "03:45:56.597214365"),
                        exit("ci", "par-5", "par-5", 29903, 1, "03:45:59.051170185"),
                        new Exit(
                                new TaskExit(
                                        new ContainerKey("ci", "par-5"),
                                        "par-5",
                                        29903,
                                        1,
                                        Instant.parse("2026-11-23T03:45:59.051170185Z"))));
    }

    @Test
    void takesAbsentStatusAndPidOfExitForZero() {
        CtrEvent event = parse(task("exit", "'container_id':'tc','id':'tc'"));

        assertThat(event).isEqualTo(new Exit(new TaskExit(TC, "tc", 0, 0, LINE_TIME)));
    }

    @Test
    void takesAbsentPidOfStartForZero() {
        assertThat(parse(task("start", "'container_id':'tc'")))
                .isEqualTo(new TaskProcess(TC, Path.of(""), 0, LINE_TIME, true));
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '"',
            value = {
                "{'seconds':1795405552,'nanos':1}|2026-11-23T03:45:52.000000001Z",
                "{'seconds':1795405552}|2026-11-23T03:45:52Z",
                "{'nanos':7,'seconds':-1}|1969-12-31T23:59:59.000000007Z",
                "{}|1970-01-01T00:00:00Z",
                "{'seconds':1,'later':{'nanos':[5]}}|1970-01-01T00:00:01Z",
                "'2026-11-23T03:45:52Z'|2026-11-23T03:45:52Z",
                "'2026-11-23T04:45:52.5+01:00'|2026-11-23T03:45:52.5Z"
            },
            delimiter = '|')
    void readsEitherFormOfExitedAt(String exitedAt, Instant expected) {
        CtrEvent event =
                parse(task("exit", "'container_id':'tc','id':'tc','exited_at':" + exitedAt));

        assertThat(event).isEqualTo(new Exit(new TaskExit(TC, "tc", 0, 0, expected)));
    }

    /** Go cuts trailing zeros of the fraction, and the fraction itself where it is zero. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ".1",
                ".12",
                ".123",
                ".1234",
                ".12345",
                ".123456",
                ".1234567",
                ".12345678",
                ".123456789",
                ".000000001"
            })
    void takesLineTimeForExitWithoutExitedAt(String fraction) {
        String line =
                "2026-11-23 03:45:52%s +0100 CET default /tasks/exit %s"
                        .formatted(fraction, "{\"container_id\":\"tc\",\"id\":\"tc\"}");

        Instant expected = Instant.parse("2026-11-23T02:45:52" + fraction + "Z");
        assertThat(parse(line)).isEqualTo(new Exit(new TaskExit(TC, "tc", 0, 0, expected)));
    }

    @Test
    void distinguishesExecFromContainerByItsId() {
        assertThat(parse(task("exit", "'container_id':'tc','id':'tcc'")))
                .isEqualTo(new Exit(new TaskExit(TC, "tcc", 0, 0, LINE_TIME)));
    }

    @Test
    void readsLargestNumbersOfContainerd() {
        CtrEvent event =
                parse(
                        task(
                                "exit",
                                "'exit_status':4294967295,'pid':4294967295,'id':'tc','container_id':'tc'"));

        assertThat(event)
                .isEqualTo(new Exit(new TaskExit(TC, "tc", 4294967295L, 4294967295L, LINE_TIME)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"'exited_at':{'seconds':1}", "'exit_status':3", "'pid':3"})
    void ignoresDeleteThatDoesNotRepeatHowItEnded(String rest) {
        assertThat(parse(task("delete", "'container_id':'tc'," + rest)))
                .isInstanceOf(Ignored.class);
    }

    @Test
    void readsBundleOfCreate() {
        assertThat(parse(task("create", "'container_id':'tc','bundle':'/bundle','pid':7")))
                .isEqualTo(new TaskProcess(TC, Path.of("/bundle"), 7, LINE_TIME, false));
        assertThat(parse(task("create", "'container_id':'tc','bundle':['/bundle']")))
                .isEqualTo(new TaskProcess(TC, Path.of(""), 0, LINE_TIME, false));
        assertThat(parse(task("create", "'container_id':'tc','bundle':'\\u0000','pid':7")))
                .isEqualTo(new TaskProcess(TC, Path.of(""), 7, LINE_TIME, false));
    }

    @Test
    void readsDeleteThatRepeatsZero() {
        CtrEvent event =
                parse(
                        task(
                                "delete",
                                "'container_id':'tc','exit_status':0,'exited_at':{'seconds':1}"));

        assertThat(event)
                .isEqualTo(new Exit(new TaskExit(TC, "tc", 0, 0, Instant.ofEpochSecond(1))));
    }

    /** As containerd 1.6 to 2.1 print it; containers with a root filesystem only have no image. */
    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '~',
            delimiter = '|',
            nullValues = "ignored",
            value = {
                "create | {'id':'tc','image':'docker.io/library/busybox:1','runtime':{'name':'r'}} | docker.io/library/busybox:1",
                "create | {'id':'tc','runtime':{'name':'io.containerd.runc.v2'}} | ~~",
                "create | {'id':'tc','image':{'a':['x']}} | ~~",
                "create | {'container_id':'tc','image':'i'} | ignored",
                "create | {'id':'../tc','image':'i'} | ignored",
                "create | {'id':'tc','image':'i' | ignored",
                "delete | {'id':'tc'} | ~~",
                "delete | {'id':'tc','image':'i'} | ~~",
                "update | {'id':'tc','image':'i'} | ignored",
            })
    void readsTheImageOfAContainer(String topic, String json, @Nullable String image) {
        CtrEvent event = parse(PREFIX + "/containers/" + topic + " " + json.replace('\'', '"'));

        assertThat(event)
                .isEqualTo(image == null ? new Ignored() : new CtrEvent.Container(TC, image));
    }

    @Test
    void takesNoMoreOfAnImageThanIsShown() {
        String image = "i".repeat(100_000);

        assertThat(parse(PREFIX + "/containers/create {\"id\":\"tc\",\"image\":\"" + image + "\"}"))
                .isEqualTo(new CtrEvent.Container(TC, image.substring(0, AboutReader.MAX_VALUE)));
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '~',
            delimiter = '|',
            value = {
                "exit  | {'id':'tc'}                                                | container_id",
                "exit  | {'container_id':'tc'}                                      | id is missing",
                "exit  | {'container_id':'tc','id':'../tc'}                         | id is missing",
                "exit  | {'container_id':'../../etc','id':'tc'}                     | container_id",
                "start | {'container_id':'a/b'}                                     | container_id",
                "oom   | {'container_id':''}                                        | container_id",
                "oom   | {'container_id':7}                                         | not a string",
                "oom   | {'container_id':null}                                      | not a string",
                "oom   | {'container_id':['tc']}                                    | not a string",
                "exit  | {'container_id':'tc','id':'tc','id':'tc'}                  | id is there twice",
                "exit  | {'container_id':'tc','id':'tc','exit_status':0,'exit_status':9} | twice",
                "oom   | {'container_id':'tc','container\\u005fid':'tc'}          | twice",
                "start | {'container_id':'tc','pid':1,'pid':1}                      | twice",
                "exit  | {'container_id':'tc','id':'tc','exited_at':{},'exited_at':{}} | twice",
                "exit  | {'container_id':'tc','id':'tc','exited_at':{'seconds':1,'seconds':2}} | twice",
                "exit  | {'container_id':'tc','id':'tc','exited_at':{'nanos':1,'nanos':2}} | twice",
                "start | {'container_id':'tc','pid':-1}                             | out of range",
                "start | {'container_id':'tc','pid':4294967296}                     | out of range",
                "start | {'container_id':'tc','pid':1.0}                            | not a whole number",
                "start | {'container_id':'tc','pid':1e2}                            | not a whole number",
                "start | {'container_id':'tc','pid':'1'}                            | not a whole number",
                "start | {'container_id':'tc','pid':null}                           | not a whole number",
                "start | {'container_id':'tc','pid':{}}                             | not a whole number",
                "start | {'container_id':'tc','pid':9223372036854775808}            | JSON cannot be read",
                "start | {'container_id':'tc','pid':01}                             | JSON cannot be read",
                "start | {'container_id':'tc','pid':NaN}                            | JSON cannot be read",
                "exit  | {'container_id':'tc','id':'tc','exit_status':-1}           | out of range",
                "exit  | {'container_id':'tc','id':'tc','exit_status':4294967296}   | out of range",
                "exit  | {'container_id':'tc','id':'tc','exited_at':{'nanos':-1}}   | out of range",
                "exit  | {'container_id':'tc','id':'tc','exited_at':{'nanos':1000000000}} | out of range",
                "exit  | {'container_id':'tc','id':'tc','exited_at':{'seconds':'1'}} | not a whole number",
                "exit  | {'container_id':'tc','id':'tc','exited_at':{'seconds':9223372036854775807}} | not a time",
                "exit  | {'container_id':'tc','id':'tc','exited_at':{'seconds':253402300800}} | not a time",
                "exit  | {'container_id':'tc','id':'tc','exited_at':'yesterday'}    | not a time",
                "exit  | {'container_id':'tc','id':'tc','exited_at':''}             | not a time",
                "exit  | {'container_id':'tc','id':'tc','exited_at':17}             | neither",
                "exit  | {'container_id':'tc','id':'tc','exited_at':null}           | neither",
                "exit  | ['container_id','tc']                                      | not an object",
                "exit  | 'tc'                                                       | not an object",
                "exit  | {'container_id':'tc','id':'tc'} {}                         | not one whole object",
                "exit  | {'container_id':'tc','id':'tc'}}                           | JSON cannot be read",
                "exit  | {'container_id':'tc','id':'tc'                             | JSON cannot be read",
                "exit  | {container_id:tc,id:tc}                                    | JSON cannot be read",
            })
    void saysWhyTaskEventIsMalformed(String topic, String json, String reason) {
        CtrEvent event = parse(PREFIX + "/tasks/" + topic + " " + json.replace('\'', '"'));

        assertThat(event)
                .isInstanceOfSatisfying(
                        Malformed.class, it -> assertThat(it.reason()).contains(reason));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''                                                   | ends before its JSON",
                "2026-11-23                                           | ends before its JSON",
                "2026-11-23 02:54:57 +0000 UTC default /tasks/exit    | ends before its JSON",
                "ctr: cannot connect to containerd: no such file      | no topic",
                "2026-11-23 02:54:57 +0000 UTC  default /tasks/exit {} | no topic",
                "2026-11-23 02:54:57 +0000 UTC default tasks/exit {}  | no topic",
                "2026-11-23 02:54:57 +0000 UTC a/b /tasks/oom {}      | namespace",
                "2026-11-23 02:54:57 +0000 UTC .. /tasks/oom {}       | namespace",
            })
    void saysWhyLineIsMalformed(String line, String reason) {
        assertThat(parse(line))
                .isInstanceOfSatisfying(
                        Malformed.class, it -> assertThat(it.reason()).contains(reason));
    }

    /** Only an exit without exited_at needs the time of its line. */
    @Test
    void readsLineTimeOnlyWhereItIsNeeded() {
        String line =
                "today at noon sharp default /tasks/exit {\"container_id\":\"tc\",\"id\":\"tc\"";

        assertThat(parse(line + "}")).isEqualTo(new Malformed("the line's time cannot be read"));
        assertThat(parse(line + ",\"exited_at\":{}}")).isInstanceOf(Exit.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/tasks/exec-started {\"container_id\":\"tc\",\"exec_id\":\"tc\",\"pid\":1}",
                "/tasks/exit2 {\"container_id\":\"tc\",\"id\":\"tc\"}",
                "/tasks/exi {\"container_id\":\"tc\",\"id\":\"tc\"}",
                "/tasks/EXIT {\"container_id\":\"tc\",\"id\":\"tc\"}",
                "/containers/update {\"labels\":{\"a\":\" default /tasks/exit {\"}}",
                "/containers/delete not JSON at all"
            })
    void ignoresOtherTopics(String topicAndJson) {
        assertThat(parse(PREFIX + topicAndJson)).isInstanceOf(Ignored.class);
    }

    @Test
    void takesTopicInsideJsonForText() {
        CtrEvent event =
                parse(task("start", "'note':' UTC default /tasks/exit {','container_id':'tc'"));

        assertThat(event).isEqualTo(new TaskProcess(TC, Path.of(""), 0, LINE_TIME, true));
    }

    @ParameterizedTest
    @ValueSource(strings = {"[", "{\"a\":"})
    void refusesDeeplyNestedJson(String opening) {
        String nested = opening.repeat(1_000_000);

        assertThat(parse(PREFIX + "/tasks/exit {\"x\":" + nested)).isInstanceOf(Malformed.class);
    }

    /** A reason goes to the log; what a line holds does not. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "/tasks/exit {\"id\":hunter2}",
                "/tasks/exit {\"id\":\"hunter2\u0007\"}",
                "/tasks/exit {hunter2:1}",
                "/tasks/exit {\"pid\":\"hunter2\"}",
                "/tasks/exit {\"container_id\":\"hunter2/\"}",
                "/tasks/exit {\"pid\":777777777777777777777777}",
                "/tasks/exit {\"exited_at\":\"hunter2\"}",
                "hunter2 {}"
            })
    void keepsTextOfLineOutOfReason(String topicAndJson) {
        assertThat(parse(PREFIX + topicAndJson))
                .isInstanceOfSatisfying(
                        Malformed.class,
                        it ->
                                assertThat(it.reason())
                                        .doesNotContain("hunter2", "777", "\n")
                                        .hasSizeLessThan(120));
    }

    @Test
    void refusesIdentifierThatIsNotUtf8() {
        byte[] line = task("oom", "'container_id':'t#'").getBytes(UTF_8);
        line[line.length - 3] = (byte) 0xC3;

        assertThat(parse(line)).isInstanceOf(Malformed.class);
    }

    /** JSON may begin with a byte order mark or be UTF-16; what ctr prints never is. */
    @Test
    void refusesJsonInOtherEncodingWithoutException() {
        byte[] json = "{\"container_id\":\"tc\"".getBytes(UTF_16);
        byte[] prefix = (PREFIX + "/tasks/oom ").getBytes(UTF_8);
        byte[] line = Arrays.copyOf(prefix, prefix.length + json.length);
        System.arraycopy(json, 0, line, prefix.length, json.length);

        assertThat(parse(line)).isInstanceOf(Malformed.class);
    }

    @Test
    void readsLineInMiddleOfBuffer() {
        byte[] line = task("oom", "'container_id':'tc'").getBytes(UTF_8);
        byte[] buffer = new byte[line.length + 20];
        Arrays.fill(buffer, (byte) '}');
        System.arraycopy(line, 0, buffer, 7, line.length);

        assertThat(parser.parse(new Line(buffer, 7, line.length, Ending.NEWLINE)))
                .isEqualTo(new Oom(TC));
    }

    @ParameterizedTest
    @EnumSource(
            value = Ending.class,
            names = {"TOO_LONG", "END_OF_STREAM"})
    void refusesLineThatIsNotWhole(Ending ending) {
        byte[] exit = task("exit", "'container_id':'tc','id':'tc'").getBytes(UTF_8);
        byte[] create = (PREFIX + "/tasks/create {").getBytes(UTF_8);

        assertThat(parser.parse(new Line(exit, 0, exit.length, ending)))
                .isInstanceOf(Malformed.class);
        assertThat(parser.parse(new Line(create, 0, create.length, ending)))
                .isInstanceOf(Ignored.class);
    }

    @Test
    void parsesGoodLineAfterEachKindOfBadOne() {
        String good = task("exit", "'container_id':'tc','id':'tc','pid':6615,'exit_status':137");
        CtrEvent expected = new Exit(new TaskExit(TC, "tc", 6615, 137, LINE_TIME));
        List<String> bad =
                List.of(
                        "",
                        "\0\0\0",
                        task("exit", "'id':'x','pid':1,'exit_status':1,'exited_at':{'seconds':5}"),
                        PREFIX + "/tasks/exit {" + "\"a\":{".repeat(500),
                        PREFIX + "/tasks/exit {\"container_id\":\"half");

        for (String line : bad) {
            assertThat(parse(line)).isInstanceOf(Malformed.class);
            assertThat(parse(good)).as("after '%s'", line).isEqualTo(expected);
        }
    }

    @Test
    void parsesLineBehindOneOf16MiB() throws IOException {
        String huge = task("exit", "'container_id':'tc','id':'" + "x".repeat(16 << 20) + "'");
        String good = task("oom", "'container_id':'tc'");
        byte[] stream = (huge + "\n" + good + "\n").getBytes(UTF_8);
        CtrLineReader reader = new CtrLineReader(new ByteArrayInputStream(stream), 1 << 20);

        assertThat(parser.parse(requireNonNull(reader.next()))).isInstanceOf(Malformed.class);
        assertThat(parser.parse(requireNonNull(reader.next()))).isEqualTo(new Oom(TC));

        // Without a reader in front, the parser itself has to bear it.
        assertThat(parse(huge)).isInstanceOf(Malformed.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {V1_6, V1_7})
    void takesNoTruncatedLineForEvent(String recording) throws IOException {
        for (String text : lines(recording)) {
            byte[] line = text.getBytes(UTF_8);
            // A container's image is worth no gap.
            boolean ignored =
                    parse(line) instanceof Ignored || parse(line) instanceof CtrEvent.Container;
            for (int length = 0; length < line.length; length++) {
                CtrEvent event = parser.parse(new Line(line, 0, length, Ending.NEWLINE));

                // A delete that reports no exit is only known as such once its JSON is whole.
                assertThat(event instanceof Malformed || (ignored && event instanceof Ignored))
                        .as("%s of the first %d bytes of %s", event, length, text)
                        .isTrue();
            }
        }
    }

    @Test
    void neverThrowsOnFlippedBytes() throws IOException {
        List<String> lines = new ArrayList<>(lines(V1_6));
        lines.addAll(lines(V1_7));
        lines.removeIf(line -> parse(line) instanceof Ignored);
        long seed = System.nanoTime();
        Random random = new Random(seed);

        for (int round = 0; round < 50_000; round++) {
            byte[] line = lines.get(random.nextInt(lines.size())).getBytes(UTF_8);
            for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
                line[random.nextInt(line.length)] ^= (byte) (1 << random.nextInt(8));
            }
            assertThatCode(() -> parse(line))
                    .as("seed %d, round %d: %s", seed, round, HexFormat.of().formatHex(line))
                    .doesNotThrowAnyException();
        }
    }

    private CtrEvent parse(String line) {
        return parse(line.getBytes(UTF_8));
    }

    private CtrEvent parse(byte[] line) {
        return parser.parse(new Line(line, 0, line.length, Ending.NEWLINE));
    }

    /** A task line; single quotes stand for double ones. */
    private static String task(String topic, String fields) {
        return PREFIX + "/tasks/" + topic + " {" + fields.replace('\'', '"') + "}";
    }

    private static CtrEvent exit(
            String namespace, String container, String id, long pid, long status, String time) {
        TaskExit exit =
                new TaskExit(
                        new ContainerKey(namespace, container),
                        id,
                        pid,
                        status,
                        Instant.parse("2026-11-23T" + time + "Z"));
        return new Exit(exit);
    }

    private static List<String> lines(String recording) throws IOException {
        try (InputStream in = recording(recording)) {
            return new String(in.readAllBytes(), UTF_8).lines().toList();
        }
    }

    private static InputStream recording(String name) {
        return requireNonNull(CtrEventParserTest.class.getResourceAsStream(name), name);
    }
}
