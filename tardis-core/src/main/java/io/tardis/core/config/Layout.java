package io.tardis.core.config;

/**
 * The names of Tardis's files, which ARCHITECTURE.md explains. The launcher has its own list of
 * those that it uses.
 */
public final class Layout {

    // In the state directory

    public static final String LOCK = "event_listener.lock";
    public static final String PID = "event_listener.pid";
    public static final String SEQUENCE = "event_listener.seq";
    public static final String EXIT_LOG = "exits.db";
    public static final String CONTAINERS = "containers";
    static final String CHECKPOINTS = "checkpoint"; // unless a setting names another place

    // In the run directory

    public static final String SOCKET = "tardis.sock";

    /** As long as the other one: the settings limit the directory's path by it. */
    public static final String CLIENT_SOCKET = "client.sock";

    public static final String START_LOCK = "start.lock";
    public static final String START_LOG = "start.log";
    public static final String START_FAILED = "start-failed";
    public static final String LAST_START = "last-start";

    private Layout() {}
}
