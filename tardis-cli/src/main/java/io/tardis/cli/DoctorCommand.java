package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.config.Settings;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code tardis doctor}. */
@Command(
        name = "doctor",
        description = {
            "Tries what the daemon needs, without starting it or changing anything, and prints a line for each: ok, WARN or"
                    + " FAIL, and what to do.",
            "Exit status 1 if there is a FAIL."
        },
        mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {

    private final Environment environment;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    DoctorCommand(Environment environment) {
        this.environment = environment;
    }

    @Override
    public Integer call() {
        Logging.forCommand();
        PrintWriter out = spec.commandLine().getOut();
        Examination examination = new Examination(finding -> out.println(finding.line()));
        try {
            Settings settings = environment.settings();
            examination.ok("settings", environment.settingsFile() + " and the environment");
            examination.of(settings);
        } catch (TardisException e) {
            String.valueOf(e.getMessage()).lines().forEach(it -> examination.fail("settings", it));
            examination.ofMachine(); // what else there is depends on the settings
        }
        return examination.hasFailed() ? ExitStatus.FAILED : ExitStatus.OK;
    }
}
