package io.tardis.core;

import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the parts of the daemon do alike with the threads that they own. */
public final class Threads {

    private static final Logger LOG = LoggerFactory.getLogger(Threads.class);

    private Threads() {}

    /**
     * Waits for a thread that is to end. One that does not is logged at ERROR. If the caller is
     * interrupted, it waits no longer and stays interrupted.
     *
     * @param thread one that was never started has ended
     * @param patience the longest wait
     * @return whether it has ended
     */
    public static boolean awaitEnd(Thread thread, Duration patience) {
        if (thread.getState() == Thread.State.NEW) {
            return true;
        }
        try {
            if (thread.join(patience)) {
                return true;
            }
            LOG.error("the thread {} did not stop", thread.getName());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return false;
    }
}
