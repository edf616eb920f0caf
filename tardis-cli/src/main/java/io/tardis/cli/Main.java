package io.tardis.cli;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import io.tardis.core.UnavailableException;
import io.tardis.listener.AlreadyRunningException;
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
        CommandLine commandLine = commandLine(environment, output);
        return output.statusAfter(commandLine.execute(args), commandLine.getErr());
    }

    static CommandLine commandLine(Environment environment, Output output) {
        return new CommandLine(new TardisCommand())
                .addSubcommand(new DaemonCommand(environment))
                .addSubcommand(new StopCommand(environment))
                .addSubcommand(new RestartCommand(environment))
                .addSubcommand(new StatusCommand(environment))
                .addSubcommand(new GetCommand(environment))
                .addSubcommand(new WaitCommand(environment, output))
                .addSubcommand(new ListCommand(environment))
                .addSubcommand(new WatchCommand(environment, output))
                .addSubcommand(new DoctorCommand(environment))
                .addSubcommand(new BackupCommand(environment))
                .addSubcommand(new KeygenCommand())
                .setOut(output.writer())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((e, command, _) -> {
                    if (!(e instanceof TardisException)) {
                        throw e;
                    }
                    command.getErr().println("tardis: " + e.getMessage());
                    return switch (e) {
                        case AlreadyRunningException _ -> ExitStatus.ALREADY_RUNNING;
                        case SetupException _ -> ExitStatus.USAGE;
                        case UnavailableException _ -> ExitStatus.NOT_KNOWN;
                        default -> ExitStatus.FAILED;
                    };
                });
    }
}
