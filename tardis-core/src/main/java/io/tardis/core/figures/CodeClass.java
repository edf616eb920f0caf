package io.tardis.core.figures;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;

/** A coarse class of exit statuses. It is a label of a metric, so there are few. */
public enum CodeClass {
    /** 0. */
    ZERO("zero"),
    /** 1 to 125: the program's own failure. */
    ERROR("error"),
    /** 126 and 127: by convention, the command could not be executed, or was not found. */
    NOT_RUN("not_run"),
    /** A signal ended the process; where the source does not say that: 129 to 192. */
    SIGNAL("signal"),
    /** Every other status. */
    OTHER("other");

    private static final long SIGNALS = 128;
    private static final long LAST_SIGNAL = 64;

    private final String word;

    CodeClass(String word) {
        this.word = word;
    }

    /** The word on the wire and in labels. */
    public String word() {
        return word;
    }

    /** The class of an exit's status. */
    public static CodeClass of(ExitEvent event) {
        long status = event.exit().exitStatus();
        if (event.signal().isPresent()) {
            return SIGNAL;
        }
        if (status == 0) {
            return ZERO;
        }
        if (status < 126) {
            return ERROR;
        }
        if (status < SIGNALS) {
            return NOT_RUN;
        }
        // The kernel says of each death by signal that it is one: 137 without a signal is a code.
        boolean mayBeSignal = event.source() != ExitSource.KERNEL;
        return mayBeSignal && status > SIGNALS && status <= SIGNALS + LAST_SIGNAL ? SIGNAL : OTHER;
    }

    /**
     * The class that {@code word} names.
     *
     * @throws IllegalArgumentException if it names none
     */
    public static CodeClass parse(String word) {
        for (CodeClass each : values()) {
            if (each.word.equals(word)) {
                return each;
            }
        }
        throw new IllegalArgumentException("not a class of exit codes: '" + word + "'");
    }
}
