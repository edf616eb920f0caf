package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.figures.Meter;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Query;
import io.tardis.listener.InstanceLock;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Every command, most in a process of its own, whose output nobody gets. */
@Timeout(180)
class FailedOutputTest {

    private static final String FULL =
            "tardis: standard output cannot be written: No space left on device\n";
    private static final int AT_ONCE = 3;
    private static final int PATIENCE_SECONDS = 60;

    @TempDir private Path directory;

    @Test
    void everyCommandFailsWhereItsOutputCannotBeWritten() throws Exception {
        try (Node node = new Node(directory)) {
            for (Tardis.Result result : node.runAll(true, commandsThatPrint())) {
                assertThat(result.status()).as(result.out()).isEqualTo(ExitStatus.FAILED);
                assertThat(result.err()).as(result.out()).isEqualTo(FULL);
            }
            assertThat(directory.resolve("position")).content().contains("\n0 ");
        }
    }

    /** One process for all of them: nothing but the words differs. */
    @Test
    void everyUsageFailsWhereItCannotBeWritten() throws Exception {
        Tardis tardis = new Tardis(directory);
        Set<String> commands =
                Main.commandLine(tardis.environment(), Output.standard()).getSubcommands().keySet();
        for (String command : commands) {
            try (OutputStream full = Files.newOutputStream(Path.of("/dev/full"))) {
                assertThat(tardis.runInto(full, command, "--help"))
                        .as(command)
                        .isEqualTo(new Tardis.Result(ExitStatus.FAILED, "", FULL));
            }
        }
        assertThat(commands).contains("daemon", "keygen");
    }

    @Test
    void everyCommandEndsQuietlyWhereItsReaderHasGone() throws Exception {
        try (Node node = new Node(directory)) {
            for (Tardis.Result result : node.runAll(false, commandsThatPrint())) {
                assertThat(result.status()).as(result.out()).isEqualTo(ExitStatus.READER_GONE);
                assertThat(result.err()).as(result.out()).isEmpty();
            }
        }
    }

    @Test
    void watchBeginsANewLineAfterOneThatAFullDiskTore() throws Exception {
        Path log = Files.writeString(directory.resolve("log"), "2025-04-04T19:1");
        try (Node node = new Node(directory)) {
            Process watch =
                    node.builder(
                                    List.of(
                                            "watch",
                                            "--all",
                                            "--position",
                                            directory.resolve("position").toString()))
                            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                            .start();
            try {
                await().atMost(Duration.ofSeconds(PATIENCE_SECONDS))
                        .until(() -> Files.readString(log).contains("(containerd)\n"));
            } finally {
                watch.destroyForcibly();
            }
        }
        assertThat(log)
                .hasContent(
                        "2025-04-04T19:1\n"
                                + "2025-04-04T19:10:59.78307293Z default/tc exited with 7 (containerd)");
    }

    /** Nothing is printed: it has to find out by itself. */
    @Test
    void watchEndsWithItsReaderAlsoWhereNothingHappens() throws Exception {
        try (Node node = new Node(directory)) {
            assertThat(node.run(false, List.of("watch")).status())
                    .isEqualTo(ExitStatus.READER_GONE);
        }
    }

    @Test
    void aFullDiskLeavesNoKey() throws Exception {
        Path keys = Files.createDirectory(directory.resolve("keys"));
        Tardis tardis = new Tardis(directory);
        List<String> command =
                new ArrayList<>(List.of("sh", "-c", "ulimit -f 0; exec \"$@\"", "sh"));
        command.addAll(tardis.javaCommand());
        command.addAll(List.of("keygen", keys.resolve("me").toString()));

        Process keygen =
                tardis.builder(command)
                        .redirectOutput(new File("/dev/null"))
                        .redirectError(new File("/dev/null"))
                        .start();

        assertThat(keygen.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(keygen.exitValue()).isEqualTo(ExitStatus.USAGE);
        assertThat(keys).isEmptyDirectory();
    }

    private List<List<String>> commandsThatPrint() {
        return List.of(
                List.of("--help"),
                List.of("--version"),
                List.of("get", "tc"),
                List.of("wait", "tc"),
                List.of("show", "tc"),
                List.of("ls"),
                List.of("ls", "-o", "json"),
                List.of("watch", "--all"),
                List.of("watch", "--all", "--position", directory.resolve("position").toString()),
                List.of("status"),
                List.of("keygen", directory.resolve("me").toString()));
    }

    /** A daemon, and commands that ask it. */
    private static final class Node implements AutoCloseable {
        private final Tardis tardis;
        private final InstanceLock lock;
        private final FakeDaemon daemon;

        Node(Path directory) throws IOException {
            tardis = new Tardis(directory);
            Directories.makePrivate(tardis.stateDir());
            lock = InstanceLock.take(tardis.stateDir());
            daemon = new FakeDaemon(tardis.environment().settings(), Node::answer);
        }

        private static Answer answer(Query query) {
            return switch (query) {
                case Query.AskFigures _ -> new Answer.Counted(new Meter().read(0, 0, 0));
                case Query.Ping _ ->
                        new Answer.Pong(Version.text(), 1, Answer.Backlog.NONE, Optional.empty());
                case Query.Replay(long after, int _) ->
                        new Answer.Events(
                                after == 0 ? List.of(Events.exit(1, Events.TC, 7)) : List.of(),
                                1,
                                1);
                case Query.ListContainers _ ->
                        new Answer.Containers(List.of(Events.exited(Events.TC, 7)));
                case Query.ExitCode _ -> Events.exited(Events.TC, 7);
            };
        }

        List<Tardis.Result> runAll(boolean toFullDisk, List<List<String>> commands)
                throws Exception {
            try (ExecutorService pool = Executors.newFixedThreadPool(AT_ONCE)) {
                List<Tardis.Result> results = new ArrayList<>();
                for (Future<Tardis.Result> it :
                        pool.invokeAll(
                                commands.stream()
                                        .<java.util.concurrent.Callable<Tardis.Result>>map(
                                                command -> () -> run(toFullDisk, command))
                                        .toList())) {
                    results.add(it.get());
                }
                return results;
            }
        }

        ProcessBuilder builder(List<String> arguments) throws IOException {
            List<String> command = new ArrayList<>(tardis.javaCommand());
            command.addAll(arguments);
            return tardis.builder(command);
        }

        /** The result's output is the command line: there is no other. */
        Tardis.Result run(boolean toFullDisk, List<String> arguments)
                throws IOException, InterruptedException {
            ProcessBuilder builder = builder(arguments);
            if (toFullDisk) {
                builder.redirectOutput(new File("/dev/full"));
            }
            Process process = builder.start();
            process.getInputStream().close(); // the pipe has no reader from now on
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new AssertionError(arguments + " does not end");
            }
            return new Tardis.Result(
                    process.exitValue(),
                    String.join(" ", arguments),
                    new String(
                            process.getErrorStream().readAllBytes(),
                            java.nio.charset.StandardCharsets.UTF_8));
        }

        @Override
        public void close() {
            daemon.close();
            lock.close();
        }
    }
}
