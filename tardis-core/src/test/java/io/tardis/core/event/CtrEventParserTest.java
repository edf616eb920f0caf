package io.tardis.core.event;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.CtrEvent.ContainerExit;
import io.tardis.core.event.CtrEvent.ExecExit;
import io.tardis.core.event.CtrEvent.Ignored;
import io.tardis.core.event.CtrEvent.Oom;
import io.tardis.core.event.CtrEvent.TaskDelete;
import io.tardis.core.event.CtrEvent.TaskStart;
import java.io.IOException;
import java.io.InputStream;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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
     * cut -d' ' -f6 FILE | grep -cvE '^/tasks/(exit|delete|start|oom)$'                 # others
     * </pre>
     *
     * The other 7 deletes repeat no status, so they count as ignored: 74 + 7.
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

        Map<Class<?>, Long> counts =
                events.stream()
                        .collect(Collectors.groupingBy(Object::getClass, Collectors.counting()));
        assertThat(counts)
                .containsExactlyInAnyOrderEntriesOf(
                        Map.of(
                                ContainerExit.class, 22L,
                                ExecExit.class, 2L,
                                TaskStart.class, 22L,
                                Oom.class, 1L,
                                TaskDelete.class, 15L,
                                Ignored.class, 81L));
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
                        new TaskStart(new ContainerKey("default", "job-1"), 25684),
                        new Oom(new ContainerKey("default", "oom1")),
                        new TaskDelete(
                                new ContainerKey("default", "fail-1"),
                                25894,
                                3,
                                Instant.parse("2026-11-23T03:45:46.241934434Z")));
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
                        new TaskDelete(
                                new ContainerKey("ci", "par-5"),
                                29903,
                                1,
                                Instant.parse("2026-11-23T03:45:59.051170185Z")));
    }

    @Test
    void takesAbsentStatusAndPidOfExitForZero() {
        CtrEvent event = parse(task("exit", "'container_id':'tc','id':'tc'"));

        assertThat(event).isEqualTo(new ContainerExit(new TaskExit(TC, "tc", 0, 0, LINE_TIME)));
    }

    @Test
    void takesAbsentPidOfStartForZero() {
        assertThat(parse(task("start", "'container_id':'tc'"))).isEqualTo(new TaskStart(TC, 0));
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

        assertThat(event).isEqualTo(new ContainerExit(new TaskExit(TC, "tc", 0, 0, expected)));
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
        assertThat(parse(line))
                .isEqualTo(new ContainerExit(new TaskExit(TC, "tc", 0, 0, expected)));
    }

    @Test
    void tellsExecFromContainerByItsId() {
        assertThat(parse(task("exit", "'container_id':'tc','id':'tcc'")))
                .isEqualTo(new ExecExit(new TaskExit(TC, "tcc", 0, 0, LINE_TIME)));
    }

    @Test
    void readsLargestNumbersOfContainerd() {
        CtrEvent event =
                parse(
                        task(
                                "exit",
                                "'exit_status':4294967295,'pid':4294967295,'id':'tc','container_id':'tc'"));

        assertThat(event)
                .isEqualTo(
                        new ContainerExit(
                                new TaskExit(TC, "tc", 4294967295L, 4294967295L, LINE_TIME)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"'exited_at':{'seconds':1}", "'exit_status':3", "'pid':3"})
    void ignoresDeleteThatDoesNotRepeatHowItEnded(String rest) {
        assertThat(parse(task("delete", "'container_id':'tc'," + rest)))
                .isInstanceOf(Ignored.class);
    }

    @Test
    void readsDeleteThatRepeatsZero() {
        CtrEvent event =
                parse(
                        task(
                                "delete",
                                "'container_id':'tc','exit_status':0,'exited_at':{'seconds':1}"));

        assertThat(event).isEqualTo(new TaskDelete(TC, 0, 0, Instant.ofEpochSecond(1)));
    }

    private CtrEvent parse(String line) {
        return parse(line.getBytes(UTF_8));
    }

    private CtrEvent parse(byte[] line) {
        return parser.parse(line, 0, line.length);
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
        return id.equals(container) ? new ContainerExit(exit) : new ExecExit(exit);
    }

    private static List<String> lines(String recording) throws IOException {
        try (InputStream in = recording(recording)) {
            return new String(in.readAllBytes(), UTF_8).lines().toList();
        }
    }

    private static InputStream recording(String name) {
        return Objects.requireNonNull(CtrEventParserTest.class.getResourceAsStream(name), name);
    }
}
