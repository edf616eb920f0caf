package io.tardis.core.registry;

import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.NavigableSet;
import java.util.TreeSet;

/**
 * What is mounted at or below one directory, in this process's mount namespace, at one moment: file
 * systems and bind mounts alike, on directories and on files.
 *
 * <p>{@code /proc/self/mountinfo} names them all (proc(5)). Comparing devices would miss a bind
 * mount of the same file system, and statx(2) would need a descriptor of every entry, which Java's
 * directory streams do not give.
 */
final class MountPoints {

    private static final Path MOUNTINFO = Path.of("/proc/self/mountinfo");

    /** The fifth field, counted from 0, is where it is mounted. */
    private static final int MOUNT_POINT = 4;

    /** Both sides of a comparison must decode bytes alike, as {@code Path} does. */
    private static final Charset NAMES = Charset.forName(System.getProperty("sun.jnu.encoding"));

    private final NavigableSet<String> points;

    private MountPoints(NavigableSet<String> points) {
        this.points = points;
    }

    /**
     * Reads what is mounted at or below {@code directory}.
     *
     * @param directory its real path
     * @throws IOException if they cannot be read
     */
    static MountPoints of(String directory) throws IOException {
        NavigableSet<String> points = new TreeSet<>();
        String below = directory + "/";
        // Not by a reader of lines, which would end one at a carriage return in a name (the kernel
        // does not escape it), and would refuse a name that cannot be decoded.
        for (String line : new String(Files.readAllBytes(MOUNTINFO), NAMES).split("\n", -1)) {
            String[] fields = line.split(" ", MOUNT_POINT + 2);
            String point = fields.length > MOUNT_POINT ? unescape(fields[MOUNT_POINT]) : "";
            if (point.equals(directory) || point.startsWith(below)) {
                points.add(point);
            }
        }
        return new MountPoints(points);
    }

    /** Whether nothing is mounted there. */
    boolean isEmpty() {
        return points.isEmpty();
    }

    /** Whether {@code path} itself is a mount point. */
    boolean isAt(String path) {
        return points.contains(path);
    }

    /** Whether something is mounted below {@code path}. */
    boolean isBelow(String path) {
        String next = points.ceiling(path + "/");
        return next != null && next.startsWith(path + "/");
    }

    /** The paths, in their order. */
    @Override
    public String toString() {
        return String.join(", ", points);
    }

    /** The kernel writes blank, tab, line feed and backslash as three octal digits. */
    private static String unescape(String field) {
        return field.replace("\\040", " ")
                .replace("\\011", "\t")
                .replace("\\012", "\n")
                .replace("\\134", "\\");
    }
}
