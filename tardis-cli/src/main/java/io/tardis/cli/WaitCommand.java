package io.tardis.cli;

import io.tardis.core.UnavailableException;
import io.tardis.core.client.QueryClient;
import io.tardis.core.config.SettingParser;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import java.time.Duration;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

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

    @Parameters(
            paramLabel = "[NS/]ID",
            converter = ContainerName.class,
            description = "The container; namespace 'default' if left out.")
    private ContainerKey container;

    @Option(
            names = "--timeout",
            paramLabel = "TIME",
            converter = TimeLength.class,
            description = "The longest wait, for instance 500ms, 30s or 5m. Without it, for ever.")
    private Optional<Duration> timeout;

    /** Reads a length of time as settings write it. */
    static final class TimeLength implements ITypeConverter<Duration> {
        @Override
        public Duration convert(String text) {
            try {
                return SettingParser.duration(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException("'" + text + "' is " + e.getMessage());
            }
        }
    }

    @Override
    public Integer call() {
        long start = System.nanoTime();
        try (DaemonQueries queries = DaemonQueries.open(settings())) {
            // Where nobody is there, that is answered now, and not when a question's wait is over.
            queries.client().ping();
            while (true) {
                Duration left = timeout.map(it -> it.minus(since(start))).orElse(ONE_QUESTION);
                Answer.OfContainer answer = ask(queries.client(), left);
                if (!(answer instanceof Answer.Running)) {
                    return GetCommand.print(answer, this);
                }
                if (!output().isWanted()) {
                    return ExitStatus.READER_GONE;
                }
                // By the clock: a daemon that stops answers before the wait is over.
                if (timeout.isPresent() && since(start).compareTo(timeout.get()) >= 0) {
                    err().println(
                                    "tardis: %s has not ended within %d ms"
                                            .formatted(container, timeout.get().toMillis()));
                    return ExitStatus.TIMEOUT;
                }
            }
        }
    }

    private Answer.OfContainer ask(QueryClient client, Duration left) {
        Duration wait = left.isNegative() ? Duration.ZERO : left;
        try {
            return client.exitCode(
                    container, wait.compareTo(ONE_QUESTION) < 0 ? wait : ONE_QUESTION);
        } catch (UnavailableException e) {
            // A daemon that was restarted meanwhile has forgotten the question.
            return client.exitCode(container, Duration.ZERO);
        }
    }

    private static Duration since(long start) {
        return Duration.ofNanos(System.nanoTime() - start);
    }
}
