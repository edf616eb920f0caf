package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.config.Settings;
import picocli.CommandLine.Command;

/** {@code tardis doctor}. */
@Command(
        name = "doctor",
        description = {
            "Tries what the daemon needs, without starting it or changing anything, and prints a line for each: ok, WARN or"
                    + " FAIL, and what to do.",
            "Exit status 1 if there is a FAIL."
        })
final class DoctorCommand extends Subcommand {

    @Override
    public Integer call() {
        Examination examination = new Examination(out());
        try {
            Settings settings = settings();
            examination.ok("settings", environment().settingsFile() + " and the environment");
            examination.of(settings);
        } catch (TardisException e) {
            String.valueOf(e.getMessage()).lines().forEach(it -> examination.fail("settings", it));
            examination.ofMachine(); // what else there is depends on the settings
        }
        return examination.hasFailed() ? ExitStatus.FAILED : ExitStatus.OK;
    }
}
