package io.tardis.cli;

/** The exit statuses of {@code tardis}. */
final class ExitStatus {

    static final int OK = 0;

    /** Something failed; standard error says what. */
    static final int FAILED = 1;

    /** The command line or a setting is wrong. */
    static final int USAGE = 2;

    /** The code is not known, or no daemon answers. */
    static final int NOT_KNOWN = 3;

    /** Another daemon has the state directory. */
    static final int ALREADY_RUNNING = 4;

    /** The time is over, as {@code timeout(1)} says it. */
    static final int TIMEOUT = 124;

    /** Whoever read the output has gone: 128 and SIGPIPE, as a shell reports it. */
    static final int READER_GONE = 141;

    private ExitStatus() {}
}
