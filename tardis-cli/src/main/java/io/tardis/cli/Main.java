package io.tardis.cli;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import io.tardis.core.UnavailableException;
import io.tardis.listener.AlreadyRunningException;
import java.util.List;
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
        if (args.length > 0 && args[0].equals("shim")) {
            // Between containerd and runc every millisecond counts: no command line library, no
            // console.
            ShimCommand.run(List.of(args).subList(1, args.length), environment);
            System.exit(ExitStatus.OK);
        }
        System.exit(commandLine(environment).execute(args));
    }

    static CommandLine commandLine(Environment environment) {
        return new CommandLine(new TardisCommand())
                .addSubcommand(new DaemonCommand(environment))
                .addSubcommand(new StopCommand(environment))
                .addSubcommand(new RestartCommand(environment))
                .addSubcommand(new StatusCommand(environment))
                .addSubcommand(new GetCommand(environment))
                .addSubcommand(new WaitCommand(environment))
                .addSubcommand(new ListCommand(environment))
                .addSubcommand(new WatchCommand(environment))
                .addSubcommand(new BackupCommand(environment))
                .addSubcommand(new KeygenCommand())
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
