package io.tardis.core.config;

/**
 * Every key of {@code tardis.env} and the environment, with its default and what it does. The table
 * in README.md is checked against this by a test.
 */
public enum Setting {
    /** Where everything that must last is kept. */
    STATE_DIR(
            "TARDIS_STATE_DIR",
            "/var/lib/tardis",
            "What lasts: event_listener.pid, exits.db and containers/NS/ID/"),
    /** Where the daemon's socket is. */
    RUN_DIR("TARDIS_RUN_DIR", "/run/tardis", "The directory of tardis.sock"),
    /** Where checkpoints of containers are. */
    CHECKPOINT_DIR(
            "TARDIS_CHECKPOINT_DIR",
            "STATE_DIR/checkpoint",
            "NS/ID/ in it is removed after a clean exit"),
    /** The log of all parts. */
    LOG_FILE("TARDIS_LOG_FILE", "/var/log/tardis/tardis.log", "The log of all parts"),
    /** How much is logged. */
    LOG_LEVEL("TARDIS_LOG_LEVEL", "INFO", "ERROR, WARN, INFO, DEBUG or TRACE"),
    /** The real runtime. */
    REAL_RUNC_CMD(
            "TARDIS_REAL_RUNC_CMD",
            "first runc on PATH that is not Tardis",
            "The real runtime: a path, or a name to look up on PATH"),
    /** The event source. */
    CTR_CMD("TARDIS_CTR_CMD", "ctr events", "The event source, split into words as a shell does"),
    /** Where exits are published. */
    EVENTS_ENDPOINT("TARDIS_EVENTS_ENDPOINT", "tcp://127.0.0.1:5580", "PUB: publishes every exit"),
    /** Where queries are answered. */
    QUERY_ENDPOINT("TARDIS_QUERY_ENDPOINT", "tcp://127.0.0.1:5581", "REP: answers queries"),
    /** Whose codes are recorded. */
    RECORD("TARDIS_RECORD", "enabled", "Whose codes are recorded: enabled or all"),
    /** How long lives are kept. */
    RETENTION("TARDIS_RETENTION", "30d", "How long a life's record stays after its end"),
    /** How long events are kept. */
    REPLAY("TARDIS_REPLAY", "1d", "How long an event can be replayed"),
    /** The longest wait at delete. */
    DELETE_WAIT_MS(
            "TARDIS_DELETE_WAIT_MS",
            "1000",
            "Longest wait for a code at delete, in milliseconds (0 to 4000)"),
    /** Whether the kernel is asked. */
    KERNEL_WITNESS(
            "TARDIS_KERNEL_WITNESS",
            "auto",
            "auto: also ask the kernel how processes end, if it reports that; off: do not ask"),
    /** The key pair of the daemon, or of the user of a command. */
    CURVE_SECRET_KEY_FILE(
            "TARDIS_CURVE_SECRET_KEY_FILE",
            "none",
            "The key pair of the daemon, or of a command's user (NAME.key_secret); none: loopback only"),
    /** The clients that the daemon knows. */
    CURVE_CLIENTS_DIR(
            "TARDIS_CURVE_CLIENTS_DIR",
            "none",
            "Directory of public keys, *.key, of clients that may connect beside the daemon's own"),
    /** The daemon that a command knows. */
    CURVE_SERVER_KEY_FILE(
            "TARDIS_CURVE_SERVER_KEY_FILE",
            "the own public key",
            "The daemon's public key, NAME.key, for commands with a key pair of their own"),
    /** How much waits for the disk. */
    MAX_UNWRITTEN(
            "TARDIS_MAX_UNWRITTEN",
            "100000",
            "Exits in memory while the disk cannot be written (1000 to 1000000); at most a quarter of the heap"),
    /** How many clients. */
    MAX_CONNECTIONS(
            "TARDIS_MAX_CONNECTIONS",
            "1000",
            "Connections to each of the two endpoints at the same time (1 to 2000)"),
    /** How long a request may be. */
    MAX_REQUEST_BYTES(
            "TARDIS_MAX_REQUEST_BYTES", "4096", "The longest request, in bytes (512 to 65536)"),
    /** How many wait. */
    MAX_WAITING(
            "TARDIS_MAX_WAITING",
            "10000",
            "Requests over ZeroMQ that wait for an end at the same time (0 to 20000)"),
    /** How often one client may ask. */
    MAX_REQUESTS_PER_SECOND(
            "TARDIS_MAX_REQUESTS_PER_SECOND",
            "10000",
            "Requests of one connection in a second (1 to 1000000)");

    private final String key;
    private final String defaultValue;
    private final String description;

    Setting(String key, String defaultValue, String description) {
        this.key = key;
        this.defaultValue = defaultValue;
        this.description = description;
    }

    /** The name in the environment and in {@code tardis.env}. */
    public String key() {
        return key;
    }

    /** The default, as documentation writes it. */
    public String defaultValue() {
        return defaultValue;
    }

    /** What it does, in a phrase. */
    public String description() {
        return description;
    }
}
