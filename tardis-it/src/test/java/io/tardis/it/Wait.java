package io.tardis.it;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;

/** Waiting with a deadline, which fails with what was seen instead. */
final class Wait {

    private Wait() {}

    static void until(String what, Duration limit, Callable<Boolean> condition) {
        until(() -> what, limit, condition);
    }

    /** The description is asked for after the deadline, so it may tell the state of then. */
    static void until(Supplier<String> what, Duration limit, Callable<Boolean> condition) {
        try {
            Awaitility.await()
                    .pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(20))
                    .atMost(limit)
                    .until(condition);
        } catch (ConditionTimeoutException e) {
            throw new AssertionError("after " + limit + ", still no " + what.get(), e);
        }
    }
}
