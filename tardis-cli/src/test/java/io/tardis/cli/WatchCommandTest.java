package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.client.PositionFile;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.wire.Query;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
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

    @Test
    void saysWhoItWasAndWhy() {
        Lives.Builder pod = Lives.inPod("tc", "shop", "web-0", "nginx").withUsage();

        assertThat(WatchCommand.line(pod.exit(1, 137, OptionalInt.of(9), true, ExitSource.KERNEL)))
                .isEqualTo(
                        "2025-04-04T19:00:47.3Z k8s.io/tc exited with 137 by signal 9, out of"
                                + " memory: peak 511.8 of 512.0 MiB (kernel) pod/web-0/nginx");
        assertThat(WatchCommand.line(Lives.named("moby", "tc", "a\u001b[2J\u202e").exit(1, 0)))
                .endsWith("exited with 0 (kernel) a?[2J?");
    }

    @Test
    void printsThePastExitsOfSomeTime() throws Exception {
        long second = Instant.now().getEpochSecond() - Lives.BEGIN.getEpochSecond();
        Lives.Builder web = Lives.named("moby", "web", "web");
        List<ExitEvent> log =
                List.of(web.at(second - 7200).exit(1, 1), web.at(second - 600).exit(2, 2));

        assertThat(lines(log, 1, "--since", "1h"))
                .satisfiesExactly(it -> assertThat(it).contains("exited with 2"));
        // What comes from now on is printed, whatever its time.
        assertThat(lines(log, 1, 1, "--since", "1s"))
                .satisfiesExactly(it -> assertThat(it).contains("exited with 2"));
    }

    @Test
    void printsWhatPassesItsFilters() throws Exception {
        List<ExitEvent> log =
                List.of(
                        Lives.named("moby", "db", "db").exit(1, 0),
                        Lives.inPod("a", "shop", "web-0", "nginx").exit(2, 1),
                        Events.exec(3, new ContainerKey("k8s.io", "a"), "probe", 1),
                        Events.killed(4, new ContainerKey("default", "k")),
                        Lives.inPod("b", "shop", "web-1", "nginx").exit(5, 0));

        assertThat(numbers(log, 3, "--failed")).containsExactly("2", "3", "4");
        assertThat(numbers(log, 1, "--oom")).containsExactly("4");
        assertThat(numbers(log, 1, "--pod", "web-0")).containsExactly("2");
        assertThat(numbers(log, 1, "--pod", "shop/web-1")).containsExactly("5");
        assertThat(numbers(log, 2, "--image", "example.org")).containsExactly("2", "5");
        assertThat(numbers(log, 3, "-n", "k8s.io")).containsExactly("2", "3", "5");
        assertThat(numbers(log, 1, "-n", "k8s.io", "--failed", "--image", "nginx"))
                .containsExactly("2");
    }

    @Test
    void printsEachExitAsItWasPublished() throws Exception {
        ExitEvent event = Lives.named("moby", "db", "db").withUsage().exit(1, 7);

        assertThat(lines(List.of(event), 1, "--all", "-o", "jsonl"))
                .containsExactly(
                        new String(
                                PublishedCodec.encode(new Published.Exit(event)),
                                StandardCharsets.UTF_8));
    }

    @Test
    void passesWhatItsFiltersHideWhenItGoesOnLater() throws Exception {
        Path file = directory.resolve("position");
        List<ExitEvent> log =
                List.of(
                        Lives.named("moby", "a", "a").exit(1, 7),
                        Lives.named("moby", "b", "b").exit(2, 0));

        Tardis tardis = new Tardis(directory);
        Pipe out = new Pipe();
        try (FakeDaemon _ = new FakeDaemon(tardis.environment().settings(), Lives.daemon(log))) {
            CompletableFuture<Integer> watch =
                    watch(tardis, out, "--all", "--failed", "--position", file.toString());
            await().until(() -> Files.exists(file) && Files.readString(file).contains("\n2 "));
            breakPipe(out, watch);
        }

        assertThat(out.text()).hasLineCount(1).contains("moby/a exited with 7");
    }

    @Test
    void skipsNothingThatItMissedWhateverItsTime() throws Exception {
        Path file = directory.resolve("position");
        try (PositionFile position = PositionFile.open(file)) {
            position.acknowledge(1);
        }
        List<ExitEvent> log =
                List.of(
                        Lives.named("moby", "a", "a").exit(1, 7),
                        Lives.named("moby", "b", "b").exit(2, 0));

        assertThat(lines(log, 1, "--since", "1s", "--position", file.toString()))
                .satisfiesExactly(it -> assertThat(it).contains("moby/b exited with 0"));
    }

    @Test
    void refusesBadOptions() throws Exception {
        Tardis tardis = new Tardis(directory);

        assertThat(tardis.run("watch", "--all", "--since", "2h").err())
                .startsWith("--all and --since exclude each other");
        assertThat(tardis.run("watch", "-n", "a/b").err()).startsWith("'a/b' is not a namespace");
        assertThat(tardis.run("watch", "-o", "json").status()).isEqualTo(2);
    }

    private List<String> numbers(List<ExitEvent> log, int count, String... filters)
            throws Exception {
        List<String> options = new ArrayList<>(List.of("--all", "-o", "jsonl"));
        options.addAll(List.of(filters));
        return lines(log, count, options.toArray(String[]::new)).stream()
                .map(it -> it.replaceAll(".*\"seq\":([0-9]+),.*", "$1"))
                .toList();
    }

    private List<String> lines(List<ExitEvent> log, int count, String... options) throws Exception {
        return lines(log, log.getLast().seq(), count, options);
    }

    /**
     * What is printed of a log.
     *
     * @param newest the number of the newest exit when the command begins
     * @param count how many lines to wait for
     */
    private List<String> lines(List<ExitEvent> log, long newest, int count, String... options)
            throws Exception {
        Tardis tardis = new Tardis(directory);
        Pipe out = new Pipe();
        Function<Query, Answer> known = Lives.daemon(log);
        try (FakeDaemon _ =
                new FakeDaemon(
                        tardis.environment().settings(),
                        query ->
                                query instanceof Query.Ping
                                        ? new Answer.Pong(
                                                "1", newest, Answer.Backlog.NONE, Optional.empty())
                                        : known.apply(query))) {
            CompletableFuture<Integer> watch = watch(tardis, out, options);
            await().until(() -> out.text().lines().count() >= count);
            breakPipe(out, watch);
        }
        return out.text().lines().toList();
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
