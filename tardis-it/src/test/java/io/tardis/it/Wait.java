package io.tardis.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/**
 * Waiting with a deadline, which fails with what was seen instead.
 *
 * <p>Every limit is one for an idle machine. A machine whose processors are wanted three times over
 * takes three times as long for the same work, and is allowed that; what took longer than on an
 * idle one is printed with the load.
 */
final class Wait {

    /** A deadline that nothing that works reaches. It is no measurement, and bounds nothing. */
    static final Duration SOON = Duration.ofSeconds(60);

    private static final long POLL_MILLIS = 20;

    /** Conditions that start processes must not take the processors from what they wait for. */
    private static final int PAUSE_PER_LOOK = 2;

    private Wait() {}

    static void until(String what, Duration limit, Callable<Boolean> condition) {
        until(() -> what, limit, condition);
    }

    /** The description is asked for after the deadline, so it may describe the state of then. */
    static void until(Supplier<String> what, Duration limit, Callable<Boolean> condition) {
        long begin = System.nanoTime();
        try {
            long look = begin;
            while (!condition.call()) {
                long lookMillis = since(look).toMillis();
                Duration waited = since(begin);
                if (waited.compareTo(limit) > 0 && waited.compareTo(allowed(limit)) > 0) {
                    throw new AssertionError(
                            "after %s at %s, still no %s".formatted(waited, load(), what.get()));
                }
                Thread.sleep(Math.max(POLL_MILLIS, PAUSE_PER_LOOK * lookMillis));
                look = System.nanoTime();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for " + what.get(), e);
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("while waiting for " + what.get(), e);
        }
        Duration waited = since(begin);
        if (waited.compareTo(limit) > 0) {
            System.out.printf("waited %s, not %s, at %s%n", waited, limit, load());
        }
    }

    /** Whether a condition holds before the time is over. */
    static boolean isWithin(Duration time, BooleanSupplier condition) throws InterruptedException {
        long begin = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (since(begin).compareTo(time) > 0) {
                return false;
            }
            Thread.sleep(POLL_MILLIS);
        }
        return true;
    }

    /** Fails if something took longer than it may take here and now. */
    static void assertTaken(String what, Duration taken, Duration limit) {
        if (taken.compareTo(limit) > 0) {
            String message = "%s took %s, not %s, at %s".formatted(what, taken, limit, load());
            if (taken.compareTo(allowed(limit)) > 0) {
                throw new AssertionError(message);
            }
            System.out.println(message);
        }
    }

    /** How many times over the processors are wanted: 1 where none has to be waited for. */
    static double slowness() {
        String[] fields = loadavg().split("[ /]", -1);
        // The average of a minute, and what is runnable just now, since a load may have just begun.
        double wanted = Math.max(Double.parseDouble(fields[0]), Double.parseDouble(fields[3]));
        return Math.max(1, wanted / Runtime.getRuntime().availableProcessors());
    }

    private static Duration allowed(Duration limit) {
        return Duration.ofMillis((long) (limit.toMillis() * slowness()));
    }

    private static Duration since(long begin) {
        return Duration.ofMillis((System.nanoTime() - begin) / 1_000_000);
    }

    private static String load() {
        return "a load of %s on %d processors"
                .formatted(loadavg(), Runtime.getRuntime().availableProcessors());
    }

    private static String loadavg() {
        try {
            return Files.readString(Path.of("/proc/loadavg")).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
