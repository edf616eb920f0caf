package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.config.Settings;
import io.tardis.core.config.SettingsReader;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.AccessMode;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;

/**
 * The environment of this process.
 *
 * @param variables its variables
 */
record Environment(Map<String, String> variables) {

    Environment {
        variables = Map.copyOf(variables);
    }

    /**
     * The settings; every command refuses bad ones.
     *
     * @throws io.tardis.core.SetupException if one is bad
     * @throws TardisException if this user may not read them
     */
    Settings settings() {
        refuseUnreadable(settingsFile());
        return SettingsReader.strict(variables);
    }

    /** Where the settings are; it may not exist. */
    String settingsFile() {
        String configured = variables.getOrDefault(SettingsReader.CONFIG_KEY, "");
        return configured.isEmpty() ? SettingsReader.DEFAULT_FILE.toString() : configured;
    }

    /** They are right, as far as this user can see: so nobody has to mend them. */
    private static void refuseUnreadable(String file) {
        try {
            Path path = Path.of(file);
            path.getFileSystem().provider().checkAccess(path, AccessMode.READ);
        } catch (AccessDeniedException e) {
            throw new TardisException("cannot tell: permission denied on " + file, e);
        } catch (IOException | InvalidPathException _) {
            return; // what is wrong with it, if anything is, the reader of the settings says
        }
    }
}
