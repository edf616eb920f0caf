package io.tardis.cli;

import io.tardis.core.UnavailableException;
import io.tardis.core.config.Settings;
import io.tardis.core.wire.Answer;
import io.tardis.listener.InstanceLock;
import java.io.PrintWriter;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code tardis status}. */
@Command(
        name = "status",
        description = "Tells whether the daemon runs (exit status 0) or not (3).",
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
            out.println("no daemon runs on " + settings.stateDir());
            return ExitStatus.NOT_KNOWN;
        }
        out.println("daemon    running as process " + pid.getAsLong());
        try (DaemonQueries queries = new DaemonQueries(settings)) {
            Answer.Pong pong = queries.client().ping();
            out.println("version   " + version(pong.version()));
            out.println("last exit " + (pong.lastSeq() == 0 ? "none" : pong.lastSeq()));
            out.println("durable   " + durability(pong.backlog()));
        } catch (UnavailableException e) {
            out.println("queries   NOT ANSWERED: " + e.getMessage());
            return ExitStatus.FAILED;
        } finally {
            out.println("events    " + settings.eventsEndpoint());
            out.println("queries   " + settings.queryEndpoint());
            out.println("state     " + settings.stateDir());
            out.println("log       " + settings.logFile());
        }
        return ExitStatus.OK;
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
