package io.tardis.cli;

import io.tardis.core.config.Settings;
import io.tardis.store.ExitLogBackup;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code tardis backup}. */
@Command(
        name = "backup",
        description = {
            "Copies what is recorded into FILE, whether the daemon runs or not. A FILE that is there already is never"
                    + " overwritten.",
            "To go back to it: tardis stop, copy FILE to exits.db in TARDIS_STATE_DIR, remove exits.db-wal and"
                    + " exits.db-shm there, tardis daemon --background."
        })
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class BackupCommand extends Subcommand {

    @Parameters(
            paramLabel = "FILE",
            converter = KeygenCommand.FileName.class,
            description = "Where to, such as /var/backups/exits.db.")
    private Path file;

    @Override
    public Integer call() {
        Settings settings = settings();
        ExitLogBackup.write(settings.exitLog(), file);
        return ExitStatus.OK;
    }
}
