package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A container to be run, by {@code ctr}: its name, its runtime and its environment. Immutable; the
 * same one can be run again and again.
 */
record Container(
        Containerd containerd,
        String runtime,
        String namespace,
        String id,
        Map<String, String> environment,
        List<String> options,
        String input) {

    private static final Pattern NON_ZERO = Pattern.compile("non-zero exit code (\\d+)");

    Container {
        environment = Map.copyOf(environment);
        options = List.copyOf(options);
    }

    Container(Containerd containerd, String runtime, String namespace, String id) {
        this(containerd, runtime, namespace, id, Map.of(), List.of(), "");
    }

    /** The same, for Tardis to care about. */
    Container enabled() {
        return with("TARDIS_ENABLE", "1");
    }

    Container with(String key, String value) {
        Map<String, String> more = new TreeMap<>(environment);
        more.put(key, value);
        return new Container(containerd, runtime, namespace, id, more, options, input);
    }

    /** The same with more options of {@code ctr run}. */
    Container option(String... words) {
        List<String> more = new ArrayList<>(options);
        more.addAll(List.of(words));
        return new Container(containerd, runtime, namespace, id, environment, more, input);
    }

    /**
     * What its process reads on standard input. It must not wait for the end of it: {@code ctr run}
     * does not always hand that on.
     */
    Container input(String text) {
        return new Container(containerd, runtime, namespace, id, environment, options, text);
    }

    /** How Tardis's commands name it. */
    String name() {
        return namespace + "/" + id;
    }

    /**
     * Runs it to its end and removes it: {@code create}, {@code start}, {@code delete}, {@code
     * delete --force}. The outcome's code is the container's, as {@code ctr} prints it.
     */
    Outcome run(String... command) {
        return runCommand("--rm", command).run();
    }

    /** Runs {@code /bin/sh -c SCRIPT} to its end and removes the container. */
    Outcome sh(String script) {
        return run("/bin/sh", "-c", script);
    }

    /** Creates and starts it, and leaves it running. */
    void start(String... command) {
        Outcome _ = runCommand("--detach", command).run().orFail();
    }

    /** Starts it with a process that exits with a code on {@link #end}. */
    void startEndingWith(int code) {
        start(
                "/bin/sh",
                "-c",
                "trap 'exit " + code + "' TERM; while :; do sleep 3600 & wait; done");
        // It is `runc init` for a moment, which a SIGTERM ends with 2, and then a shell without a
        // trap, which as the init of its pid namespace never gets one. With a child it has its
        // trap.
        Wait.until(
                "trap of " + this,
                SOON,
                () -> containerd.initOf(this).filter(it -> it.children() > 0).isPresent());
    }

    /** Ends a container started by {@link #startEndingWith}. */
    void end() {
        end("SIGTERM");
    }

    /** Sends a signal and waits for the end. */
    void end(String signal) {
        Outcome _ = task("kill", "--signal", signal, id).orFail();
        awaitStop();
    }

    void awaitStop() {
        Wait.until("end of " + this, SOON, this::hasStopped);
    }

    boolean hasStopped() {
        return containerd
                .ctr("-n", namespace, "tasks", "ls")
                .out()
                .lines()
                .map(line -> List.of(line.strip().split(" +", -1)))
                .anyMatch(fields ->
                        fields.getFirst().equals(id) && fields.getLast().equals("STOPPED"));
    }

    /** Runs a process more in it. The outcome's code is that process's. */
    Outcome exec(String execId, String... command) {
        List<String> arguments =
                new ArrayList<>(
                        List.of(
                                "-n",
                                namespace,
                                "tasks",
                                "exec",
                                "--fifo-dir",
                                fifos(),
                                "--exec-id",
                                execId,
                                id));
        arguments.addAll(List.of(command));
        return containerd.ctrCommand(arguments).run();
    }

    /**
     * Deletes its ended task, which makes containerd call the runtime's {@code delete}, and removes
     * the container. Returns the code that containerd had.
     */
    int remove() {
        Outcome deleted = task("delete", id).orFail();
        removeWithoutTask();
        return codePrintedBy(deleted);
    }

    /**
     * Removes it after an outage of containerd in which its process ended, and checks the code that
     * containerd had where it still has the task: some versions delete such a task when they start.
     */
    void removeAfterOutage(int code) {
        if (containerd.deletesEndedTasksAtStart()) {
            Outcome deleted = task("delete", id);
            assertThat(deleted.err()).as("%s", deleted).contains("no running task found");
            removeWithoutTask();
        } else {
            assertThat(remove()).isEqualTo(code);
        }
    }

    /** ctr exits with 0 whatever the container's code is, and prints that in a warning. */
    private static int codePrintedBy(Outcome deleted) {
        Matcher warning = NON_ZERO.matcher(deleted.err());
        return warning.find() ? Integer.parseInt(warning.group(1)) : 0;
    }

    /** Removes a container whose task has gone already. */
    void removeWithoutTask() {
        Outcome _ = containerd.ctr("-n", namespace, "containers", "delete", id).orFail();
    }

    @Override
    public String toString() {
        return name();
    }

    private Outcome task(String verb, String... arguments) {
        List<String> all = new ArrayList<>(List.of("-n", namespace, "tasks", verb));
        all.addAll(List.of(arguments));
        return containerd.ctrCommand(all).run();
    }

    private String fifos() {
        return containerd.folder("fifo").toString();
    }

    /** As {@link #run}, with the root filesystem of an image. */
    Outcome runImage(String image, String... command) {
        return runCommand("--rm", List.of("--snapshotter", "native", image, id), command).run();
    }

    private Command runCommand(String mode, String... command) {
        return runCommand(mode, List.of("--rootfs", containerd.rootfs().toString(), id), command);
    }

    private Command runCommand(String mode, List<String> what, String... command) {
        List<String> arguments =
                new ArrayList<>(
                        List.of(
                                "-n",
                                namespace,
                                "run",
                                mode,
                                "--runc-binary",
                                runtime,
                                "--runc-root"));
        arguments.add(containerd.folder("runc").toString());
        arguments.addAll(List.of("--fifo-dir", fifos(), "--cgroup", containerd.cgroupOf(this)));
        environment.forEach((key, value) -> arguments.addAll(List.of("--env", key + "=" + value)));
        arguments.addAll(options);
        arguments.addAll(what);
        arguments.addAll(List.of(command));
        return containerd.ctrCommand(arguments).input(input);
    }
}
