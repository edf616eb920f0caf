package io.tardis.core.config;

import io.tardis.core.curve.CurveKeys;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * The settings of one Tardis, checked. {@link SettingsReader} makes it; {@link Setting} says what
 * each is for. Paths are absolute.
 *
 * @param realRuncCommand empty to look for {@code runc} on {@code PATH}
 * @param ctrCommand program and arguments, at least one word
 * @param curve the keys for everything that goes over TCP; without them both endpoints are loopback
 *     addresses
 * @param metricsEndpoint where Prometheus can scrape, {@code tcp://ADDRESS:PORT}; empty for nowhere
 */
public record Settings(
        Path stateDir,
        Path runDir,
        Path checkpointDir,
        Path logFile,
        String logLevel,
        Optional<String> realRuncCommand,
        List<String> ctrCommand,
        String eventsEndpoint,
        String queryEndpoint,
        Optional<String> metricsEndpoint,
        RecordScope record,
        Duration retention,
        Duration replay,
        Duration deleteWait,
        boolean kernelWitness,
        Access access,
        Optional<CurveKeys> curve,
        Limits limits) {

    public Settings {
        ctrCommand = List.copyOf(ctrCommand);
    }

    /**
     * The daemon's socket for the runc shim; {@code tardis} commands look whether somebody is
     * there.
     */
    public Path socket() {
        return runDir.resolve(Layout.SOCKET);
    }

    /** The daemon's socket for the native {@code tardis}. */
    public Path clientSocket() {
        return runDir.resolve(Layout.CLIENT_SOCKET);
    }

    /** The registry of enabled containers, and what is kept for each: {@code NS/ID/}. */
    public Path containersDir() {
        return stateDir.resolve(Layout.CONTAINERS);
    }

    /** The exit log. */
    public Path exitLog() {
        return stateDir.resolve(Layout.EXIT_LOG);
    }
}
