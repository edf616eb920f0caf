package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Finds the directories of a container's control groups, by its first process.
 *
 * <p>{@code /proc/PID/cgroup} (cgroups(7)) has a line {@code ID:CONTROLLERS:PATH} for each
 * hierarchy: one or a few controllers of v1, or none for v2, which has all the others. A hybrid
 * machine has both. A controller with a hierarchy of v1 is looked for only there. The process's
 * group of v2 may be that of the service that started it then, and would count that.
 *
 * <p>For any thread.
 */
final class CgroupFinder {

    /**
     * A group, as one controller sees it.
     *
     * @param isUnified whether it is of cgroup v2, whose files have other names
     * @param identity no other group's: a later one can have the same path
     */
    record Group(Path directory, boolean isUnified, Object identity) {

        static Optional<Group> at(Path directory, boolean isUnified) {
            return identityOf(directory).map(it -> new Group(directory, isUnified, it));
        }

        /** Whether it is still there. */
        boolean exists() {
            return identityOf(directory).filter(identity::equals).isPresent();
        }

        private static Optional<Object> identityOf(Path directory) {
            try {
                return Optional.ofNullable(
                        Files.readAttributes(directory, BasicFileAttributes.class).fileKey());
            } catch (IOException e) {
                return Optional.empty();
            }
        }
    }

    /**
     * A mounted hierarchy.
     *
     * @param root the group that is at the mount point
     */
    private record Mount(List<String> controllers, String root, String point) {

        /** Where the group is, if it is below the root. */
        Optional<Path> directoryOf(String path) {
            String above = root.equals("/") ? "" : root;
            try {
                return Optional.of(path)
                        .filter(it -> it.startsWith(above + "/"))
                        .map(it -> Path.of(point + it.substring(above.length())))
                        .filter(Files::isDirectory);
            } catch (InvalidPathException e) {
                return Optional.empty(); // a name of bytes that have no characters here
            }
        }
    }

    private static final List<String> CONTROLLERS = List.of("memory", "cpu", "cpuacct", "pids");

    /** What stands for a controller in a line of v2. */
    private static final String UNIFIED = "";

    /** At most 14 lines, each with a path of some hundred bytes. */
    private static final int MAX_SIZE = 16 * 1024;

    /** Names must be decoded as {@code Path} encodes them. */
    private static final Charset NAMES = Charset.forName(System.getProperty("sun.jnu.encoding"));

    private static final int ROOT = 3;
    private static final int POINT = 4;

    private final Path proc;

    /** Read when a group is not found with those read before. */
    private volatile List<Mount> mounts = List.of();

    /**
     * @param proc the directory where proc(5) is mounted
     */
    CgroupFinder(Path proc) {
        this.proc = proc;
    }

    /**
     * The groups of a container, by their controllers. Without those that are not a container's:
     * the root groups, those outside of this daemon's cgroup namespace, and the daemon's own.
     *
     * @param pid its first process
     * @param hasRun whether that may have moved into another group since the runtime put it into
     *     the container's: then a group counts only if its name says that it is the container's
     */
    Map<String, Group> find(ContainerKey container, long pid, boolean hasRun) {
        Map<String, String> ours = pathsOf("self");
        Map<String, String> paths = pathsOf(Long.toString(pid));
        Map<String, Group> groups = new HashMap<>();
        for (String controller : CONTROLLERS) {
            String hierarchy = paths.containsKey(controller) ? controller : UNIFIED;
            String path = paths.getOrDefault(hierarchy, "");
            String own = ours.getOrDefault(hierarchy, "");
            Optional.of(path)
                    .filter(it -> isBelowRoot(it) && !it.equals(own))
                    .flatMap(it ->
                            OwnGroup.in(it, container, own)
                                    .or(() -> Optional.of(it).filter(_ -> !hasRun)))
                    .flatMap(it -> directory(hierarchy, it))
                    .flatMap(it -> Group.at(it, hierarchy.equals(UNIFIED)))
                    .ifPresent(it -> groups.put(controller, it));
        }
        return groups;
    }

    /** The paths of a process's groups, by their controllers. */
    private Map<String, String> pathsOf(String process) {
        Map<String, String> paths = new HashMap<>();
        for (String line : linesOf(process)) {
            String[] fields = line.split(":", 3);
            if (fields.length == 3) {
                List.of(fields[1].split(",", -1)).forEach(it -> paths.put(it, fields[2]));
            }
        }
        return paths;
    }

    private List<String> linesOf(String process) {
        return List.of(
                contentOf(proc.resolve(process).resolve("cgroup"), MAX_SIZE)
                        .orElse("")
                        .split("\n", -1));
    }

    private static boolean isBelowRoot(String path) {
        return path.startsWith("/") && path.length() > 1 && !(path + "/").contains("/../");
    }

    private Optional<Path> directory(String controller, String path) {
        Optional<Path> directory = mounted(controller, path);
        if (directory.isEmpty()) { // mounted since, perhaps
            mounts = readMounts();
            directory = mounted(controller, path);
        }
        return directory;
    }

    private Optional<Path> mounted(String controller, String path) {
        return mounts.stream()
                .filter(it -> it.controllers().contains(controller))
                .flatMap(it -> it.directoryOf(path).stream())
                .findFirst();
    }

    /** The hierarchies in {@code /proc/self/mountinfo} (proc(5)). */
    private List<Mount> readMounts() {
        List<Mount> found = new ArrayList<>();
        try {
            byte[] mountinfo = Files.readAllBytes(proc.resolve("self/mountinfo"));
            for (String line : new String(mountinfo, NAMES).split("\n", -1)) {
                // The kernel escapes blanks in names, so these are no part of one.
                String[] halves = line.split(" - cgroup", 2);
                String[] first = halves[0].split(" ", -1);
                if (halves.length == 2 && first.length > POINT) {
                    String[] second = halves[1].split(" ", -1);
                    // "2 SOURCE OPTIONS", or " SOURCE OPTIONS" with the controllers among them
                    List<String> controllers =
                            second[0].equals("2")
                                    ? List.of(UNIFIED)
                                    : List.of(second[second.length - 1].split(",", -1));
                    found.add(
                            new Mount(controllers, unescape(first[ROOT]), unescape(first[POINT])));
                }
            }
        } catch (IOException e) {
            return List.of();
        }
        return List.copyOf(found);
    }

    /** The kernel writes blank, tab, line feed and backslash as three octal digits. */
    private static String unescape(String field) {
        return field.replace("\\040", " ")
                .replace("\\011", "\t")
                .replace("\\012", "\n")
                .replace("\\134", "\\");
    }

    /**
     * The text of a file; empty if it cannot be read, or has more than {@code maxSize} bytes. Its
     * size is not asked for: the kernel reports 0 for the files of proc and cgroup.
     */
    static Optional<String> contentOf(Path file, int maxSize) {
        byte[] bytes = new byte[maxSize + 1];
        try (InputStream in = Files.newInputStream(file)) {
            int size = in.readNBytes(bytes, 0, bytes.length);
            return size > maxSize
                    ? Optional.empty()
                    : Optional.of(new String(bytes, 0, size, NAMES));
        } catch (IOException e) {
            return Optional.empty(); // not there, removed while it was read, or no descriptor left
        }
    }
}
