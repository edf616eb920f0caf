package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.Usage;
import io.tardis.listener.CgroupFinder.Group;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * The control groups of one container, in which the kernel counts what its processes use.
 *
 * <p>They are found while the container's first process is there: from its end on, {@code /proc}
 * names the root groups of cgroup v1 in their place. The groups and their counters stay until the
 * runtime removes them, at {@code delete}. Immutable, for any thread.
 */
final class Cgroup {

    /**
     * Where a group has a number.
     *
     * @param key the first word of the number's line; empty if the file has nothing else
     * @param divisor how many of the file's units are one of {@link Usage}'s
     */
    private record Entry(String file, String key, long divisor) {

        Entry(String file) {
            this(file, "");
        }

        Entry(String file, String key) {
            this(file, key, 1);
        }

        OptionalLong in(Path directory) {
            String content = CgroupFinder.contentOf(directory.resolve(file), MAX_SIZE).orElse("");
            OptionalLong number = number(key.isEmpty() ? content : lineOf(content));
            return number.isPresent()
                    ? OptionalLong.of(number.getAsLong() / divisor)
                    : OptionalLong.empty();
        }

        private String lineOf(String content) {
            String lines = "\n" + content;
            String start = "\n" + key + " ";
            int at = lines.indexOf(start);
            return at < 0 ? "" : lines.substring(at + start.length()).split("\n", 2)[0];
        }
    }

    /**
     * A number that is read.
     *
     * @param controller which one counts it
     * @param v1 where the controller has it in a hierarchy of cgroup v1
     * @param v2 where it has it in the unified hierarchy
     */
    private record Counter(String controller, Entry v1, Entry v2) {}

    /** A larger file is not the kernel's. Its own have at most a few hundred bytes. */
    private static final int MAX_SIZE = 4096;

    /**
     * Where there is no limit, v1 has a number close to 2^63 that depends on the size of a page. v2
     * has the word {@code max}.
     */
    private static final long NO_LIMIT = 1L << 62;

    private static final long NANOS_PER_MICRO = 1_000;
    private static final int MAX_DEPTH = 4;
    private static final int MAX_GROUPS = 256;

    private static final Counter MEMORY_PEAK =
            new Counter("memory", new Entry("memory.max_usage_in_bytes"), new Entry("memory.peak"));
    private static final Counter MEMORY_LIMIT =
            new Counter("memory", new Entry("memory.limit_in_bytes"), new Entry("memory.max"));

    /** In v2 with those in groups below; v1 leaves these out. */
    private static final Counter OOM_KILLS =
            new Counter(
                    "memory",
                    new Entry("memory.oom_control", "oom_kill"),
                    new Entry("memory.events", "oom_kill"));

    private static final Counter CPU_MICROS =
            new Counter(
                    "cpuacct",
                    new Entry("cpuacct.usage", "", NANOS_PER_MICRO),
                    new Entry("cpu.stat", "usage_usec"));
    private static final Counter THROTTLED_MICROS =
            new Counter(
                    "cpu",
                    new Entry("cpu.stat", "throttled_time", NANOS_PER_MICRO),
                    new Entry("cpu.stat", "throttled_usec"));

    /** Older kernels do not have it, above all in v1. */
    private static final Counter PIDS_PEAK =
            new Counter("pids", new Entry("pids.peak"), new Entry("pids.peak"));

    private static final CgroupFinder FINDER = new CgroupFinder(Path.of("/proc"));

    /** By their controllers. */
    private final Map<String, Group> groups;

    private final OptionalLong oomKillsBefore;

    /** Whether the container had groups of its own making already. */
    private final boolean hadGroupsBelow;

    private Cgroup(Map<String, Group> groups, boolean hasRun) {
        this.groups = Map.copyOf(groups);
        OptionalLong before = read(OOM_KILLS);
        // Those that it had before, or those of the container itself: nobody can say.
        this.oomKillsBefore = hasRun && before.orElse(0) > 0 ? OptionalLong.empty() : before;
        this.hadGroupsBelow = hasUncountedGroups();
    }

    /**
     * The groups of a container that has been created, and does not run yet: its OOM kills are
     * counted from now on. Empty if its process is gone (in v1 also if it is a zombie), or if no
     * group is the container's own.
     *
     * @param pid its first process. The caller makes sure afterwards that it is still this one
     */
    static Optional<Cgroup> of(ContainerKey container, long pid) {
        return of(container, pid, false, FINDER);
    }

    /**
     * As {@link #of(ContainerKey, long)}, for a container that may have run already. Its process
     * may have moved: only groups that have the container's name count. Its OOM kills are not known
     * if there were any.
     */
    static Optional<Cgroup> ofRunning(ContainerKey container, long pid) {
        return of(container, pid, true, FINDER);
    }

    static Optional<Cgroup> of(
            ContainerKey container, long pid, boolean hasRun, CgroupFinder finder) {
        Map<String, Group> groups = finder.find(container, pid, hasRun);
        return groups.isEmpty() ? Optional.empty() : Optional.of(new Cgroup(groups, hasRun));
    }

    /**
     * What the container has used up to now. It is complete when the container's processes have
     * ended, and before the runtime removes the groups. A file that is missing, or has other
     * content, costs its own value only.
     *
     * <p>The limit is the group's own. A lower one of a group above, of a pod for instance, is not
     * looked at.
     *
     * @param hadGroups whether it {@link #hasUncountedGroups} at some time before
     */
    Usage usage(boolean hadGroups) {
        Usage usage =
                new Usage(
                        read(MEMORY_PEAK),
                        memoryLimit(),
                        oomKills(hadGroups),
                        read(CPU_MICROS),
                        read(THROTTLED_MICROS),
                        read(PIDS_PEAK));
        // A later container of the same name has groups of the same paths.
        return groups.values().stream().allMatch(Group::exists) ? usage : Usage.NOTHING;
    }

    private OptionalLong memoryLimit() {
        OptionalLong limit = read(MEMORY_LIMIT);
        return limit.orElse(NO_LIMIT) < NO_LIMIT ? limit : OptionalLong.empty();
    }

    private OptionalLong oomKills(boolean hadGroups) {
        OptionalLong now = read(OOM_KILLS);
        if (now.isEmpty() || oomKillsBefore.isEmpty()) {
            return OptionalLong.empty();
        }
        long kills = now.getAsLong() - oomKillsBefore.getAsLong();
        if (kills == 0 && (hadGroups || hadGroupsBelow || hasUncountedGroups())) {
            kills = oomKillsBelow(Objects.requireNonNull(groups.get(OOM_KILLS.controller)));
            // There may have been more of them, which were removed.
            return kills == 0 ? OptionalLong.empty() : OptionalLong.of(kills);
        }
        // The count never falls: fewer are those of another group, made in the place of this one.
        return kills < 0 ? OptionalLong.empty() : OptionalLong.of(kills);
    }

    /**
     * Whether the container has made groups in its own, whose kills for memory the kernel counts in
     * them alone: so does v1, and forgets the count with the group.
     */
    boolean hasUncountedGroups() {
        Group group = groups.get(OOM_KILLS.controller);
        try {
            // A group without others has itself and its name in the one above.
            return group != null
                    && !group.isUnified()
                    && (Integer) Files.getAttribute(group.directory(), "unix:nlink") > 2;
        } catch (IOException e) {
            return false; // it is removed
        }
    }

    private static long oomKillsBelow(Group group) {
        try (Stream<Path> below =
                Files.find(group.directory(), MAX_DEPTH, (_, it) -> it.isDirectory())) {
            return below.skip(1)
                    .limit(MAX_GROUPS)
                    .mapToLong(it -> OOM_KILLS.v1.in(it).orElse(0))
                    .sum();
        } catch (IOException | UncheckedIOException e) {
            return 0; // they are being removed
        }
    }

    private OptionalLong read(Counter counter) {
        Group group = groups.get(counter.controller);
        if (group == null) {
            return OptionalLong.empty();
        }
        return (group.isUnified() ? counter.v2 : counter.v1).in(group.directory());
    }

    /** A decimal number, with or without a line feed; empty for any other text. */
    private static OptionalLong number(String text) {
        String digits = text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
        // Long.parseLong alone would take signs, and the digits of other scripts.
        if (!digits.chars().allMatch(it -> it >= '0' && it <= '9')) {
            return OptionalLong.empty();
        }
        try {
            return OptionalLong.of(Long.parseLong(digits));
        } catch (NumberFormatException e) {
            return OptionalLong.empty(); // no digit at all, or more than a long holds
        }
    }
}
