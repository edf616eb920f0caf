package io.tardis.cli;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import io.tardis.core.UnavailableException;
import io.tardis.listener.AlreadyRunningException;
import java.io.PrintWriter;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import picocli.CommandLine;

/** The {@code tardis} command. */
public final class Main {

    private Main() {}

    /**
     * Runs one command and ends the process with its exit status.
     *
     * @param args the command line
     */
    public static void main(String[] args) {
        Environment environment = new Environment(System.getenv());
        int status = execute(environment, Output.standard(), args);
        Logging.flush();
        System.exit(status);
    }

    /** Runs one command; returns the exit status of the process. */
    static int execute(Environment environment, Output output, String... args) {
        if (args.length == 1 && args[0].equals("daemon")) {
            return runDaemon(environment);
        }
        CommandLine commandLine = commandLine(environment, output, args);
        return output.statusAfter(commandLine.execute(args), commandLine.getErr());
    }

    /**
     * What the launcher starts, and a container waits for. No option is to be read, and picocli's
     * classes, which no archive takes, would be a sixth of the daemon's start.
     */
    private static int runDaemon(Environment environment) {
        try {
            return new DaemonCommand(environment).call();
        } catch (TardisException e) {
            System.err.println("tardis: " + e.getMessage());
            return statusAfter(e);
        }
    }

    /**
     * What reads a command line: the whole one that {@code tardis --help} shows, or, where the
     * first word names a command, that command alone. Picocli looks at each class that it is given,
     * which took 30 of the 370 ms of a short command.
     */
    static CommandLine commandLine(Environment environment, Output output, String... args) {
        return commandLine(environment, output, Host.OWN, args);
    }

    /** The same, for a command in another process. */
    static CommandLine commandLine(
            Environment environment, Output output, Host host, String... args) {
        Map<String, Supplier<Object>> commands = new LinkedHashMap<>();
        commands.put("daemon", () -> new DaemonCommand(environment));
        commands.put("stop", StopCommand::new);
        commands.put("restart", RestartCommand::new);
        commands.put("status", StatusCommand::new);
        commands.put("get", GetCommand::new);
        commands.put("wait", WaitCommand::new);
        commands.put("show", () -> new ShowCommand(InstantSource.system()));
        commands.put("ls", () -> new ListCommand(InstantSource.system()));
        commands.put("report", () -> new ReportCommand(InstantSource.system()));
        commands.put("watch", () -> new WatchCommand(InstantSource.system()));
        commands.put("doctor", DoctorCommand::new);
        commands.put("backup", BackupCommand::new);
        commands.put("keygen", KeygenCommand::new);
        if (args.length > 0 && commands.containsKey(args[0])) {
            commands.keySet().retainAll(Set.of(args[0]));
        }
        CommandLine commandLine = new CommandLine(new TardisCommand(environment, output, host));
        commands.forEach((name, command) -> commandLine.addSubcommand(name, command.get()));
        return commandLine
                .setOut(output.writer())
                .setCaseInsensitiveEnumValuesAllowed(true)
                // Who may run a command as root must not read root's files by its messages.
                .setExpandAtFiles(false)
                .setExecutionExceptionHandler((e, command, _) -> {
                    if (!(e instanceof TardisException failure)) {
                        throw e;
                    }
                    command.getErr().println("tardis: " + e.getMessage());
                    return statusAfter(failure);
                });
    }

    /** The exit status of the rest of a command; says on {@code err} why it failed. */
    static int statusOf(IntSupplier rest, PrintWriter err) {
        try {
            return rest.getAsInt();
        } catch (TardisException e) {
            err.println("tardis: " + e.getMessage());
            return statusAfter(e);
        }
    }

    private static int statusAfter(TardisException failure) {
        return switch (failure) {
            case AlreadyRunningException _ -> ExitStatus.ALREADY_RUNNING;
            case SetupException _, AmbiguousNameException _ -> ExitStatus.USAGE;
            case UnavailableException _ -> ExitStatus.NOT_KNOWN;
            default -> ExitStatus.FAILED;
        };
    }
}
