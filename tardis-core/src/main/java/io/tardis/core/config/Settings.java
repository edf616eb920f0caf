package io.tardis.core.config;

import io.tardis.core.curve.CurveKeys;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * The settings of one Tardis, checked. {@link SettingsReader} makes it; {@link Setting} says what
 * each is for.
 *
 * @param stateDir an absolute path
 * @param runDir an absolute path
 * @param checkpointDir an absolute path
 * @param logFile an absolute path
 * @param logLevel {@code ERROR} to {@code TRACE}
 * @param realRuncCommand the real runtime; empty to look for {@code runc} on {@code PATH}
 * @param ctrCommand the event source's program and arguments, at least one word
 * @param eventsEndpoint where to publish, as ZeroMQ spells endpoints
 * @param queryEndpoint where to answer, as ZeroMQ spells endpoints
 * @param record whose codes are set
 * @param retention how long a life's record stays after its end
 * @param replay how long an event can be replayed
 * @param deleteWait the longest wait for a code at delete
 * @param kernelWitness whether the kernel is asked how processes end, where it can tell
 * @param curve the keys for everything that goes over TCP; without them both endpoints are loopback
 *     addresses
 * @param limits how much of the daemon others can take
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
        RecordScope record,
        Duration retention,
        Duration replay,
        Duration deleteWait,
        boolean kernelWitness,
        Optional<CurveKeys> curve,
        Limits limits) {

    public Settings {
        ctrCommand = List.copyOf(ctrCommand);
    }

    /** The daemon's socket for the runc shim and for {@code tardis} commands. */
    public Path socket() {
        return runDir.resolve(Layout.SOCKET);
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
