package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.UnavailableException;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * How much of what the store answered all commands may have in memory. As objects it takes some
 * times the memory of its bytes, and a client that reads slowly holds it for minutes. A command
 * waits for its share, and is refused if that takes too long.
 */
final class AnswerBudget {

    /** Two lists of the greatest size, or a hundred of a hundred containers. */
    private static final int TOTAL_KIB = 12 * 1024;

    /** Of users other than root and the daemon's. */
    private static final int OTHERS_KIB = TOTAL_KIB / 2;

    /** So many answers may be made that are not counted yet. */
    private static final int ASKING = 2;

    private final Duration patience;
    private final Semaphore total = new Semaphore(TOTAL_KIB, true);
    private final Semaphore others = new Semaphore(OTHERS_KIB, true);
    private final Semaphore asking = new Semaphore(ASKING, true);

    AnswerBudget(Duration patience) {
        this.patience = patience;
    }

    /** A command's part of the budget. For one thread. */
    final class Share implements AutoCloseable {

        private final boolean isTrusted;
        private int held;

        private Share(boolean isTrusted) {
            this.isTrusted = isTrusted;
        }

        /** Waits until the store can be asked for something long. */
        void beginAsking() {
            acquire(asking, 1);
        }

        void endAsking() {
            asking.release();
        }

        /** Takes so many bytes; the caller drops them if it throws. */
        void take(long bytes) {
            int kib = kib(bytes);
            if (!isTrusted) {
                acquire(others, kib);
            }
            try {
                acquire(total, kib);
            } catch (TardisException e) {
                if (!isTrusted) {
                    others.release(kib);
                }
                throw e;
            }
            held += kib;
        }

        /** Gives so many bytes back. */
        void give(long bytes) {
            giveKib(kib(bytes));
        }

        private void giveKib(int kib) {
            total.release(kib);
            if (!isTrusted) {
                others.release(kib);
            }
            held -= kib;
        }

        @Override
        public void close() {
            giveKib(held);
        }
    }

    /** The part of a command, whose user is root or the daemon's, or another one. */
    Share share(boolean isTrusted) {
        return new Share(isTrusted);
    }

    private static int kib(long bytes) {
        return (int) (bytes / 1024) + 1;
    }

    private void acquire(Semaphore from, int permits) {
        try {
            if (!from.tryAcquire(permits, patience.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new TardisException(
                        "the daemon is busy: its commands have as much in memory as they may, until clients read it");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UnavailableException("the client has gone", e);
        }
    }
}
