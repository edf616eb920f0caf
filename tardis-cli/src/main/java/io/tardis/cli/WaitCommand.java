package io.tardis.cli;

import io.tardis.core.UnavailableException;
import io.tardis.core.client.QueryClient;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tardis wait}. */
@Command(
        name = "wait",
        description =
                "Waits until a container has ended and prints its exit code, like 'docker wait'. Exit status 3 if the code"
                        + " cannot be known, 124 if the time is over.")
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class WaitCommand extends Subcommand {

    /**
     * One question waits this long at most; then it is asked again, so that a daemon that was
     * restarted is found.
     */
    private static final Duration ONE_QUESTION = Duration.ofSeconds(10);

    @Mixin private ContainerArgument container;

    @Option(
            names = "--timeout",
            paramLabel = "TIME",
            converter = TimeLength.class,
            description = "The longest wait, for instance 500ms, 30s or 5m. Without it, for ever.")
    private Optional<Duration> timeout;

    @Override
    boolean isServed() {
        return true;
    }

    @Override
    public Integer call() {
        long start = System.nanoTime();
        try (DaemonQueries queries = queries(settings())) {
            // Where nobody is there, that is answered now, and not when a question's wait is over.
            queries.client().ping();
            QueryClient client = queries.client();
            Optional<OfContainer> found =
                    container.find(
                            client,
                            it ->
                                    defersWaits()
                                            ? client.exitCode(it, Duration.ZERO)
                                            : ask(client, it, timeout, start));
            if (found.isEmpty()) {
                return GetCommand.notKnown(container.name(), this);
            }
            Optional<Duration> longest = timeout;
            Output output = output();
            PrintWriter err = err();
            OfContainer answer = found.get();
            return answer instanceof Answer.Running
                            || (defersWaits() && answer instanceof Answer.Lost)
                    ? await(() -> await(client, answer, longest, start, output, err))
                    : GetCommand.print(answer, output.writer(), err);
        }
    }

    /** Without the command itself: see {@link Host#await}. */
    private static int await(
            QueryClient client,
            OfContainer first,
            Optional<Duration> timeout,
            long start,
            Output output,
            PrintWriter err) {
        // It may still get a code, and was not waited for yet.
        OfContainer answer =
                first instanceof Answer.Lost
                        ? ask(client, first.container(), timeout, start)
                        : first;
        while (answer instanceof Answer.Running) {
            if (!output.isWanted()) {
                return ExitStatus.READER_GONE;
            }
            // By the clock: a daemon that stops answers before the wait is over.
            if (timeout.isPresent() && since(start).compareTo(timeout.get()) >= 0) {
                err.println(
                        "tardis: %s has not ended within %d ms"
                                .formatted(answer.container(), timeout.get().toMillis()));
                return ExitStatus.TIMEOUT;
            }
            answer = ask(client, answer.container(), timeout, start);
        }
        return GetCommand.print(answer, output.writer(), err);
    }

    private static OfContainer ask(
            QueryClient client, ContainerKey key, Optional<Duration> timeout, long start) {
        Duration left = timeout.map(it -> it.minus(since(start))).orElse(ONE_QUESTION);
        Duration wait = left.isNegative() ? Duration.ZERO : left;
        try {
            return client.exitCode(key, wait.compareTo(ONE_QUESTION) < 0 ? wait : ONE_QUESTION);
        } catch (UnavailableException e) {
            // A daemon that was restarted meanwhile has forgotten the question.
            return client.exitCode(key, Duration.ZERO);
        }
    }

    private static Duration since(long start) {
        return Duration.ofNanos(System.nanoTime() - start);
    }
}
