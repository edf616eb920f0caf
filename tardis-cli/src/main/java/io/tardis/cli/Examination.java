package io.tardis.cli;

import io.tardis.core.FileIdentity;
import io.tardis.core.TardisException;
import io.tardis.core.config.Settings;
import io.tardis.core.curve.CurveKeys;
import io.tardis.core.wire.Answer;
import io.tardis.listener.InstanceLock;
import io.tardis.listener.Listener;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Predicate;

/** Tries what the daemon needs, and prints a line for each; changes nothing. */
final class Examination {

    private static final Duration PATIENCE = Duration.ofSeconds(15);
    private static final long MEBIBYTE = 1 << 20;
    private static final long LITTLE_SPACE = 500 * MEBIBYTE;
    private static final long NO_SPACE = 20 * MEBIBYTE;

    /** No machine has a clock that is right and shows less. */
    private static final Instant BUILT_AFTER = Instant.parse("2025-01-01T00:00:00Z");

    /** Looks at one thing, and says how it is. */
    private interface Look<T> {
        void at(String what, T subject) throws IOException;
    }

    private final PrintWriter out;
    private boolean failed;

    Examination(PrintWriter out) {
        this.out = out;
    }

    boolean hasFailed() {
        return failed;
    }

    /**
     * Prints that something is well.
     *
     * @param what the thing that was tried
     * @param text how it is
     */
    void ok(String what, String text) {
        print("ok", what, text);
    }

    private void warn(String what, String text) {
        print("WARN", what, text);
    }

    /** Prints that something is wrong, and what to do. */
    void fail(String what, String text) {
        failed = true;
        print("FAIL", what, text);
    }

    private void print(String level, String what, String text) {
        out.println("%-4s  %-10s  %s".formatted(level, what, text));
    }

    private void okOrFail(boolean ok, String what, String text, String problem) {
        okUnless(ok ? Optional.empty() : Optional.of(problem), what, text);
    }

    private void okUnless(Optional<String> problem, String what, String text) {
        problem.ifPresentOrElse(it -> fail(what, it), () -> ok(what, text));
    }

    private <T> void look(String what, T subject, Look<T> look) {
        try {
            look.at(what, subject);
        } catch (AccessDeniedException _) {
            fail(what, "cannot tell: permission denied on " + subject + "; run this as root");
        } catch (IOException e) {
            fail(what, subject + " cannot be looked at: " + e);
        }
    }

    /** Everything that depends on no setting. */
    void ofMachine() {
        ok("java", Runtime.version() + " in " + System.getProperty("java.home"));
        Instant now = Instant.now();
        okOrFail(
                !now.isBefore(BUILT_AFTER),
                "clock",
                now.toString(),
                now + " is long ago; set the clock, or records are removed too late");
    }

    /** Everything. */
    void of(Settings settings) {
        ofMachine();
        OptionalLong daemon = daemon(settings);
        look("state dir", settings.stateDir(), this::stateDir);
        look("run dir", settings.runDir(), this::runDir);
        look("checkpoint", settings.checkpointDir(), this::checkpointDir);
        look("log", settings.logFile(), this::log);
        look("space", settings.stateDir(), this::space);
        look("events", settings.eventsEndpoint(), (what, it) -> endpoint(what, it, daemon));
        look("queries", settings.queryEndpoint(), (what, it) -> endpoint(what, it, daemon));
        settings.metricsEndpoint()
                .ifPresent(port -> look("metrics", port, (what, it) -> endpoint(what, it, daemon)));
        keys(settings.curve());
        clients(settings);
        source(settings.ctrCommand());
        runtime(settings);
        witness(settings);
        callers();
    }

    /** Also one that does not answer: what it has is not somebody else's. */
    private OptionalLong daemon(Settings settings) {
        OptionalLong daemon = OptionalLong.empty();
        try {
            RunningDaemon.refuseOtherDirectories(settings);
            daemon = InstanceLock.holder(settings.stateDir());
            if (daemon.isEmpty()) {
                okUnless(
                        FailedStart.describe(settings.runDir()).map(it -> "none runs; " + it),
                        "daemon",
                        "none runs; the first enabled container starts one");
                return daemon;
            }
            try (DaemonQueries queries = DaemonQueries.open(settings)) {
                Answer.Pong pong = queries.client().ping();
                if (pong.problems().isEmpty()) {
                    ok("daemon", "process " + daemon.getAsLong() + ", " + pong.version());
                }
                pong.problems().forEach(it -> fail("daemon", it));
            }
        } catch (TardisException e) {
            fail("daemon", String.valueOf(e.getMessage()));
        }
        return daemon;
    }

    private void stateDir(String what, Path directory) throws IOException {
        directory(what, directory, Directories::isPrivate);
    }

    /** The launcher refuses a directory into which others can write. */
    private void runDir(String what, Path directory) throws IOException {
        if (Directories.isOpenToWriters(directory)) {
            fail(
                    what,
                    "others can write into %s, so no container starts a daemon; %s"
                            .formatted(
                                    directory,
                                    Directories.problemOfSharing(directory)
                                            .orElse("run: chmod 700 " + directory)));
        } else {
            directory(what, directory, Directories::isClosed);
        }
    }

    private void checkpointDir(String what, Path directory) throws IOException {
        directory(what, directory, _ -> true);
    }

    private void directory(String what, Path directory, Predicate<PosixFileAttributes> isClosed)
            throws IOException {
        Path there = nearest(directory);
        PosixFileAttributes attributes =
                Files.readAttributes(there, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        Optional<String> complaint = Directories.complaint(attributes);
        if (!there.equals(directory)) {
            okOrFail(
                    Files.isDirectory(there) && Files.isWritable(there),
                    what,
                    directory + " will be made",
                    "%s cannot be made: %s is not a directory that can be written"
                            .formatted(directory, there));
        } else if (complaint.isPresent()) {
            String remedy =
                    attributes.isDirectory()
                            ? "; give it to the daemon's user, or run this as that one"
                            : "; remove it, or set another";
            fail(what, directory + " " + complaint.get() + remedy);
        } else if (!Files.isWritable(directory)) {
            fail(what, directory + " cannot be written: its file system is read-only");
        } else if (!isClosed.test(attributes)) {
            warn(what, directory + " is open to others; the daemon's start closes it");
        } else {
            ok(what, directory.toString());
        }
    }

    /** The path itself, or what there is of it. */
    private static Path nearest(Path path) throws IOException {
        for (Path at = path; at != null; at = at.getParent()) {
            if (FileIdentity.attributes(at) != null) {
                return at;
            }
        }
        throw new NoSuchFileException(path.toString());
    }

    private void log(String what, Path file) throws IOException {
        Path there = nearest(file);
        okOrFail(
                Files.isWritable(there)
                        && (there.equals(file)
                                ? Files.isRegularFile(file)
                                : Files.isDirectory(there)),
                what,
                file.toString(),
                file + " cannot be written: look at " + there + ", or set another");
    }

    private void space(String what, Path directory) throws IOException {
        long free = Files.getFileStore(nearest(directory)).getUsableSpace();
        String text = free / MEBIBYTE + " MiB are free for " + directory;
        if (free < NO_SPACE) {
            fail(what, text + "; make room, or ends are kept in memory only");
        } else if (free < LITTLE_SPACE) {
            warn(what, text);
        } else {
            ok(what, text);
        }
    }

    private void endpoint(String what, String endpoint, OptionalLong daemon) throws IOException {
        okUnless(
                ListeningSockets.problem(endpoint, daemon)
                        .map(it -> it + "; end that, or set another port"),
                what,
                ListeningSockets.state(endpoint, daemon));
    }

    /** The settings have read them already. */
    private void keys(Optional<CurveKeys> keys) {
        Optional<Path> missing =
                keys.flatMap(CurveKeys::clientsDir).filter(it -> !Files.isDirectory(it));
        if (missing.isPresent()) {
            warn("keys", missing.get() + " is not there: no client gets in");
        } else {
            ok("keys", keys.isPresent() ? "right" : "none are set");
        }
    }

    private void clients(Settings settings) {
        try (Admission admission = Admission.open(settings)) {
            String who = Admission.describe(settings);
            if (settings.curve().isEmpty() && settings.access().anyLocalClient()) {
                warn("clients", who);
            } else {
                okOrFail(admission.health().ok(), "clients", who, admission.health().reason());
            }
        } catch (TardisException e) {
            fail("clients", String.valueOf(e.getMessage()));
        }
    }

    private void source(List<String> command) {
        if (!command.getLast().equals("events")) {
            warn(
                    "source",
                    "'" + String.join(" ", command) + "' is not 'ctr ... events' and is not tried");
            return;
        }
        List<String> version = new ArrayList<>(command);
        version.set(command.size() - 1, "version");
        Trial trial = Trial.of(version, PATIENCE);
        String tried = "'" + String.join(" ", version) + "' ";
        okOrFail(
                trial.worked(),
                "source",
                tried + "reaches containerd",
                tried + trial.problem() + "; mend TARDIS_CTR_CMD, or start containerd");
    }

    private void runtime(Settings settings) {
        Optional<Path> runtime = RealRuntime.find(settings);
        if (runtime.isEmpty()) {
            fail(
                    "runtime",
                    settings.realRuncCommand()
                                    .map(it -> it + " is not there, or is Tardis")
                                    .orElse("there is no runc on PATH that is not Tardis")
                            + "; set TARDIS_REAL_RUNC_CMD");
            return;
        }
        Trial trial = Trial.of(List.of(runtime.get().toString(), "--version"), PATIENCE);
        okOrFail(
                trial.worked(),
                "runtime",
                runtime.get() + ": " + trial.firstLine(),
                runtime.get() + " " + trial.problem() + "; set TARDIS_REAL_RUNC_CMD");
    }

    private void witness(Settings settings) {
        if (!settings.kernelWitness()) {
            warn("witness", "switched off by TARDIS_KERNEL_WITNESS=off");
        } else if (Listener.kernelCanWitness()) {
            ok("witness", "the kernel reports how processes end");
        } else {
            warn("witness", "only containerd reports how processes end: Linux 6.15 and later do");
        }
    }

    private void callers() {
        List<Path> named = RuntimeCallers.named();
        if (named.isEmpty()) {
            warn(
                    "caller",
                    "tardis-runc is named in none of "
                            + RuntimeCallers.CONFIGURATIONS
                            + "; containers that are run without it are recorded only if TARDIS_RECORD=all");
        } else {
            ok("caller", "tardis-runc is named in " + named);
        }
    }
}
