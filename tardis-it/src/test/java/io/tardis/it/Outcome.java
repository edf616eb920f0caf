package io.tardis.it;

import java.util.List;

/**
 * How a command ended. The texts hold one character for each byte (ISO-8859-1), so that equal texts
 * are equal bytes.
 */
record Outcome(List<String> command, int code, String out, String err) {

    Outcome {
        command = List.copyOf(command);
    }

    /** This outcome, if its code is 0. */
    Outcome orFail() {
        if (code != 0) {
            throw new AssertionError("failed: " + this);
        }
        return this;
    }

    /** Standard output without the white space around it. */
    String text() {
        return out.strip();
    }

    @Override
    public String toString() {
        return String.join(" ", command)
                + "\n  code: "
                + code
                + "\n  out:  "
                + out.strip()
                + "\n  err:  "
                + err.strip();
    }
}
