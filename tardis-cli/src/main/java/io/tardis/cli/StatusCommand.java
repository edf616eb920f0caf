package io.tardis.cli;

import io.tardis.core.UnavailableException;
import io.tardis.core.config.Settings;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Health;
import io.tardis.listener.InstanceLock;
import java.io.PrintWriter;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code tardis status}. */
@Command(
        name = "status",
        description =
                "Prints whether the daemon runs and is well (exit status 0), runs and is not well (1), or does not run (3).",
        mixinStandardHelpOptions = true)
final class StatusCommand implements Callable<Integer> {

    private final Environment environment;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    StatusCommand(Environment environment) {
        this.environment = environment;
    }

    @Override
    public Integer call() {
        Logging.forCommand();
        Settings settings = environment.settings();
        PrintWriter out = spec.commandLine().getOut();
        OptionalLong pid = InstanceLock.holder(settings.stateDir());
        if (pid.isEmpty()) {
            RunningDaemon.refuseOtherDirectories(settings);
            out.println("no daemon runs on " + settings.stateDir());
            FailedStart.read(settings.runDir()).ifPresent(it -> out.println(it.describe()));
            return ExitStatus.NOT_KNOWN;
        }
        out.println("daemon    running as process " + pid.getAsLong());
        List<String> problems = List.of();
        try (DaemonQueries queries = new DaemonQueries(settings)) {
            Answer.Pong pong = queries.client().ping();
            problems = pong.problems();
            problems.forEach(it -> out.println("DEGRADED  " + it));
            out.println("version   " + version(pong.version()));
            out.println("last exit " + (pong.lastSeq() == 0 ? "none" : pong.lastSeq()));
            out.println("durable   " + durability(pong.backlog()));
            pong.health().ifPresent(it -> print(out, it, settings));
        } catch (UnavailableException e) {
            out.println("queries   NOT ANSWERED: " + e.getMessage());
            return ExitStatus.FAILED;
        } finally {
            out.println("events    " + settings.eventsEndpoint());
            out.println("queries   " + settings.queryEndpoint());
            out.println("state     " + settings.stateDir());
            out.println("log       " + settings.logFile());
        }
        return problems.isEmpty() ? ExitStatus.OK : ExitStatus.FAILED;
    }

    private static void print(PrintWriter out, Health health, Settings settings) {
        out.println("source    " + source(health.source()));
        out.println(
                "witness   "
                        + (health.witness().on() ? "on" : "off: " + health.witness().reason()));
        out.println(
                "socket    "
                        + (health.socket().ok() ? settings.socket() : health.socket().reason()));
    }

    private static String source(Health.Source source) {
        StringBuilder text = new StringBuilder();
        text.append(source.running() ? "running" : "NOT RUNNING");
        String began = source.running() ? " since " : ", started last at ";
        source.startedAt().ifPresent(it -> text.append(began).append(Rfc3339.format(it)));
        text.append(", start ").append(source.starts());
        text.append("; ").append(source.lines()).append(" lines");
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
                : ofDaemon
                        + ", NOT THIS COMMAND'S "
                        + Version.text()
                        + ": 'tardis restart' puts that in its place";
    }

    private static String durability(Answer.Backlog backlog) {
        String state =
                backlog.durable()
                        ? "yes"
                        : "NO, "
                                + backlog.unwritten()
                                + " exits are in memory only until the disk can be written";
        return backlog.dropped() == 0
                ? state
                : state + "; " + backlog.dropped() + " exits were given up since the start";
    }
}
