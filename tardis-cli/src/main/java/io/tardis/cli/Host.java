package io.tardis.cli;

import io.tardis.core.config.Settings;

/** The process that a command runs in: a JVM of its own, or the daemon. */
interface Host {

    /** A JVM of its own. */
    Host OWN =
            new Host() {
                @Override
                public Settings settings(Environment environment) {
                    Logging.forCommand();
                    return environment.settings();
                }

                @Override
                public DaemonQueries queries(Settings settings) {
                    return DaemonQueries.open(settings);
                }

                @Override
                public boolean isAscii() {
                    return Boolean.getBoolean("tardis.ascii");
                }
            };

    /**
     * The settings. From now on warnings are printed, where that is the process's to decide.
     *
     * @throws io.tardis.core.TardisException as {@link Environment#settings}
     */
    Settings settings(Environment environment);

    /** What asks the daemon. */
    DaemonQueries queries(Settings settings);

    /** Whether the user's terminal knows ASCII only. */
    boolean isAscii();
}
