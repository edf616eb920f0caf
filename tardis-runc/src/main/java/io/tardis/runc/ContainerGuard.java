package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/** Lets one thread at a time work for a container. */
final class ContainerGuard {

    private final Set<ContainerKey> busy = new HashSet<>();

    /**
     * Waits until nobody else works for {@code container}.
     *
     * @return whether that is so now, and {@link #leave} is to be called
     */
    synchronized boolean enter(ContainerKey container, Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        while (!busy.add(container)) {
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                return false;
            }
            try {
                TimeUnit.NANOSECONDS.timedWait(this, left);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return true;
    }

    synchronized void leave(ContainerKey container) {
        busy.remove(container);
        notifyAll();
    }
}
