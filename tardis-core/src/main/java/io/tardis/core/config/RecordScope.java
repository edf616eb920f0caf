package io.tardis.core.config;

/** Whose exit codes are set and answered. */
public enum RecordScope {
    /** The lives of Tardis-enabled containers. */
    ENABLED,
    /** Every container's. */
    ALL
}
