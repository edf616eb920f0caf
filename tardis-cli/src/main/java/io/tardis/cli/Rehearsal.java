package io.tardis.cli;

import io.tardis.core.SetupException;
import io.tardis.core.config.Settings;
import io.tardis.core.curve.CurveClients;
import io.tardis.listener.InstanceLock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Tries all that a new daemon needs before the one that runs is asked to end: a daemon that cannot
 * live must not take the place of one that can.
 */
final class Rehearsal {

    /** More than a new daemon writes before it answers. */
    private static final int BYTES = 64 * 1024;

    private Rehearsal() {}

    /**
     * Tries it.
     *
     * @param settings those of the new daemon
     * @param running the process of the daemon whose place it is to take: what that has will be
     *     free
     * @throws SetupException if something is missing; names it
     */
    static void of(Settings settings, OptionalLong running) {
        try {
            List<String> endpoints = new ArrayList<>();
            endpoints.add(settings.eventsEndpoint());
            endpoints.add(settings.queryEndpoint());
            settings.metricsEndpoint().ifPresent(endpoints::add);
            for (String endpoint : endpoints) {
                Optional<String> problem = ListeningSockets.problem(endpoint, running);
                OptionalLong now = InstanceLock.holder(settings.stateDir());
                if (problem.isPresent() && !now.equals(running)) { // another one has taken over
                    problem = ListeningSockets.problem(endpoint, now);
                }
                if (problem.isPresent()) {
                    throw new SetupException(problem.get());
                }
            }
        } catch (IOException e) {
            throw new SetupException("it cannot be found out who has the ports: " + e, e);
        }
        settings.curve().ifPresent(CurveClients::open);
        Directories.makePrivate(settings.stateDir());
        Directories.makeRunDir(settings);
        write(settings.stateDir());
        write(settings.runDir());
        Path _ = Logging.openable(settings.logFile());
    }

    private static void write(Path directory) {
        Path file = directory.resolve(".rehearsal");
        try {
            Files.write(
                    file,
                    new byte[BYTES],
                    StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE,
                    StandardOpenOption.SYNC,
                    StandardOpenOption.DELETE_ON_CLOSE);
        } catch (IOException e) {
            throw new SetupException(directory + " cannot be written: " + e, e);
        }
    }
}
