package io.tardis.cli;

import io.tardis.core.Owner;
import io.tardis.core.TardisException;
import io.tardis.core.config.Settings;
import io.tardis.core.wire.Answer;
import io.tardis.listener.InstanceLock;
import io.tardis.listener.Listener;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** Tries what the daemon needs; changes nothing. */
final class Examination {

    private static final Duration PATIENCE = Duration.ofSeconds(15);
    private static final long MEBIBYTE = 1 << 20;
    private static final long LITTLE_SPACE = 500 * MEBIBYTE;
    private static final long NO_SPACE = 20 * MEBIBYTE;

    /** No machine has a clock that is right and shows less. */
    private static final Instant BUILT_AFTER = Instant.parse("2025-01-01T00:00:00Z");

    /** Where containers get their runtime from, unless somebody configured it otherwise. */
    private static final List<Path> CALLERS =
            List.of(
                    Path.of("/etc/containerd/config.toml"),
                    Path.of("/etc/containerd/conf.d"),
                    Path.of("/etc/docker/daemon.json"),
                    Path.of("/etc/crio/crio.conf.d"));

    private static final int LONGEST_CONFIGURATION = 1 << 20;

    /** How good what was found is. */
    enum Level {
        OK,
        WARN,
        FAIL
    }

    /**
     * What was found.
     *
     * @param what the thing that was tried
     * @param text how it is, and what to do
     */
    record Finding(Level level, String what, String text) {
        String line() {
            String word = level == Level.OK ? "ok" : level.name();
            return String.format(Locale.ROOT, "%-4s  %-10s  %s", word, what, text);
        }
    }

    private final Consumer<Finding> found;
    private boolean failed;

    Examination(Consumer<Finding> found) {
        this.found = found;
    }

    boolean hasFailed() {
        return failed;
    }

    void ok(String what, String text) {
        found.accept(new Finding(Level.OK, what, text));
    }

    private void warn(String what, String text) {
        found.accept(new Finding(Level.WARN, what, text));
    }

    void fail(String what, String text) {
        failed = true;
        found.accept(new Finding(Level.FAIL, what, text));
    }

    /** Everything that depends on no setting. */
    void ofMachine() {
        ok("java", Runtime.version() + " in " + System.getProperty("java.home"));
        Instant now = Instant.now();
        if (now.isBefore(BUILT_AFTER)) {
            fail("clock", now + " is long ago; set the clock, or records are removed too late");
        } else {
            ok("clock", now.toString());
        }
    }

    /** Everything. */
    void of(Settings settings) {
        ofMachine();
        OptionalLong daemon = daemon(settings);
        directory("state dir", settings.stateDir(), true);
        directory("run dir", settings.runDir(), true);
        directory("checkpoint", settings.checkpointDir(), false);
        log(settings.logFile());
        space(settings.stateDir());
        endpoint("events", settings.eventsEndpoint(), daemon);
        endpoint("queries", settings.queryEndpoint(), daemon);
        keys(settings);
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
                Optional<FailedStart> failure = FailedStart.read(settings.runDir());
                if (failure.isPresent()) {
                    fail("daemon", "none runs; " + failure.get().describe());
                } else {
                    ok("daemon", "none runs; the first enabled container starts one");
                }
                return daemon;
            }
            try (DaemonQueries queries = new DaemonQueries(settings)) {
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

    private void directory(String what, Path directory, boolean isPrivate) {
        try {
            Path there = nearest(directory);
            PosixFileAttributes attributes =
                    Files.readAttributes(
                            there, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            if (!there.equals(directory)) {
                if (Files.isDirectory(there) && Files.isWritable(there)) {
                    ok(what, directory + " will be made");
                } else {
                    fail(
                            what,
                            directory
                                    + " cannot be made: "
                                    + there
                                    + " is not a directory"
                                    + " that can be written");
                }
            } else if (!attributes.isDirectory()) {
                fail(what, directory + " is not a directory of its own; remove it, or set another");
            } else if (!Owner.isUs(attributes.owner())) {
                fail(
                        what,
                        directory
                                + " belongs to "
                                + attributes.owner().getName()
                                + "; give it to the daemon's user, or run this as that one");
            } else if (!Files.isWritable(directory)) {
                fail(what, directory + " cannot be written: its file system is read-only");
            } else if (isPrivate
                    && !PosixFilePermissions.toString(attributes.permissions())
                            .equals("rwx------")) {
                warn(what, directory + " is open to others; the daemon's start closes it");
            } else {
                ok(what, directory.toString());
            }
        } catch (AccessDeniedException _) {
            fail(what, "cannot tell: permission denied on " + directory + "; run this as root");
        } catch (IOException e) {
            fail(what, directory + " cannot be looked at: " + e);
        }
    }

    /** The path itself, or what there is of it. */
    private static Path nearest(Path path) throws IOException {
        for (Path at = path; at != null; at = at.getParent()) {
            try {
                Files.readAttributes(at, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
                return at;
            } catch (NoSuchFileException _) {
                // then what it would be in
            }
        }
        throw new NoSuchFileException(path.toString());
    }

    private void log(Path file) {
        try {
            Path there = nearest(file);
            boolean usable =
                    there.equals(file)
                            ? Files.isRegularFile(file) && Files.isWritable(file)
                            : Files.isDirectory(there) && Files.isWritable(there);
            if (usable) {
                ok("log", file.toString());
            } else {
                fail("log", file + " cannot be written: look at " + there + ", or set another");
            }
        } catch (AccessDeniedException _) {
            fail("log", "cannot tell: permission denied on " + file + "; run this as root");
        } catch (IOException e) {
            fail("log", file + " cannot be looked at: " + e);
        }
    }

    private void space(Path directory) {
        try {
            long free = Files.getFileStore(nearest(directory)).getUsableSpace();
            String text = free / MEBIBYTE + " MiB are free for " + directory;
            if (free < NO_SPACE) {
                fail("space", text + "; make room, or ends are kept in memory only");
            } else if (free < LITTLE_SPACE) {
                warn("space", text);
            } else {
                ok("space", text);
            }
        } catch (IOException e) {
            fail("space", "it cannot be found out how much is free for " + directory + ": " + e);
        }
    }

    private void endpoint(String what, String text, OptionalLong daemon) {
        try {
            Optional<String> problem = new Endpoint(text).problem(daemon);
            if (problem.isPresent()) {
                fail(what, problem.get() + "; end that, or set another port");
            } else {
                ok(what, text + (daemon.isPresent() ? ", the daemon's" : " is free"));
            }
        } catch (IOException e) {
            fail(what, "it cannot be found out who has " + text + ": " + e);
        }
    }

    /** The settings have read them already. */
    private void keys(Settings settings) {
        settings.curve()
                .ifPresentOrElse(
                        keys -> {
                            Optional<Path> clients = keys.clientsDir();
                            if (clients.isPresent() && !Files.isDirectory(clients.get())) {
                                warn("keys", clients.get() + " is not there: no client gets in");
                            } else {
                                ok("keys", "right");
                            }
                        },
                        () -> ok("keys", "none are set"));
    }

    private void source(List<String> command) {
        if (!command.getLast().equals("events")) {
            warn(
                    "source",
                    "'" + String.join(" ", command) + "' is not 'ctr ... events' and is not tried");
            return;
        }
        List<String> version = new ArrayList<>(command.subList(0, command.size() - 1));
        version.add("version");
        Trial trial = Trial.of(version, PATIENCE);
        if (trial.worked()) {
            ok("source", "'" + String.join(" ", version) + "' reaches containerd");
        } else {
            fail(
                    "source",
                    "'"
                            + String.join(" ", version)
                            + "' "
                            + trial.problem()
                            + "; mend TARDIS_CTR_CMD, or start containerd");
        }
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
        if (trial.worked()) {
            ok("runtime", runtime.get() + ": " + trial.firstLine());
        } else {
            fail("runtime", runtime.get() + " " + trial.problem() + "; set TARDIS_REAL_RUNC_CMD");
        }
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

    /** A best effort: configurations can be anywhere, and be included from anywhere. */
    private void callers() {
        List<Path> named =
                CALLERS.stream().flatMap(Examination::files).filter(Examination::names).toList();
        if (named.isEmpty()) {
            warn(
                    "caller",
                    "tardis-runc is named in none of "
                            + CALLERS
                            + "; containers that are run without it are recorded only if TARDIS_RECORD=all");
        } else {
            ok("caller", "tardis-runc is named in " + named);
        }
    }

    private static Stream<Path> files(Path path) {
        if (!Files.isDirectory(path)) {
            return Stream.of(path);
        }
        try (Stream<Path> files = Files.list(path)) {
            return files.toList().stream();
        } catch (IOException _) {
            return Stream.empty(); // it cannot be read, and is not found then
        }
    }

    private static boolean names(Path file) {
        if (!Files.isRegularFile(file)) {
            return false;
        }
        try (var in = Files.newInputStream(file)) {
            return new String(in.readNBytes(LONGEST_CONFIGURATION), StandardCharsets.UTF_8)
                    .contains("tardis-runc");
        } catch (IOException _) {
            return false; // it cannot be read, and is not found then
        }
    }
}
