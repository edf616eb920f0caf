package io.tardis.core.config;

/**
 * Every key of {@code tardis.env} and the environment, with its default and what it does. The table
 * in README.md is checked against this by a test.
 */
public enum Setting {
    STATE_DIR(
            "/var/lib/tardis",
            "What lasts: exits.db, containers/NS/ID/ and the number of the last exit"),
    RUN_DIR("/run/tardis", "The directory of tardis.sock"),
    CHECKPOINT_DIR("STATE_DIR/checkpoint", "NS/ID/ in it is removed after a clean exit"),
    LOG_FILE("/var/log/tardis/tardis.log", "The log of all parts"),
    LOG_LEVEL("INFO", "ERROR, WARN, INFO, DEBUG or TRACE"),
    REAL_RUNC_CMD(
            "first runc on PATH that is not Tardis",
            "The real runtime: a path, or a name to look up on PATH"),
    CTR_CMD("ctr events", "The event source, split into words as a shell does"),
    EVENTS_ENDPOINT("tcp://127.0.0.1:5580", "PUB: publishes every exit"),
    QUERY_ENDPOINT("tcp://127.0.0.1:5581", "REP: answers queries"),
    METRICS_ENDPOINT(
            "off",
            "Serves /metrics to Prometheus on a loopback ADDRESS:PORT, such as 127.0.0.1:9580"),
    RECORD("enabled", "Whose codes are recorded: enabled or all"),
    RETENTION("30d", "How long a life's record stays after its end"),
    REPLAY("1d", "How long an event can be replayed"),
    DELETE_WAIT_MS("1000", 0, 4_000, "Longest wait for a code at delete, in milliseconds (%s)"),
    KERNEL_WITNESS(
            "auto",
            "auto: also ask the kernel how processes end, if it reports that; off: do not ask"),
    GROUP(
            "tardis, if there is such a group",
            "The group whose members may read; none: only root and the daemon's user"),
    LOCAL_CLIENTS(
            "group",
            "Who may read over ZeroMQ on loopback without keys: group (root, the daemon's user and TARDIS_GROUP) or any"),
    CURVE_SECRET_KEY_FILE(
            "none",
            "The key pair of the daemon, or of a command's user (NAME.key_secret); none: loopback only"),
    CURVE_CLIENTS_DIR(
            "none",
            "Directory of public keys, *.key, of clients that may connect beside the daemon's own"),
    CURVE_SERVER_KEY_FILE(
            "the own public key",
            "The daemon's public key, NAME.key, for commands with a key pair of their own"),
    MAX_UNWRITTEN(
            "100000",
            1_000,
            1_000_000,
            "Exits in memory while the disk cannot be written (%s); at most a quarter of the heap"),
    /** How many clients: each takes 16 KiB of ZeroMQ's buffers, and some 8 KiB of the heap. */
    MAX_CONNECTIONS(
            "1000", 1, 2_000, "Connections to each of the two endpoints at the same time (%s)"),
    /** How long a request may be: ZeroMQ's socket takes no longer one than the longest. */
    MAX_REQUEST_BYTES("4096", 512, 65_536, "The longest request, in bytes (%s)"),
    /** How many wait: each takes up to 1.5 KiB. */
    MAX_WAITING(
            "10000", 0, 20_000, "Requests over ZeroMQ that wait for an end at the same time (%s)"),
    MAX_REQUESTS_PER_SECOND("10000", 1, 1_000_000, "Requests of one connection in a second (%s)");

    private final String defaultValue;
    private final String description;
    private final int min;
    private final int max;

    Setting(String defaultValue, String description) {
        this(defaultValue, 0, 0, description);
    }

    /** A number in a range, which is put into the description. */
    Setting(String defaultValue, int min, int max, String description) {
        this.defaultValue = defaultValue;
        this.min = min;
        this.max = max;
        this.description = description.formatted(min + " to " + max);
    }

    /** The name in the environment and in {@code tardis.env}. */
    public String key() {
        return "TARDIS_" + name();
    }

    /** The default, as documentation writes it. */
    public String defaultValue() {
        return defaultValue;
    }

    /** The least number that it can be. */
    int min() {
        return min;
    }

    /** The greatest number that it can be. */
    public int max() {
        return max;
    }

    /** What it does, in a phrase. */
    public String description() {
        return description;
    }
}
