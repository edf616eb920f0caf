package io.tardis.cli;

import io.tardis.core.config.Settings;
import io.tardis.listener.AlreadyRunningException;
import io.tardis.listener.EventSource;
import io.tardis.listener.InstanceLock;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How a daemon gets the place of the one that runs, so that one of them hears each exit. */
final class TakeOver {

    private static final Logger LOG = LoggerFactory.getLogger(TakeOver.class);
    private static final Duration OVERLAP = Duration.ofSeconds(2);
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Duration POLL = Duration.ofMillis(20);

    private TakeOver() {}

    /**
     * The lock of the state directory, whose daemon, if there is one, has ended then.
     *
     * @param source the event source of the new daemon, which is started
     * @param isEnding whether the new daemon is to end
     * @throws io.tardis.core.SetupException if the new daemon could not live; the old one goes on
     */
    static InstanceLock lock(Settings settings, EventSource source, BooleanSupplier isEnding)
            throws InterruptedException {
        OptionalLong before = InstanceLock.holder(settings.stateDir());
        if (before.isEmpty()) {
            return InstanceLock.take(settings.stateDir());
        }
        Rehearsal.of(settings, before);
        // Both hear for a while. ctr does not say when it has subscribed: its first word proves
        // it, and where nothing happens, nothing is missed. Where the other one has failed, and
        // ends meanwhile, there is nothing to wait for.
        source.start();
        long begin = System.nanoTime();
        boolean hears = false;
        while (!hears
                && System.nanoTime() - begin < OVERLAP.toNanos()
                && !isEnding.getAsBoolean()
                && InstanceLock.holder(settings.stateDir()).equals(before)) {
            hears = source.awaitHearing(POLL);
        }
        if (isEnding.getAsBoolean()) {
            throw new AlreadyRunningException(settings.stateDir(), before); // it goes on
        }
        LOG.info(
                "taking over from process {}; the event source {}",
                before.getAsLong(),
                hears ? "hears" : "has reported nothing yet");
        InstanceLock.holdingProcess(settings.stateDir()).ifPresent(ProcessHandle::destroy);
        return InstanceLock.take(settings.stateDir(), PATIENCE);
    }
}
