package io.tardis.cli;

import io.tardis.core.config.Settings;
import java.util.Optional;

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
                public Optional<DaemonQueries> ofStoppedDaemon(Settings settings) {
                    return StoppedDaemonQueries.find(settings);
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

    /** What answers from the log, if no daemon runs; empty if one may. */
    Optional<DaemonQueries> ofStoppedDaemon(Settings settings);

    /** Whether the user's terminal knows ASCII only. */
    boolean isAscii();
}
