package io.tardis.core.wire;

import java.time.Instant;
import java.util.Optional;

/**
 * How the parts of a daemon are; what is not on disk is said by {@link Answer.Backlog}.
 *
 * @param source what reports the ends of processes
 * @param witness the kernel, which reports them, too, where it can
 * @param socket where launchers ask
 * @param clients who reads over ZeroMQ
 */
public record Health(Source source, Witness witness, Socket socket, Clients clients) {

    /**
     * The event source, {@code ctr events}. It prints nothing when it has subscribed: one that runs
     * and has printed nothing yet may or may not be connected.
     *
     * @param ok whether it can be taken for connected: it runs, has printed no line or one that is
     *     an event, and has not ended soon after its start, or has run for longer than {@code ctr}
     *     tries to connect
     * @param running whether its process runs
     * @param startedAt when it was started last; empty if it could never be
     * @param starts how often it was started
     * @param lines how many lines it has printed since the daemon's start
     * @param lastLineAt when it printed the last one; empty if none
     * @param lastEnd how it ended last, why it could not be started, or that what it prints are no
     *     events; empty if nothing of that happened
     * @param lastStderr what it printed on standard error last; empty if nothing
     */
    public record Source(
            boolean ok,
            boolean running,
            Optional<Instant> startedAt,
            long starts,
            long lines,
            Optional<Instant> lastLineAt,
            String lastEnd,
            String lastStderr) {}

    /**
     * The kernel witness.
     *
     * @param on whether the kernel is asked how processes end
     * @param reason why it is not; empty if it is
     */
    public record Witness(boolean on, String reason) {}

    /**
     * The socket for launchers.
     *
     * @param ok whether it is there
     * @param reason what is wrong with it; empty if nothing
     */
    public record Socket(boolean ok, String reason) {}

    /**
     * The clients over ZeroMQ.
     *
     * @param ok whether those who may read are served
     * @param reason why they are not; empty if they are
     * @param refused how many connections of others were refused since the daemon's start
     */
    public record Clients(boolean ok, String reason, long refused) {
        /** Nobody was refused. */
        public static final Clients WELL = new Clients(true, "", 0);
    }
}
