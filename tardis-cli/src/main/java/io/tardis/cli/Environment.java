package io.tardis.cli;

import io.tardis.core.config.Settings;
import io.tardis.core.config.SettingsReader;
import java.util.Map;
import java.util.Optional;

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
     */
    Settings settings() {
        return SettingsReader.strict(variables);
    }

    /** The settings for the shim; nothing where it cannot know the directories that are meant. */
    Optional<Settings> lenientSettings() {
        return SettingsReader.lenient(variables);
    }
}
