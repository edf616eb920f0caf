package io.tardis.cli;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.Usage;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** How containers ended, in words. */
final class Describe {

    /** From 1 on; the same on all machines that Tardis runs on. */
    private static final List<String> SIGNALS =
            List.of(
                    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1",
                    "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP",
                    "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
                    "PWR", "SYS");

    /** A shell and containerd report a death by signal n as 128 + n. */
    private static final int SIGNAL_BASE = 128;

    private Describe() {}

    /** For a column: {@code running}, {@code exited 137 (OOM)}, {@code killed SIGKILL}. */
    static String status(OfContainer answer) {
        return switch (answer) {
            case Answer.Exited(ExitEvent event, boolean durable) ->
                    status(event) + (durable ? "" : " (not on disk)");
            case Answer.Running _ -> "running";
            case Answer.Lost _ -> "lost";
            case Answer.Unknown _ -> "unknown";
        };
    }

    private static String status(ExitEvent event) {
        if (event.oomKilled()) {
            return exited(event) + " (OOM)";
        }
        if (event.signal().isPresent()) {
            return "killed " + signal(event.signal().getAsInt());
        }
        return exited(event) + (event.source() == ExitSource.ASSUMED ? " (assumed)" : "");
    }

    private static String exited(ExitEvent event) {
        return "exited " + event.exit().exitStatus();
    }

    /** The code and what it means: {@code 137 SIGKILL, out of memory: peak 511.8 of 512.0 MiB}. */
    static String code(ExitEvent event) {
        String code = meaning(event);
        if (!event.oomKilled()) {
            return code;
        }
        // The main process outlived the one that was killed.
        String who = killer(event).isEmpty() ? ", but a process of it was killed: " : ", ";
        return code + who + outOfMemory(event.details().usage());
    }

    private static String meaning(ExitEvent event) {
        long code = event.exit().exitStatus();
        if (event.source() == ExitSource.ASSUMED) {
            return code + ", which containerd assumed";
        }
        return killer(event)
                .map(it -> code + " " + it)
                .orElse(code == 0 ? "0 success" : exited(event));
    }

    /** The signal that ended the process; empty if the process ended by itself. */
    private static Optional<String> killer(ExitEvent event) {
        if (event.signal().isPresent()) {
            return Optional.of(signal(event.signal().getAsInt()));
        }
        long signal = event.exit().exitStatus() - SIGNAL_BASE;
        // The kernel would have said so: there, 137 without a signal is a program's own code.
        return event.source() == ExitSource.KERNEL || signal < 1 || signal > SIGNALS.size()
                ? Optional.empty()
                : Optional.of("probably " + signal((int) signal));
    }

    private static String signal(int number) {
        return number >= 1 && number <= SIGNALS.size()
                ? "SIG" + SIGNALS.get(number - 1)
                : "signal " + number;
    }

    /** {@code out of memory: peak 511.8 of 512.0 MiB}, as far as that is known. */
    static String outOfMemory(Usage usage) {
        return "out of memory" + memory(usage).map(": "::concat).orElse("");
    }

    /** {@code peak 511.8 of 512.0 MiB}; empty if the peak is not known. */
    static Optional<String> memory(Usage usage) {
        OptionalLong peak = usage.memoryPeak();
        OptionalLong limit = usage.memoryLimit();
        if (peak.isEmpty()) {
            return limit.isEmpty()
                    ? Optional.empty()
                    : Optional.of("limit " + Quantity.bytes(limit.getAsLong()));
        }
        return Optional.of(
                "peak "
                        + (limit.isEmpty()
                                ? Quantity.bytes(peak.getAsLong())
                                : Quantity.bytes(peak.getAsLong(), limit.getAsLong())));
    }

    /** Who reported the code. */
    static String source(ExitSource source) {
        return switch (source) {
            case KERNEL -> "the kernel reported the code";
            case SHIM -> "the container's containerd shim reported the code";
            case CONTAINERD -> "containerd reported the code";
            case ASSUMED -> "containerd made the code up, because its shim had been killed";
        };
    }
}
