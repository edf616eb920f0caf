package io.tardis.listener;

import io.tardis.core.Owner;
import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds the containers that a containerd has on this node now, also while it is dead: its shims
 * name it on their command lines, and each has its first container's bundle as its working
 * directory.
 *
 * <pre>
 * containerd-shim-runc-v2 -namespace NS -id ID -address /run/containerd/containerd.sock
 * /proc/PID/cwd -> STATE/io.containerd.runtime.v2.task/NS/ID
 * </pre>
 *
 * All other bundles of that containerd are beside it. So nothing has to be configured, not even
 * where containerd's state directory is. Anybody can start a process that looks like a shim; what
 * it leads to counts only if the directory belongs to the user of this process.
 */
final class RunningContainers {

    /**
     * A container that has a bundle and an init.
     *
     * @param pid the init's, in the host's pid namespace. It may have ended, and another process
     *     may have its pid by now
     * @param createdAt when its create had been done
     */
    record Found(ContainerKey container, Path bundle, long pid, Instant createdAt) {

        CtrEvent.TaskProcess asCreate() {
            return new CtrEvent.TaskProcess(container, bundle, pid, createdAt, true);
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger(RunningContainers.class);

    private static final String DEFAULT_ADDRESS = "/run/containerd/containerd.sock";
    private static final String ADDRESS_VARIABLE = "CONTAINERD_ADDRESS";
    private static final Set<String> ADDRESS_OPTIONS = Set.of("-a", "--a", "-address", "--address");
    private static final String TASKS = "io.containerd.runtime.v2.task";
    private static final int MAX_COMMAND_LINE = 8_192;
    private static final int MAX_PID_FILE = 32;

    private final Path proc;

    RunningContainers(Path proc) {
        this.proc = proc;
    }

    /**
     * The containers of the containerd with that address. One whose {@code create} has not ended is
     * not among them; its event comes, so events are to be read before this is called.
     */
    static List<Found> of(String address) {
        return new RunningContainers(Path.of("/proc")).find(address);
    }

    /**
     * The address of the containerd that {@code ctr} talks to ({@code cmd/ctr/app/main.go}).
     *
     * @param ctrCommand program and arguments, perhaps with {@code env} or others before
     * @param environment of the program
     */
    static String address(List<String> ctrCommand, Map<String, String> environment) {
        String address = environment.getOrDefault(ADDRESS_VARIABLE, "");
        for (int i = 0; i < ctrCommand.size(); i++) {
            String[] word = ctrCommand.get(i).split("=", 2);
            boolean isOption = ADDRESS_OPTIONS.contains(word[0]);
            if (word.length == 2 && (isOption || word[0].equals(ADDRESS_VARIABLE))) {
                address = word[1];
            } else if (isOption && i + 1 < ctrCommand.size()) {
                address = ctrCommand.get(i + 1);
            }
        }
        return address.isEmpty() ? DEFAULT_ADDRESS : address;
    }

    List<Found> find(String address) {
        String wanted = resolved(address);
        Set<Path> tasks =
                entries(proc)
                        .filter(it -> isNumber(it.getFileName().toString()))
                        .filter(it -> isShimOf(it, wanted))
                        .flatMap(it -> tasksOf(it).stream())
                        .collect(Collectors.toSet());
        return tasks.stream()
                .flatMap(RunningContainers::entries)
                .flatMap(RunningContainers::entries)
                .flatMap(it -> found(it).stream())
                .toList();
    }

    /** In this order: most processes are no shims, and only this node's paths are looked at. */
    private boolean isShimOf(Path process, String wanted) {
        Optional<String> address = addressOf(process);
        return address.isPresent()
                && isOnThisNode(process)
                && resolved(address.get()).equals(wanted);
    }

    /**
     * Whether it sees the processes and files that this process sees: one in a container could lead
     * to files of its own, by a path that is another one's here.
     */
    private boolean isOnThisNode(Path process) {
        return Stream.of("ns/mnt", "ns/pid", "root")
                .allMatch(it -> {
                    Optional<Path> theirs = linkOf(process, it);
                    return theirs.isPresent() && theirs.equals(linkOf(proc.resolve("self"), it));
                });
    }

    private static Optional<Path> linkOf(Path process, String link) {
        try {
            return Optional.of(Files.readSymbolicLink(process.resolve(link)));
        } catch (IOException e) {
            LOG.debug("{} is not there any more", process, e);
            return Optional.empty();
        }
    }

    /** The address in a shim's command line; empty if the process is no shim. */
    private static Optional<String> addressOf(Path process) {
        List<String> words =
                List.of(read(process.resolve("cmdline"), MAX_COMMAND_LINE).split("\0", -1));
        int option = words.indexOf("-address");
        return nameOf(words.getFirst()).startsWith("containerd-shim-")
                        && option > 0
                        && option + 1 < words.size()
                ? Optional.of(words.get(option + 1))
                : Optional.empty();
    }

    private static String nameOf(String program) {
        return program.substring(program.lastIndexOf('/') + 1);
    }

    /** Links in the folder do not count: {@code /var/run} is mostly one. */
    private static String resolved(String address) {
        int name = address.lastIndexOf('/') + 1;
        try {
            return Path.of(address.substring(0, name)).toRealPath() + "/" + address.substring(name);
        } catch (IOException | InvalidPathException _) {
            return address;
        }
    }

    /** The directory with all bundles of a shim's containerd. */
    private static Optional<Path> tasksOf(Path shim) {
        try {
            Path bundle = Files.readSymbolicLink(shim.resolve("cwd"));
            Path tasks = bundle.resolve("../..").normalize();
            return tasks.endsWith(TASKS)
                            && Owner.isUs(Files.getOwner(tasks, LinkOption.NOFOLLOW_LINKS))
                    ? Optional.of(tasks)
                    : Optional.empty();
        } catch (IOException e) {
            LOG.debug("{} is not there any more, or not a shim", shim, e);
            return Optional.empty();
        }
    }

    private static Optional<Found> found(Path bundle) {
        int last = bundle.getNameCount() - 1;
        String namespace = bundle.getName(last - 1).toString();
        String id = bundle.getName(last).toString();
        Path file = bundle.resolve("init.pid");
        String pid = read(file, MAX_PID_FILE).strip();
        if (!ContainerKey.isIdentifier(namespace)
                || !ContainerKey.isIdentifier(id)
                || !isNumber(pid)) {
            return Optional.empty();
        }
        try {
            return Optional.of(
                    new Found(
                            new ContainerKey(namespace, id),
                            bundle,
                            Long.parseLong(pid),
                            Files.getLastModifiedTime(file).toInstant()));
        } catch (IOException e) {
            LOG.debug("{} is not there any more", file, e);
            return Optional.empty();
        }
    }

    /** Whether it may be a pid. */
    private static boolean isNumber(String text) {
        return text.matches("[1-9][0-9]{0,6}");
    }

    /** Empty if there is nothing to be read. */
    private static String read(Path file, int max) {
        try {
            return SmallFile.read(file, max).orElse("");
        } catch (IOException e) {
            LOG.debug("{} is not there any more", file, e);
            return "";
        }
    }

    private static Stream<Path> entries(Path directory) {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.toList().stream();
        } catch (NoSuchFileException | NotDirectoryException _) {
            return Stream.empty();
        } catch (IOException | UncheckedIOException e) {
            LOG.warn("the containers that run cannot all be found", e);
            return Stream.empty();
        }
    }
}
