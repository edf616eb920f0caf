package io.tardis.cli;

import io.tardis.core.config.Settings;
import io.tardis.core.config.SettingsReader;
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
     * @throws io.tardis.core.TardisException if this user may not read them
     */
    Settings settings() {
        return SettingsReader.strict(variables);
    }

    /**
     * Whether a service manager started this process: by that variable systemd is known. Neither
     * the launcher nor a command hands it on to a daemon.
     */
    boolean isService() {
        return variables.containsKey("INVOCATION_ID");
    }

    /** Where the settings are; it may not exist. */
    String settingsFile() {
        String configured = variables.getOrDefault(SettingsReader.CONFIG_KEY, "");
        return configured.isEmpty() ? SettingsReader.DEFAULT_FILE.toString() : configured;
    }
}
