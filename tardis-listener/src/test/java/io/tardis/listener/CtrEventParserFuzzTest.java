package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.core.spec.AboutReader;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.listener.CtrEvent.Ignored;
import io.tardis.listener.CtrEvent.Malformed;
import io.tardis.listener.CtrLineReader.Ending;
import io.tardis.listener.CtrLineReader.Line;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** Any bytes in the place of {@code ctr}'s output; see CONTRIBUTING.md. */
class CtrEventParserFuzzTest {

    private static final int LONGEST_REASON = 200;

    /** Limits in the middle of most lines, and out of reach. */
    private static final List<Integer> LIMITS = List.of(1, 100, 64 * 1024);

    /**
     * Topics of which a line may not be passed over. For a create, the start that follows will do.
     */
    private static final Set<String> TOPICS =
            Set.of("/tasks/exit", "/tasks/delete", "/tasks/start", "/tasks/oom");

    static Stream<byte[]> seeds() throws IOException {
        List<byte[]> seeds = new ArrayList<>();
        for (String version : List.of("1.6.20", "1.7.2")) {
            String log = fixture("ctr-events-containerd-" + version + ".log");
            log.lines().distinct().map(line -> bytes(line + "\n")).forEach(seeds::add);
        }
        return seeds.stream();
    }

    @MethodSource("seeds")
    @FuzzTest
    void readsAnyBytes(byte[] bytes) throws IOException {
        for (int limit : LIMITS) {
            List<CtrEvent> expected = oneByOne(bytes, limit);

            assertThat(read(new ByteArrayInputStream(bytes), limit)).isEqualTo(expected);
            assertThat(read(inPieces(bytes), limit)).isEqualTo(expected);
            expected.forEach(CtrEventParserFuzzTest::assertSound);
        }
    }

    /** What the lines say, each in an array of its own. */
    private static List<CtrEvent> oneByOne(byte[] bytes, int limit) {
        CtrEventParser parser = new CtrEventParser();
        List<CtrEvent> events = new ArrayList<>();
        int start = 0;
        for (int i = 0; i <= bytes.length; i++) {
            boolean ended = i == bytes.length;
            if (ended ? start < i : bytes[i] == '\n') {
                byte[] line = Arrays.copyOfRange(bytes, start, Math.min(i, start + limit));
                Ending ending =
                        i - start > limit
                                ? Ending.TOO_LONG
                                : ended ? Ending.END_OF_STREAM : Ending.NEWLINE;
                CtrEvent event = parser.parse(new Line(line, 0, line.length, ending));
                if (ending != Ending.NEWLINE) {
                    assertThat(event)
                            .isInstanceOf(isOfAnotherTopic(line) ? Ignored.class : Malformed.class);
                }
                events.add(event);
                start = i + 1;
            }
        }
        return events;
    }

    /** Whether a line may be passed over that is not whole. */
    private static boolean isOfAnotherTopic(byte[] line) {
        String[] fields = new String(line, StandardCharsets.ISO_8859_1).split(" ", 7);
        return fields.length == 7 && fields[5].startsWith("/") && !TOPICS.contains(fields[5]);
    }

    private static List<CtrEvent> read(InputStream in, int limit) throws IOException {
        CtrLineReader lines = new CtrLineReader(in, limit);
        CtrEventParser parser = new CtrEventParser();
        List<CtrEvent> events = new ArrayList<>();
        for (Line line = lines.next(); line != null; line = lines.next()) {
            assertThat(line.length()).isLessThanOrEqualTo(limit);
            assertThat(line.buffer().length).isLessThanOrEqualTo(limit + 1);
            events.add(parser.parse(line));
        }
        return events;
    }

    /** The bytes as a pipe may give them: some at a time, at places that only they decide. */
    private static InputStream inPieces(byte[] bytes) {
        Random random = new Random(Arrays.hashCode(bytes));
        return new ByteArrayInputStream(bytes) {
            @Override
            public synchronized int read(byte[] target, int offset, int length) {
                return super.read(target, offset, Math.min(length, 1 + random.nextInt(64)));
            }
        };
    }

    private static void assertSound(CtrEvent event) {
        switch (event) {
            case CtrEvent.Exit(TaskExit exit) -> assertCanBePublished(exit);
            case Malformed(String reason) ->
                    assertThat(reason).hasSizeLessThanOrEqualTo(LONGEST_REASON);
            case CtrEvent.Container(var _, String image) ->
                    assertThat(image).hasSizeLessThanOrEqualTo(AboutReader.MAX_VALUE);
            case CtrEvent.Oom _, CtrEvent.TaskProcess _, Ignored _ -> {}
        }
    }

    private static void assertCanBePublished(TaskExit exit) {
        Published message =
                new Published.Exit(
                        new ExitEvent(
                                1,
                                exit,
                                OptionalInt.empty(),
                                false,
                                ExitSource.CONTAINERD,
                                Optional.empty()));

        String topic = PublishedCodec.topic(message);
        byte[] payload = PublishedCodec.encode(message);

        assertThat(PublishedCodec.decode(topic, payload)).isEqualTo(message);
    }

    private static String fixture(String name) throws IOException {
        try (InputStream file =
                Objects.requireNonNull(
                        CtrEventParserFuzzTest.class.getResourceAsStream(name), name)) {
            return new String(file.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
