package io.tardis.it;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Whether this machine can run containers at all. Asked once, by running one with plain runc. */
final class Machine {

    /** Debian's python3, whose python3-zmq another Python on the path need not have. */
    static final String PYTHON = "/usr/bin/python3";

    private static final List<String> NEEDED =
            List.of("containerd", "containerd-shim-runc-v2", "ctr", "runc", "busybox");

    private Machine() {}

    /** Why it can not, or nothing. */
    static Optional<String> problem() {
        return Holder.PROBLEM;
    }

    /**
     * Whether its kernel reports how processes end. Not Tardis is asked: a probe of its own that
     * fails must not look like a kernel that cannot do it.
     */
    static boolean kernelReportsExits() {
        return isWitnessOn() && kernelProbe().equals("yes");
    }

    /** Whether the tests use it: {@code -Dtardis.it.witness=off} does without. */
    static boolean isWitnessOn() {
        return !System.getProperty("tardis.it.witness", "on").equals("off");
    }

    /** "yes", or "no" and why: {@code kernel_probe.py}. */
    static String kernelProbe() {
        return Command.of(PYTHON, TardisNode.script("kernel_probe.py").toString())
                .run()
                .orFail()
                .text();
    }

    private static Optional<String> look() {
        List<String> problems = new ArrayList<>();
        if (!isRoot()) {
            problems.add("not root");
        }
        for (String program : NEEDED) {
            if (Programs.search(program).isEmpty()) {
                problems.add("no " + program);
            }
        }
        if (!Files.isExecutable(Path.of(PYTHON))
                || Command.of(PYTHON, "-c", "import zmq").run().code() != 0) {
            problems.add("no python3-zmq for " + PYTHON);
        }
        if (problems.isEmpty()) {
            tryContainer().ifPresent(problems::add);
        }
        return problems.isEmpty() ? Optional.empty() : Optional.of(String.join(", ", problems));
    }

    private static boolean isRoot() {
        try {
            return Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
        } catch (IOException e) {
            return false;
        }
    }

    private static Optional<String> tryContainer() {
        try (Scratch scratch = Scratch.create();
                Containerd containerd = new Containerd(scratch, Map.of())) {
            containerd.start();
            String runc = Programs.find("runc").toString();
            Outcome _ =
                    new Container(containerd, runc, "default", "trial").run("/bin/true").orFail();
            return Optional.empty();
        } catch (AssertionError | RuntimeException e) {
            return Optional.of("a trial container failed: " + e.getMessage());
        }
    }

    /** Looks when it is first needed, and only then. */
    private static final class Holder {
        static final Optional<String> PROBLEM = look();
    }
}
