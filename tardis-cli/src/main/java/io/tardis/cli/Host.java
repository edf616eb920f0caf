package io.tardis.cli;

import io.tardis.core.config.Settings;
import java.util.Optional;
import java.util.function.IntSupplier;

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
                public int await(IntSupplier rest) {
                    return rest.getAsInt();
                }

                @Override
                public boolean defersWaits() {
                    return false;
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

    /**
     * Runs the rest of a command, which may wait for long: now, or when what read the command line
     * is gone. That takes six times the memory of a wait.
     *
     * @param rest refers neither to the command nor to its spec; returns the exit status
     * @return the exit status, if it has run now
     */
    int await(IntSupplier rest);

    /** Whether {@link #await} does not run it now. */
    boolean defersWaits();

    /** Whether the user's terminal knows ASCII only. */
    boolean isAscii();
}
