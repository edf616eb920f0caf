package io.tardis.cli;

import io.tardis.core.config.Settings;
import io.tardis.core.config.SettingsReader;

/** The settings of this process's environment; every command refuses bad ones. */
final class Environment {

    private Environment() {}

    static Settings settings() {
        return SettingsReader.strict(System.getenv());
    }
}
