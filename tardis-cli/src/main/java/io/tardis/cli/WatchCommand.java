package io.tardis.cli;

import io.tardis.core.client.ExitSubscriber;
import io.tardis.core.client.PositionFile;
import io.tardis.core.config.Settings;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.event.TaskExit;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tardis watch}. */
@Command(name = "watch", description = "Prints a line for each exit from now on, until Ctrl-C.")
final class WatchCommand extends Subcommand {

    /** How soon it notices that its reader has gone, also where nothing happens. */
    private static final Duration POLL = Duration.ofMillis(200);

    @Option(
            names = "--all",
            description = "First prints the past exits that are still kept (TARDIS_REPLAY).")
    private boolean all;

    @Option(
            names = "--position",
            paramLabel = "FILE",
            description = {
                "Goes on after the exit that was printed last with this FILE, and notes in it what"
                        + " is printed.",
                "A new FILE begins with what comes from now on, or, with --all, with the past."
            })
    private @Nullable Path file;

    @Override
    public Integer call() {
        Settings settings = settings();
        try (DaemonQueries queries = DaemonQueries.open(settings);
                PositionFile position = file == null ? null : PositionFile.open(file)) {
            long newest = queries.client().ping().lastSeq();
            long begin = all ? 0 : newest;
            if (position != null) {
                begin = position.position().orElse(begin);
                position.acknowledge(begin);
                output().beginLine();
            }
            watch(queries, settings, begin, position);
        }
        return ExitStatus.READER_GONE; // unless the output says that something else is wrong
    }

    private void watch(
            DaemonQueries queries, Settings settings, long after, @Nullable PositionFile position) {
        try (ExitSubscriber exits =
                new ExitSubscriber(
                        queries.context(),
                        settings.eventsEndpoint(),
                        settings.queryEndpoint(),
                        after)) {
            while (output().isWanted()) {
                ExitEvent event = exits.next(POLL);
                if (event != null) {
                    out().println(line(event));
                    if (position != null && output().force()) {
                        position.acknowledge(event.seq());
                    }
                }
            }
        }
    }

    static String line(ExitEvent event) {
        TaskExit exit = event.exit();
        return "%s %s%s exited with %d%s%s (%s)"
                .formatted(
                        Rfc3339.format(exit.exitedAt()),
                        exit.container(),
                        exit.isContainerExit() ? "" : " exec " + exit.id(),
                        exit.exitStatus(),
                        event.signal().isPresent() ? " by signal " + event.signal().getAsInt() : "",
                        event.oomKilled() ? ", out of memory" : "",
                        event.source().word());
    }
}
