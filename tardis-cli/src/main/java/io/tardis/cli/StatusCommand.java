package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.UnavailableException;
import io.tardis.core.client.QueryClient;
import io.tardis.core.config.Settings;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.figures.Figures;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Health;
import io.tardis.listener.InstanceLock;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tardis status}. */
@Command(
        name = "status",
        description =
                "Prints whether the daemon runs and is well (exit status 0), runs and is not well (1), or does not run (3).")
final class StatusCommand extends Subcommand {

    private enum Format {
        TEXT,
        JSON
    }

    @Option(
            names = "-o",
            paramLabel = "FORMAT",
            description = "text (the default), or json: with all figures of the metrics.")
    private Format format = Format.TEXT;

    @Override
    boolean isServed() {
        return true;
    }

    @Override
    public Integer call() {
        return switch (format) {
            case TEXT -> print(settings());
            case JSON -> printJson(settings());
        };
    }

    private int printJson(Settings settings) {
        OptionalLong pid = InstanceLock.holder(settings.stateDir());
        StatusJson json = new StatusJson(settings, pid);
        if (pid.isEmpty()) {
            RunningDaemon.refuseOtherDirectories(settings);
            out().println(json.notRunning(FailedStart.describe(settings.runDir())));
            return ExitStatus.NOT_KNOWN;
        }
        try (DaemonQueries queries = queries(settings)) {
            Answer.Pong pong = queries.client().ping();
            out().println(json.running(pong, figures(queries.client())));
            return pong.problems().isEmpty() ? ExitStatus.OK : ExitStatus.FAILED;
        } catch (UnavailableException e) {
            out().println(json.notAnswering(String.valueOf(e.getMessage())));
            return ExitStatus.FAILED;
        }
    }

    private static Optional<Figures> figures(QueryClient client) {
        try {
            return Optional.of(client.figures());
        } catch (UnavailableException e) {
            throw e;
        } catch (TardisException _) {
            return Optional.empty(); // a daemon of before there were figures
        }
    }

    private int print(Settings settings) {
        OptionalLong pid = InstanceLock.holder(settings.stateDir());
        if (pid.isEmpty()) {
            RunningDaemon.refuseOtherDirectories(settings);
            out().println("no daemon runs on " + settings.stateDir());
            FailedStart.describe(settings.runDir()).ifPresent(out()::println);
            return ExitStatus.NOT_KNOWN;
        }
        print("daemon", "running as process " + pid.getAsLong());
        List<String> problems = List.of();
        try (DaemonQueries queries = queries(settings)) {
            Answer.Pong pong = queries.client().ping();
            problems = pong.problems();
            problems.forEach(it -> print("DEGRADED", it));
            print("version", version(pong.version()));
            print("last exit", pong.lastSeq() == 0 ? "none" : pong.lastSeq());
            print("durable", durability(pong.backlog()));
            pong.health().ifPresent(it -> print(it, settings));
        } catch (UnavailableException e) {
            print("queries", "NOT ANSWERED: " + e.getMessage());
            return ExitStatus.FAILED;
        } finally {
            print("events", settings.eventsEndpoint());
            print("queries", settings.queryEndpoint());
            print("state", settings.stateDir());
            print("log", settings.logFile());
        }
        return problems.isEmpty() ? ExitStatus.OK : ExitStatus.FAILED;
    }

    private void print(String what, Object text) {
        out().println("%-9s %s".formatted(what, text));
    }

    private void print(Health health, Settings settings) {
        Health.Witness witness = health.witness();
        Health.Socket socket = health.socket();
        print("source", source(health.source()));
        print("witness", witness.on() ? "on" : "off: " + witness.reason());
        print("socket", socket.ok() ? settings.socket() : socket.reason());
        print("clients", clients(health.clients(), settings));
    }

    private static String clients(Health.Clients clients, Settings settings) {
        String refused = "; %d connections of others were refused".formatted(clients.refused());
        return Admission.describe(settings) + (clients.refused() == 0 ? "" : refused);
    }

    private static String source(Health.Source source) {
        StringBuilder text = new StringBuilder();
        text.append(source.running() ? "running" : "NOT RUNNING");
        String began = source.running() ? " since " : ", started last at ";
        source.startedAt().ifPresent(it -> text.append(began).append(Rfc3339.format(it)));
        text.append(", start %d; %d lines".formatted(source.starts(), source.lines()));
        source.lastLineAt()
                .ifPresent(it -> text.append(", the last at ").append(Rfc3339.format(it)));
        if (!source.lastEnd().isEmpty()) {
            text.append("; before that ").append(source.lastEnd());
        }
        if (!source.lastStderr().isEmpty() && !source.lastEnd().endsWith(source.lastStderr())) {
            text.append("; its last error: ").append(source.lastStderr());
        }
        return text.toString();
    }

    /** They differ after an upgrade, until somebody restarts the daemon. */
    private static String version(String ofDaemon) {
        return ofDaemon.equals(Version.text())
                ? ofDaemon
                : "%s, NOT THIS COMMAND'S %s: 'tardis restart' puts that in its place"
                        .formatted(ofDaemon, Version.text());
    }

    private static String durability(Answer.Backlog backlog) {
        String unwritten =
                "NO, %d exits are in memory only until the exit log can be written"
                        .formatted(backlog.unwritten());
        String dropped = "; %d exits were given up since the start".formatted(backlog.dropped());
        return (backlog.durable() ? "yes" : unwritten) + (backlog.dropped() == 0 ? "" : dropped);
    }
}
