package io.tardis.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Who listens where, as the kernel lists it in {@code /proc} (proc(5)). Sockets are known by their
 * inodes. Only root, and a process's own user, can see whose a socket is.
 */
final class ListeningSockets {

    private static final Path PROC = Path.of("/proc");
    private static final Pattern SOCKET = Pattern.compile("socket:\\[([0-9]+)]");
    private static final Pattern BLANKS = Pattern.compile("\\s+");

    /** The state of a TCP socket that listens. */
    private static final String LISTEN = "0A";

    /** The flag of a Unix socket that listens. */
    private static final long ACCEPTS = 0x10000;

    private ListeningSockets() {}

    /** The TCP sockets that listen on {@code port}, of whatever address. */
    static Set<Long> onPort(int port) throws IOException {
        String ending = String.format(":%04X", port);
        Set<Long> inodes = new HashSet<>();
        for (String table : List.of("net/tcp", "net/tcp6")) {
            for (String[] row : rows(table, 0)) {
                if (row.length > 9 && row[1].endsWith(ending) && row[3].equals(LISTEN)) {
                    inodes.add(Long.parseLong(row[9]));
                }
            }
        }
        return inodes;
    }

    /** The Unix sockets that listen, and the paths that they were bound to. */
    static Map<Long, Path> unix() throws IOException {
        Map<Long, Path> paths = new HashMap<>();
        for (String[] row : rows("net/unix", 8)) {
            if (row.length > 7
                    && row[0].matches("[0-9a-f]+:") // else the rest of a path with a line feed
                    && row[6].matches("[0-9]{1,18}")
                    && row[7].startsWith("/")
                    && (Long.parseLong(row[3], 16) & ACCEPTS) != 0) {
                paths.put(Long.parseLong(row[6]), Path.of(row[7]));
            }
        }
        return paths;
    }

    /** The last of so many columns may have blanks in it; 0 for as many as there are. */
    private static List<String[]> rows(String table, int columns) throws IOException {
        Path file = PROC.resolve(table);
        if (!Files.exists(file)) {
            return List.of(); // a kernel without IPv6
        }
        // Paths of other programs may be in any encoding.
        return Files.readAllLines(file, StandardCharsets.ISO_8859_1).stream()
                .skip(1)
                .map(line -> BLANKS.split(line.strip(), columns))
                .toList();
    }

    /** The sockets that the process has; none if it has ended. */
    static Set<Long> of(long pid) throws IOException {
        Set<Long> inodes = new HashSet<>();
        for (Path target : openFiles(pid)) {
            Matcher socket = SOCKET.matcher(target.toString());
            if (socket.matches()) {
                inodes.add(Long.parseLong(socket.group(1)));
            }
        }
        return inodes;
    }

    /** What the process has open, as the kernel names it; nothing if it has ended. */
    static List<Path> openFiles(long pid) throws IOException {
        List<Path> targets = new ArrayList<>();
        try (DirectoryStream<Path> descriptors =
                Files.newDirectoryStream(PROC.resolve(Long.toString(pid)).resolve("fd"))) {
            for (Path descriptor : descriptors) {
                try {
                    targets.add(Files.readSymbolicLink(descriptor));
                } catch (NoSuchFileException _) {
                    // closed meanwhile
                }
            }
        } catch (NoSuchFileException _) {
            return List.of();
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        return targets;
    }

    private static boolean hasOne(long pid, Set<Long> inodes) throws IOException {
        try {
            return of(pid).stream().anyMatch(inodes::contains);
        } catch (AccessDeniedException _) {
            return false; // not even root may look at every process, in a container for instance
        }
    }

    /** The process that has one of these sockets; empty if this user cannot see it. */
    static OptionalLong owner(Set<Long> inodes) throws IOException {
        if (inodes.isEmpty()) {
            return OptionalLong.empty();
        }
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
            for (Path process : processes) {
                long pid = Long.parseLong(PROC.relativize(process).toString());
                if (hasOne(pid, inodes)) {
                    return OptionalLong.of(pid);
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        return OptionalLong.empty();
    }
}
