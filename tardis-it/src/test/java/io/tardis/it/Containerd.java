package io.tardis.it;

import static io.tardis.it.Wait.SOON;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A containerd of our own: its folders, sockets and log are in a {@link Scratch}, its containers'
 * control groups below one of a unique name. The machine's containerd, if there is one, shares
 * nothing with it but the folder {@code /run/containerd/s}, where every shim puts its socket,
 * whatever its containerd is configured to; {@link #close} removes ours from there.
 *
 * <p>Its environment is handed down to the shims, and from these to the runtime: it is the way for
 * the settings of Tardis to get to {@code tardis-runc}.
 */
final class Containerd implements AutoCloseable {

    private static final Path CGROUPS = Path.of("/sys/fs/cgroup");
    private static final Pattern SHIM_SOCKET = Pattern.compile("unix://(/[\\w./-]+)");

    private final Path folder;
    private final Path rootfs;
    private final String cgroup;
    private final Map<String, String> environment;
    private final Set<Path> shimSockets = ConcurrentHashMap.newKeySet();
    private @Nullable LiveProcess process;

    Containerd(Scratch scratch, Map<String, String> environment) {
        this.folder = scratch.folder("containerd");
        this.rootfs = Rootfs.create(scratch.folder("rootfs"));
        this.cgroup = String.valueOf(scratch.root().getFileName());
        this.environment = Map.copyOf(environment);
    }

    void start() {
        String config =
                """
                version = 2
                root = "%1$s/root"
                state = "%1$s/state"
                disabled_plugins = ["io.containerd.grpc.v1.cri"]
                [grpc]
                address = "%2$s"
                [ttrpc]
                address = "%2$s.ttrpc"
                """
                        .formatted(folder, socket());
        try {
            Files.writeString(folder.resolve("config.toml"), config);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        LiveProcess started =
                Command.of(
                                Programs.find("containerd").toString(),
                                "--config",
                                folder.resolve("config.toml").toString())
                        .with("PATH", Programs.path())
                        .with(environment)
                        .start(log());
        process = started;
        Wait.until(
                () -> "answer from containerd, which wrote:\n" + started.output(),
                SOON,
                () -> {
                    if (!started.isAlive()) {
                        throw new AssertionError("containerd ended: " + started.output());
                    }
                    return Files.exists(socket()) && ctr("version").code() == 0;
                });
    }

    boolean isRunning() {
        return process != null && process.isAlive();
    }

    /** Ends containerd in order. Containers keep running, as in an upgrade. */
    void stop() {
        running().close();
    }

    /** SIGKILL. Containers keep running. */
    void kill() {
        running().kill();
    }

    Path socket() {
        return folder.resolve("containerd.sock");
    }

    Path log() {
        return folder.resolve("containerd.log");
    }

    Path rootfs() {
        return rootfs;
    }

    /** Where containers run by {@code ctr} have the streams' FIFOs, and the runtime its state. */
    Path folder(String name) {
        try {
            return Files.createDirectories(folder.resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    String cgroupOf(Container container) {
        return "/" + cgroup + "/" + container.namespace() + "/" + container.id();
    }

    /**
     * Whether it deletes, when it starts, the tasks that ended while it was down: 1.7.24 and 2.1.9
     * do, 1.6.20 does not.
     */
    boolean deletesEndedTasksAtStart() {
        String version =
                Command.of(Programs.find("containerd").toString(), "--version")
                        .run()
                        .orFail()
                        .out();
        return !version.matches("(?s)\\S+ \\S+ v?1\\.[0-6]\\..*");
    }

    /** The command line for a {@code ctr} that talks to this containerd. */
    Command ctrCommand(Collection<String> arguments) {
        List<String> argv = new ArrayList<>();
        argv.add(Programs.find("ctr").toString());
        argv.add("-a");
        argv.add(socket().toString());
        argv.addAll(arguments);
        return Command.of(argv);
    }

    Outcome ctr(String... arguments) {
        return ctrCommand(List.of(arguments)).run();
    }

    /** The containerd shim of a running container. */
    Proc shimOf(Container container) {
        return shims().stream()
                .filter(shim ->
                        shim.arguments()
                                .subList(1, 5)
                                .equals(
                                        List.of(
                                                "-namespace",
                                                container.namespace(),
                                                "-id",
                                                container.id())))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no containerd shim runs " + container));
    }

    /** SIGKILL to the containerd shim of a container, and nothing else. */
    void killShimOf(Container container) {
        Proc shim = shimOf(container);
        rememberShimSockets();
        shim.signal("KILL");
        Wait.until("end of shim " + shim, SOON, () -> !shim.isAlive());
    }

    /** Living shims whose command line names our socket. */
    List<Proc> shims() {
        return shimProcesses().stream().filter(shim -> shim.arguments().size() == 7).toList();
    }

    /** The shims, and what containerd starts for a moment to clean up after one. */
    private List<Proc> shimProcesses() {
        return Proc.all().stream()
                .filter(process -> {
                    List<String> argv = process.arguments();
                    return argv.size() >= 7
                            && argv.get(0).contains("containerd-shim")
                            && argv.contains(socket().toString());
                })
                .filter(Proc::isAlive)
                .toList();
    }

    /** Folders of our control groups that exist, innermost first. */
    List<Path> cgroups() {
        // One hierarchy (v2), or one for each controller (v1).
        try (DirectoryStream<Path> hierarchies = Files.newDirectoryStream(CGROUPS)) {
            List<Path> found = new ArrayList<>(tree(CGROUPS.resolve(cgroup)));
            for (Path hierarchy : hierarchies) {
                found.addAll(tree(hierarchy.resolve(cgroup)));
            }
            found.sort(Comparator.reverseOrder());
            return found;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Sockets of our shims that exist. */
    List<Path> shimSockets() {
        rememberShimSockets();
        return shimSockets.stream().filter(Files::exists).toList();
    }

    /**
     * Ends all containers, then containerd, and removes what these leave behind outside of the
     * scratch folder. Every step is tried, whatever became of those before.
     */
    @Override
    public void close() {
        List<Throwable> failures = new ArrayList<>();
        attempt(failures, this::rememberShimSockets);
        if (isRunning()) {
            attempt(failures, this::removeContainers);
            attempt(failures, this::stop);
        }
        attempt(failures, this::killWhatIsLeft);
        attempt(failures, this::removeShimSockets);
        attempt(failures, this::removeCgroups);
        if (!failures.isEmpty()) {
            AssertionError failure = new AssertionError("containerd is not cleared away");
            failures.forEach(failure::addSuppressed);
            throw failure;
        }
    }

    /** Their tasks: what containerd itself knows of them goes with its folder. */
    private void removeContainers() {
        for (Path namespace : entries(bundles())) {
            for (Path bundle : entries(namespace)) {
                // It may have ended and gone meanwhile; what is really left is seen to below.
                Outcome _ = ctr("-n", name(namespace), "tasks", "delete", "--force", name(bundle));
            }
        }
    }

    /** BUNDLES/NAMESPACE/ID. */
    Path bundleOf(Container container) {
        return bundles().resolve(container.namespace()).resolve(container.id());
    }

    private Path bundles() {
        return folder.resolve("state/io.containerd.runtime.v2.task");
    }

    private static String name(Path path) {
        return String.valueOf(path.getFileName());
    }

    private void killWhatIsLeft() {
        for (Proc shim : shims()) {
            shim.signal("KILL");
        }
        for (Path group : cgroups()) {
            for (Proc process : members(group)) {
                process.signal("KILL");
            }
        }
        Wait.until(
                "end of our shims and containers",
                SOON,
                () ->
                        shimProcesses().isEmpty()
                                && cgroups().stream()
                                        .flatMap(group -> members(group).stream())
                                        .noneMatch(Proc::isAlive));
    }

    private void rememberShimSockets() {
        // In each bundle "address", or bootstrap.json from containerd 2 on. They come and go
        // meanwhile.
        for (Path namespace : entries(bundles())) {
            for (Path bundle : entries(namespace)) {
                for (String name : List.of("address", "bootstrap.json")) {
                    try {
                        Matcher matcher =
                                SHIM_SOCKET.matcher(Files.readString(bundle.resolve(name)));
                        while (matcher.find()) {
                            shimSockets.add(Path.of(matcher.group(1)));
                        }
                    } catch (IOException _) {
                        // Another version of containerd, or the bundle has just gone.
                    }
                }
            }
        }
    }

    private void removeShimSockets() throws IOException {
        for (Path shimSocket : shimSockets) {
            Files.deleteIfExists(shimSocket);
        }
    }

    private void removeCgroups() {
        // The kernel needs a moment after the end of the last member.
        Wait.until(
                "removal of our control groups",
                SOON,
                () -> {
                    for (Path group : cgroups()) {
                        // Not deleteIfExists: a busy group is tried again.
                        boolean _ = group.toFile().delete();
                    }
                    return cgroups().isEmpty();
                });
    }

    private LiveProcess running() {
        return Objects.requireNonNull(process, "containerd was never started");
    }

    private static List<Path> entries(Path folder) {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.toList();
        } catch (IOException | UncheckedIOException e) {
            return List.of();
        }
    }

    private static List<Path> tree(Path root) {
        if (!Files.isDirectory(root)) {
            return List.of();
        }
        try (Stream<Path> tree = Files.find(root, 8, (_, file) -> file.isDirectory())) {
            return tree.toList();
        } catch (IOException | UncheckedIOException e) {
            // A group went away under the walk. The next look sees what is left.
            return List.of(root);
        }
    }

    private static List<Proc> members(Path group) {
        try {
            return Files.readAllLines(group.resolve("cgroup.procs")).stream()
                    .map(pid -> new Proc(Long.parseLong(pid)))
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    private static void attempt(List<Throwable> failures, Step step) {
        try {
            step.run();
        } catch (Exception | AssertionError e) {
            failures.add(e);
        }
    }

    private interface Step {
        void run() throws IOException;
    }

    /** The first process of a running container. */
    Optional<Proc> initOf(Container container) {
        return ctr("-n", container.namespace(), "tasks", "ls")
                .out()
                .lines()
                .map(line -> List.of(line.strip().split(" +", -1)))
                .filter(fields -> fields.getFirst().equals(container.id()))
                .map(fields -> new Proc(Long.parseLong(fields.get(1))))
                .findFirst();
    }
}
