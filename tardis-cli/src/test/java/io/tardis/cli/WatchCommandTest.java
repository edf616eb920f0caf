package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.client.PositionFile;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.Query;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class WatchCommandTest {

    private static final long BEFORE = 41;

    /** A reader that goes away, as {@code head} does. */
    private static final class Pipe extends OutputStream {
        private final StringBuilder text = new StringBuilder();
        private volatile boolean broken;
        private volatile boolean full;

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (broken || full) {
                throw new IOException(full ? "No space left on device" : "Broken pipe");
            }
            synchronized (text) {
                text.append(new String(bytes, offset, length, StandardCharsets.UTF_8));
            }
        }

        String text() {
            synchronized (text) {
                return text.toString();
            }
        }
    }

    @TempDir private Path directory;

    @Test
    void printsALineForEachExitUntilItsReaderGoes() throws Exception {
        Tardis tardis = new Tardis(directory);
        Pipe out = new Pipe();
        try (FakeDaemon daemon =
                new FakeDaemon(tardis.environment().settings(), WatchCommandTest::answer)) {
            CompletableFuture<Integer> watch = watch(tardis, out);
            // Received or replayed: the subscription may take effect after the first message.
            await().until(() -> {
                daemon.publish(new Published.Heartbeat(BEFORE + 1, Instant.EPOCH));
                return out.text().contains("\n");
            });
            assertThat(out.text())
                    .isEqualTo(
                            "2025-04-04T19:10:59.78307293Z default/tc exited with 7 (containerd)\n");

            breakPipe(out, watch);
            assertThat(watch).isCompletedWithValue(ExitStatus.READER_GONE);
        }
    }

    @Test
    void printsThePastExitsFirstIfAskedTo() throws Exception {
        Tardis tardis = new Tardis(directory);
        Pipe out = new Pipe();
        try (FakeDaemon daemon =
                new FakeDaemon(tardis.environment().settings(), WatchCommandTest::answer)) {
            CompletableFuture<Integer> watch = watch(tardis, out, "--all");
            await().until(() -> out.text().contains("\n"));
            assertThat(daemon.queries()).contains(new Query.Replay(0, 500));

            breakPipe(out, watch);
            assertThat(watch).isCompletedWithValue(ExitStatus.READER_GONE);
        }
    }

    @Test
    void goesOnAfterWhatItPrintedTheLastTime() throws Exception {
        Tardis tardis = new Tardis(directory);
        String file = directory.resolve("position").toString();
        try (FakeDaemon daemon =
                new FakeDaemon(tardis.environment().settings(), WatchCommandTest::answer)) {
            Pipe first = new Pipe();
            CompletableFuture<Integer> watch = watch(tardis, first, "--all", "--position", file);
            await().until(() -> first.text().contains("\n"));
            breakPipe(first, watch);
            assertThat(watch).isCompletedWithValue(ExitStatus.READER_GONE);

            Pipe second = new Pipe();
            CompletableFuture<Integer> again = watch(tardis, second, "--all", "--position", file);
            await().until(() -> daemon.queries().contains(new Query.Replay(BEFORE + 1, 500)));
            breakPipe(second, again);
            assertThat(again).isCompletedWithValue(ExitStatus.READER_GONE);
            // What its reader did not get is not noted either.
            try (PositionFile position = PositionFile.open(Path.of(file))) {
                assertThat(position.position()).hasValue(BEFORE + 1);
            }
        }
    }

    @Test
    void staysWhereItWasWhenWhatItPrintsCannotBeWritten() throws Exception {
        Tardis tardis = new Tardis(directory);
        Path file = directory.resolve("position");
        try (FakeDaemon _ =
                new FakeDaemon(tardis.environment().settings(), WatchCommandTest::answer)) {
            Pipe out = new Pipe();
            out.full = true;

            CompletableFuture<Integer> watch =
                    watch(tardis, out, "--all", "--position", file.toString());

            await().until(watch::isDone);
            assertThat(watch).isCompletedWithValue(ExitStatus.FAILED);
            try (PositionFile position = PositionFile.open(file)) {
                assertThat(position.position()).hasValue(0);
            }
        }
    }

    @Test
    void saysWhatIsKnownOfAnExit() {
        ContainerKey web = new ContainerKey("k8s.io", "web");

        assertThat(WatchCommand.line(Events.exit(1, web, 0)))
                .isEqualTo("2025-04-04T19:10:59.78307293Z k8s.io/web exited with 0 (containerd)");
        assertThat(WatchCommand.line(Events.killed(1, web)))
                .isEqualTo(
                        "2025-04-04T19:10:59.78307293Z k8s.io/web exited with 137 by signal 9, out of memory (kernel)");
        assertThat(WatchCommand.line(Events.exec(1, web, "probe", 1)))
                .isEqualTo(
                        "2025-04-04T19:10:59.78307293Z k8s.io/web exec probe exited with 1 (containerd)");
    }

    private static CompletableFuture<Integer> watch(Tardis tardis, Pipe out, String... options) {
        List<String> words = new ArrayList<>(List.of("watch"));
        words.addAll(List.of(options));
        return CompletableFuture.supplyAsync(() ->
                Main.execute(
                        tardis.environment(),
                        new Output(out, () -> out.broken),
                        words.toArray(String[]::new)));
    }

    /** Nothing is published: it is to notice by itself. */
    private static void breakPipe(Pipe out, CompletableFuture<Integer> watch) {
        out.broken = true;
        await().atMost(Duration.ofSeconds(20)).until(watch::isDone);
    }

    private static Answer answer(Query query) {
        return switch (query) {
            case Query.Ping _ ->
                    new Answer.Pong("1", BEFORE, Answer.Backlog.NONE, Optional.empty());
            case Query.Replay(long after, int _) ->
                    new Answer.Events(
                            after <= BEFORE
                                    ? List.of(Events.exit(BEFORE + 1, Events.TC, 7))
                                    : List.of(),
                            1,
                            BEFORE + 1);
            default -> new Answer.Refused("bad_request", "not expected here");
        };
    }
}
