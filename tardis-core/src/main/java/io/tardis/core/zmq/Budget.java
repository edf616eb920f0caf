package io.tardis.core.zmq;

/**
 * A bound in bytes that all connections of one socket share, so that what they take together fits
 * the heap. From any thread.
 */
final class Budget {

    /**
     * What each connection may hold however much the others hold: a short request, a short answer.
     * So nobody can keep others from being answered by taking all there is.
     */
    static final long ALWAYS = 4 * 1024;

    private final long most;
    private final long mostOfOne;
    private long taken; // guarded by this

    /**
     * A budget of which nothing is taken.
     *
     * @param most bytes that all may hold together, but for {@link #ALWAYS} of each
     * @param mostOfOne bytes that one connection may hold
     */
    Budget(long most, long mostOfOne) {
        this.most = most;
        this.mostOfOne = mostOfOne;
    }

    /** A connection's part, of which nothing is taken. */
    Share share() {
        return new Share();
    }

    /** How many bytes are taken. */
    synchronized long taken() {
        return taken;
    }

    private synchronized boolean take(long bytes, boolean always) {
        boolean fits = always || taken + bytes <= most;
        if (fits) {
            taken += bytes;
        }
        return fits;
    }

    private synchronized void give(long bytes) {
        taken -= bytes;
    }

    /** What one connection holds. */
    final class Share implements AutoCloseable {
        private long held; // guarded by this
        private boolean closed; // guarded by this

        private Share() {}

        /** Takes that much; false if there is no room, for this connection or for all. */
        synchronized boolean take(long bytes) {
            boolean fits =
                    !closed
                            && held + bytes <= mostOfOne
                            && Budget.this.take(bytes, held + bytes <= ALWAYS);
            if (fits) {
                held += bytes;
            }
            return fits;
        }

        /** Gives that much back, or what is left. */
        synchronized void give(long bytes) {
            long given = Math.min(bytes, held);
            held -= given;
            Budget.this.give(given);
        }

        synchronized long held() {
            return held;
        }

        /** Gives all back. What is taken from now on is refused. */
        @Override
        public synchronized void close() {
            give(held);
            closed = true;
        }
    }
}
