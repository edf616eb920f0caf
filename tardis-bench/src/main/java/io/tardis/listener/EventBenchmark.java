package io.tardis.listener;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.listener.CtrLineReader.Ending;
import io.tardis.listener.CtrLineReader.Line;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** What one line of {@code ctr events}, and one published event, costs. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class EventBenchmark {

    private final CtrEventParser parser = new CtrEventParser();
    private final Line exitLine =
            line(
                    "2026-11-23 02:54:57.829303106 +0000 UTC default /tasks/exit {\"container_id\":\"tc\","
                            + "\"id\":\"tc\",\"pid\":6615,\"exit_status\":137,\"exited_at\":\"2026-11-23T02:54:57.829Z\"}");
    private final Line otherLine =
            line(
                    "2026-11-23 02:54:57.829303106 +0000 UTC default /images/update {\"name\":\"docker.io/library/x\"}");
    private final Published event =
            new Published.Exit(
                    new ExitEvent(
                            1,
                            exit(parser.parse(exitLine)),
                            OptionalInt.empty(),
                            false,
                            ExitSource.CONTAINERD,
                            Optional.empty()));
    private final String topic = PublishedCodec.topic(event);
    private final byte[] payload = PublishedCodec.encode(event);

    /** An exit. */
    @Benchmark
    public Object parseExit() {
        return parser.parse(exitLine);
    }

    /** A line that does not concern Tardis. */
    @Benchmark
    public Object parseOther() {
        return parser.parse(otherLine);
    }

    /** An event to bytes. */
    @Benchmark
    public byte[] encode() {
        return PublishedCodec.encode(event);
    }

    /** Bytes to an event. */
    @Benchmark
    public Published decode() {
        return PublishedCodec.decode(topic, payload);
    }

    private static TaskExit exit(CtrEvent parsed) {
        if (parsed instanceof CtrEvent.Exit(TaskExit exit)) {
            return exit;
        }
        throw new IllegalStateException(parsed.toString());
    }

    private static Line line(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        return new Line(bytes, 0, bytes.length, Ending.NEWLINE);
    }
}
