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

    /** The same in mebibytes. */
    static Budget ofMebibytes(int most, int mostOfOne) {
        return new Budget((long) most << 20, (long) mostOfOne << 20);
    }

    /** A connection's part, of which nothing is taken. */
    Share share() {
        return new Share();
    }

    /** What one connection holds. */
    final class Share implements AutoCloseable {
        private long held; // guarded by the budget
        private boolean closed; // guarded by the budget

        /** Takes that much; false if there is no room, for this connection or for all. */
        boolean take(long bytes) {
            synchronized (Budget.this) {
                boolean fits =
                        !closed
                                && held + bytes <= mostOfOne
                                && (held + bytes <= ALWAYS || taken + bytes <= most);
                if (fits) {
                    held += bytes;
                    taken += bytes;
                }
                return fits;
            }
        }

        /** Gives that much back, or what is left. */
        void give(long bytes) {
            synchronized (Budget.this) {
                long given = Math.min(bytes, held);
                held -= given;
                taken -= given;
            }
        }

        long held() {
            synchronized (Budget.this) {
                return held;
            }
        }

        /** Gives all back. What is taken from now on is refused. */
        @Override
        public void close() {
            synchronized (Budget.this) {
                give(held);
                closed = true;
            }
        }
    }
}
