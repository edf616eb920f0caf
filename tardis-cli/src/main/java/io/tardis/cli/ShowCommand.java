package io.tardis.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.tardis.core.Printable;
import io.tardis.core.client.QueryClient;
import io.tardis.core.event.About;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.event.Usage;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.AnswerCodec;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.LongFunction;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tardis show}. */
@Command(
        name = "show",
        description =
                "Prints what is known of a container's newest life, and how earlier ones ended. Exit status 3 if nothing is.")
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class ShowCommand extends Subcommand {

    private enum Format {
        TEXT,
        JSON
    }

    private static final int MOST_SHOWN = 10;
    private static final List<String> HISTORY = List.of("WHEN", "ENDED", "CODE", "DURATION");

    private final InstantSource clock;

    @Mixin private ContainerArgument container;

    @Option(
            names = "-o",
            paramLabel = "FORMAT",
            defaultValue = "text",
            description = "text (the default) or json.")
    private Format format;

    ShowCommand(InstantSource clock) {
        this.clock = clock;
    }

    @Override
    boolean isServed() {
        return true;
    }

    @Override
    public Integer call() {
        try (DaemonQueries queries = queriesOrLog(settings())) {
            QueryClient client = queries.client();
            Optional<Life> found =
                    container.find(client, it -> client.exitCode(it, Duration.ZERO)).map(Life::new);
            if (found.isEmpty()) {
                return GetCommand.notKnown(container.name(), this);
            }
            List<OfContainer> earlier = History.before(found.get(), client);
            switch (format) {
                case TEXT -> print(found.get(), earlier, clock.instant());
                case JSON -> out().println(json(found.get().answer(), earlier));
            }
            return ExitStatus.OK;
        }
    }

    /** The daemon's answer, with one more key. */
    private static String json(OfContainer answer, List<OfContainer> earlier) {
        String object = json(answer);
        return earlier.stream()
                .limit(MOST_SHOWN)
                .map(ShowCommand::json)
                .collect(
                        Collectors.joining(
                                ",",
                                object.substring(0, object.length() - 1) + ",\"history\":[",
                                "]}"));
    }

    private static String json(OfContainer answer) {
        return new String(AnswerCodec.encode(answer), UTF_8);
    }

    private void print(Life life, List<OfContainer> earlier, Instant now) {
        printWho(life);
        line("status", Describe.status(life.answer()));
        life.end().map(Describe::code).ifPresent(it -> line("code", it));
        life.end().map(ExitEvent::source).map(Describe::source).ifPresent(it -> line("source", it));
        time("created", life.createdAt(), now);
        time("started", life.details().startedAt(), now);
        time("ended", life.endedAt(), now);
        life.duration(now)
                .map(Quantity::duration)
                .ifPresent(it -> line(life.isRunning() ? "runs for" : "ran for", it));
        print(life.details().usage());
        out().println();
        print(earlier, now);
    }

    private void printWho(Life life) {
        About about = life.about();
        line("container", life.container().toString());
        about.name().ifPresent(it -> line("name", it));
        about.pod().ifPresent(it -> line("pod", pod(it, about)));
        about.image().ifPresent(it -> line("image", it));
        about.command().ifPresent(it -> line("command", it));
        about.hostname().ifPresent(it -> line("hostname", it));
    }

    private static String pod(About.Pod pod, About about) {
        String container = about.podContainer().map(it -> ", container " + it).orElse("");
        return pod.namespace() + "/" + pod.name() + (about.sandbox() ? ", sandbox" : container);
    }

    private void print(Usage usage) {
        Describe.memory(usage).ifPresent(it -> line("memory", it));
        number("OOM kills", usage.oomKills(), Long::toString);
        number("CPU", usage.cpuMicros(), Quantity::micros);
        number("throttled", usage.throttledMicros(), Quantity::micros);
        number("pids", usage.pidsPeak(), it -> "peak " + it);
    }

    private void print(List<OfContainer> earlier, Instant now) {
        if (earlier.isEmpty()) {
            out().println("no earlier life is recorded");
            return;
        }
        out().println(
                        earlier.size() <= MOST_SHOWN
                                ? "earlier lives, newest first:"
                                : "the last %d of %d earlier lives, newest first:"
                                        .formatted(MOST_SHOWN, earlier.size()));
        Table table = new Table(HISTORY);
        earlier.stream()
                .limit(MOST_SHOWN)
                .map(Life::new)
                .map(it -> row(it, now))
                .forEach(table::add);
        table.print(out(), "  ");
    }

    private static List<String> row(Life life, Instant now) {
        return List.of(
                life.endedAt().map(it -> Quantity.age(it, now)).orElse("-"),
                life.endedAt().map(Rfc3339::format).orElse("-"),
                life.end().map(Describe::code).orElse(Describe.status(life.answer())),
                life.duration(now).map(Quantity::duration).orElse("-"));
    }

    private void time(String what, Optional<Instant> time, Instant now) {
        time.ifPresent(
                it -> line(what, "%s (%s)".formatted(Rfc3339.format(it), Quantity.age(it, now))));
    }

    private void number(String what, OptionalLong number, LongFunction<String> text) {
        if (number.isPresent()) {
            line(what, text.apply(number.getAsLong()));
        }
    }

    private void line(String what, String text) {
        out().println("%-9s  %s".formatted(what, Printable.of(text)));
    }
}
